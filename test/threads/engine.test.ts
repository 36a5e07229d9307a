/** Whole runs on real worker threads that end as planned. Invariants, never times. */
import { expect, test } from "vitest";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { nvmeScenario, type SmallRun } from "../support/scenarios.ts";

const DURATION_MS_MAX = 16_000;

const threads = (small: SmallRun) => nvmeScenario({ ...small, engine: "threads" });

function expectSound(result: RunResult): void {
  for (const { check, ok, detail } of result.checks) expect(ok, `${check}: ${detail}`).toBe(true);
  expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
}

/** Runs as short as this machine, busy as it may be, lets it be; every run has to be sound. */
async function runLongEnough(
  small: SmallRun,
  durationMs: number,
  enough: (result: RunResult) => boolean,
): Promise<RunResult> {
  const scenario = threads({ ...small, duration: `${durationMs}ms` });
  const result = await runScenario(scenario, { engine: "threads" });
  expectSound(result);
  expect(result.partial).toBeNull();
  if (enough(result) || 2 * durationMs > DURATION_MS_MAX) return result;
  return await runLongEnough(small, 2 * durationMs, enough);
}

const delivered = ({ ledger }: RunResult): number => ledger.totals.delivered ?? 0;

test("two guests boot, change mode and reboot, and every interrupt is accounted for", async () => {
  const timeline = [
    { at: "0ms", do: "boot" },
    { at: "300ms", do: "mode", to: "intx" },
    { at: "500ms", do: "mode", to: "msix" },
    { at: "700ms", do: "reboot" },
  ];
  const starts = (result: RunResult): number[] =>
    result.guests.map(
      ({ timeline }) => timeline.filter(({ event }) => event === "guest_io_start").length,
    );
  const result = await runLongEnough({ timeline }, 1_000, (done) =>
    starts(done).every((n) => n === 4),
  );
  expect(starts(result)).toEqual([4, 4]);
  expect(delivered(result)).toBeGreaterThan(0);
  expect(result.latency.floor).not.toBeNull();
});

test("the userspace path and spinning workers deliver as well", async () => {
  const small: SmallRun = { guests: 1, path: "userspace", run: { wait: "spin" } };
  const result = await runLongEnough(small, 500, (done) => delivered(done) > 100);
  expect(delivered(result)).toBeGreaterThan(100);
});

for (const wait of ["spin", "park", "adaptive"]) {
  test(`posted interrupts reach a vCPU whose thread waits by ${wait}`, async () => {
    const small: SmallRun = { guests: 1, path: "posted", run: { wait } };
    const result = await runLongEnough(small, 500, (done) => delivered(done) > 100);
    expect(delivered(result)).toBeGreaterThan(100);
    const stages = result.latency.stages.map(({ stage }) => stage);
    expect(stages).toContain("posted->woken");
  });
}

test("a guest that kills itself is told to the host, the other goes on", async () => {
  const both = threads({ guests: 2, duration: "800ms" });
  const [g0, g1] = both.guests;
  const doomed = { ...g1!, timeline: [...g1!.timeline, { at: 400e6, do: "kill" as const }] };
  const result = await runScenario({ ...both, guests: [g0!, doomed] }, { engine: "threads" });
  expectSound(result);
  expect(result.partial).toBeNull();
  expect(result.guests.map(({ state }) => state)).toEqual(["running", "dead: killed"]);
});

test("a wall-clock limit below the duration ends the run there and says so", async () => {
  const scenario = threads({ guests: 1, duration: "60s", run: { limit: "300ms" } });
  const result = await runScenario(scenario, { engine: "threads" });
  expect(result.partial).toMatch(/limit/);
  expectSound(result);
});

test("sixteen guests share nothing and two cores", async () => {
  const served = ({ guests }: RunResult): number =>
    Math.min(...guests.map(({ interrupts }) => interrupts));
  const workload = { arrivals: "poisson", rate: "200/s", per: "device" };
  const small: SmallRun = { guests: 16, vectors: 3, workload };
  const result = await runLongEnough(small, 1_500, (done) => served(done) > 10);
  expect(served(result)).toBeGreaterThan(10);
});
