/** Every way a run on threads can end: interrupted in each phase, workers killed, models broken. */
import { describe, expect, it } from "vitest";
import { InvariantError, UsageError } from "../../src/base/errors.ts";
import { partialResultOf } from "../../src/run/broken-run.ts";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { PHASES, runDisturbed, runFaulty } from "../support/run-phases.ts";
import { nvmeScenario, type SmallRun } from "../support/scenarios.ts";

const small = (more: SmallRun = {}) =>
  nvmeScenario({ engine: "threads", vectors: 3, duration: "400ms", ...more });

const alone = () => small({ guests: 1 });

function expectSound(result: RunResult): void {
  for (const { check, ok, detail } of result.checks) expect(ok, `${check}: ${detail}`).toBe(true);
  expect(result.ledger.violations).toEqual([]);
  expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
}

async function errorOf(run: Promise<RunResult>): Promise<Error> {
  const [{ reason }] = (await Promise.allSettled([run])) as [PromiseRejectedResult];
  expect(reason).toBeInstanceOf(Error);
  return reason as Error;
}

describe("an interruption ends a run that is", () => {
  for (const phase of PHASES) {
    it(phase, async () => {
      const scenario = small({ duration: phase === "settling" ? "300ms" : "60s" });
      const disturb = (_: unknown, abort: AbortController): void => abort.abort();
      const result = await runDisturbed({ scenario, phase, disturb });
      expect(result.partial).toBe("interrupted");
      expectSound(result);
      expect(result.guests.map(({ name }) => name)).toEqual(["g0", "g1"]);
      const started = phase === "running" || phase === "settling";
      expect(result.guests.every(({ state }) => state === "running")).toBe(started);
    });
  }

  it("not begun yet", async () => {
    const signal = AbortSignal.abort();
    const result = await runScenario(small(), { engine: "threads", signal });
    expect(result.partial).toBe("interrupted");
    expectSound(result);
  });
});

describe("a guest whose thread is killed takes nothing with it while the run is", () => {
  for (const phase of PHASES) {
    it(phase, async () => {
      const result = await runDisturbed({
        scenario: small({ duration: phase === "running" ? "2s" : "400ms" }),
        phase,
        disturb: (run) => void run.guests[0]!.worker.terminate(),
      });
      expect(result.partial).toMatch(/^guest g0 died: worker exited/);
      expectSound(result);
      expect(result.guests[0]!.state).toMatch(/^dead: worker exited/);
      expect(result.guests[1]!.state).toBe("running");
    });
  }

  it("starting, by itself", async () => {
    const result = await runFaulty(small(), ["exits in setUp"]);
    expect(result.partial).toBe("guest exits in setUp died: worker exited with code 7");
    expectSound(result);
    expect(result.guests[1]!.state).toBe("running");
  });

  it("starting, and is the only one", async () => {
    const result = await runFaulty(alone(), ["exits in setUp"]);
    expect(result.partial).toBe("all guests are gone");
    expectSound(result);
  });
});

describe("a guest whose model is broken ends the run with its error", () => {
  for (const when of ["setUp", "poll", "busy", "settle"]) {
    it(`in ${when}`, async () => {
      const error = await errorOf(runFaulty(small(), [`throws in ${when}`]));
      expect(error).toBeInstanceOf(InvariantError);
      expect(error.message).toBe(`throws in ${when}: a test's broken invariant`);
      expect(error.stack).toContain("faulty-guest-worker");
      expect(partialResultOf(error)).toMatchObject({
        partial: error.message,
        guests: [{ name: `throws in ${when}` }, { name: "g1" }],
      });
    });
  }

  it("and that is no invariant", async () => {
    const error = await errorOf(runFaulty(alone(), ["errs in poll"]));
    expect(error).not.toBeInstanceOf(InvariantError);
    expect(error.message).toMatch(/^errs in poll: TypeError: /);
  });

  it("where nobody waits for it", async () => {
    const error = await errorOf(runFaulty(alone(), ["throws late in poll"]));
    expect(error).toBeInstanceOf(InvariantError);
    expect(error.message).toBe("throws late in poll: a test's broken invariant");
    expect(partialResultOf(error)).toMatchObject({ guests: [{ state: `dead: ${error.message}` }] });
  });
});

describe("a host", () => {
  for (const when of ["setUp", "poll", "settle", "report"]) {
    it(`whose model is broken in ${when} ends the run with its error`, async () => {
      const error = await errorOf(runFaulty({ ...alone(), name: `throws in ${when}` }, []));
      expect(error).toBeInstanceOf(InvariantError);
      expect(error.message).toBe("host: a test's broken invariant");
      const told = when === "setUp" || when === "report" ? null : error.message;
      expect(partialResultOf(error)?.partial ?? null).toBe(told);
    });
  }

  it("that refuses the scenario tells the user so", async () => {
    const error = await errorOf(runFaulty({ ...alone(), name: "refuses in setUp" }, []));
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ message: "a test's refusal", hint: "try another" });
  });

  for (const when of ["poll", "settle"]) {
    it(`whose thread ends in ${when} ends the run`, async () => {
      const error = await errorOf(runFaulty({ ...alone(), name: `exits in ${when}` }, []));
      expect(error.message).toBe("host: worker exited with code 7");
    });
  }
});
