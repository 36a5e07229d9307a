/** Runs of the posted path in virtual time: where interrupts go, and that every one is counted. */
import { describe, expect, test } from "vitest";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { nvmeScenario, type SmallRun } from "../support/scenarios.ts";

const run = (small: SmallRun): Promise<RunResult> =>
  runScenario(nvmeScenario({ guests: 1, ...small }), { engine: "virtual" });

function expectSound(result: RunResult): void {
  for (const { check, ok, detail } of result.checks) expect(ok, `${check}: ${detail}`).toBe(true);
  expect(result.ledger.violations).toEqual([]);
  expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
}

const stage = (result: RunResult, name: string) =>
  result.latency.stages.find((row) => row.stage === name);

describe("the posted path", () => {
  test("goes past the host's handler, and is the quickest of the three", async () => {
    const posted = await run({ path: "posted" });
    expectSound(posted);
    expect(stage(posted, "raised->handler")).toBeUndefined();
    expect(stage(posted, "posted->woken")!.count).toBe(posted.ledger.totals.delivered);
    const p50 = async (path: "irqfd" | "userspace") => stage(await run({ path }), "total")!.p50;
    expect(stage(posted, "total")!.p50).toBeLessThan(await p50("irqfd"));
    expect(await p50("irqfd")).toBeLessThan(await p50("userspace"));
  });

  test("leaves INTx to the host", async () => {
    const timeline = [
      { at: "0ms", do: "boot" },
      { at: "300ms", do: "mode", to: "intx" },
    ];
    const result = await run({ path: "posted", timeline, duration: "800ms" });
    expectSound(result);
    expect(stage(result, "raised->handler")!.count).toBeGreaterThan(100);
    expect(stage(result, "raised->posted")!.count).toBeGreaterThan(100);
  });

  test("merges in the descriptor where the device is quicker than its vCPU", async () => {
    const workload = { arrivals: "poisson", rate: "300k/s", per: "queue" };
    const result = await run({ path: "posted", workload, duration: "250ms" });
    expectSound(result);
    expect(result.ledger.totals["coalesced-pir"]).toBeGreaterThan(1000);
  });

  test("counts what a killed guest had in its descriptors", async () => {
    const workload = { arrivals: "poisson", rate: "300k/s", per: "queue" };
    const timeline = [
      { at: "0ms", do: "boot" },
      { at: "250ms", do: "kill" },
    ];
    const result = await run({ path: "posted", guests: 2, workload, timeline, duration: "260ms" });
    for (const { check, ok, detail } of result.checks) {
      if (check !== "isolation") expect(ok, `${check}: ${detail}`).toBe(true);
    }
    expect(result.ledger.totals["dropped-guest-dead"]).toBeGreaterThan(0);
    expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
  });

  test("survives vCPUs that go, whose interrupts move", async () => {
    const timeline = [
      { at: "0ms", do: "boot" },
      { at: "250ms", do: "cpu-offline", cpu: 1 },
      { at: "350ms", do: "cpu-online", cpu: 1 },
    ];
    const result = await run({ path: "posted", timeline, vcpus: 4 });
    expectSound(result);
    expect(result.ledger.totals.delivered).toBeGreaterThan(500);
  });
});
