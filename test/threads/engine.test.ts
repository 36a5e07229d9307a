/** Whole runs on real worker threads that end as planned. Invariants, never times. */
import { expect, test } from "vitest";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { nvmeScenario, type SmallRun } from "../support/scenarios.ts";

const threads = (small: SmallRun) => nvmeScenario({ ...small, engine: "threads" });

function expectSound(result: RunResult): void {
  for (const { check, ok, detail } of result.checks) expect(ok, `${check}: ${detail}`).toBe(true);
  expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
}

test("two guests boot, change mode and reboot, and every interrupt is accounted for", async () => {
  const scenario = threads({
    duration: "1500ms",
    timeline: [
      { at: "0ms", do: "boot" },
      { at: "500ms", do: "mode", to: "intx" },
      { at: "800ms", do: "mode", to: "msix" },
      { at: "1000ms", do: "reboot" },
    ],
  });
  const result = await runScenario(scenario, { engine: "threads" });
  expectSound(result);
  expect(result.partial).toBeNull();
  expect(result.ledger.totals.delivered).toBeGreaterThan(100);
  expect(result.latency.floor?.spinOneWayNs).toBeGreaterThan(0);
});

test("the userspace path and spinning workers deliver as well", async () => {
  const scenario = threads({ guests: 1, path: "userspace", run: { wait: "spin" } });
  const result = await runScenario(scenario, { engine: "threads" });
  expectSound(result);
  expect(result.ledger.totals.delivered).toBeGreaterThan(100);
});

test("a guest that kills itself is told to the host, the other goes on", async () => {
  const both = threads({ guests: 2, duration: "1200ms" });
  const [g0, g1] = both.guests;
  const doomed = { ...g1!, timeline: [...g1!.timeline, { at: 500e6, do: "kill" as const }] };
  const result = await runScenario({ ...both, guests: [g0!, doomed] }, { engine: "threads" });
  expectSound(result);
  expect(result.guests[1]!.state).toMatch(/^dead/);
  expect(result.guests[0]!.interrupts).toBeGreaterThan(100);
});

test("a wall-clock limit below the duration ends the run there and says so", async () => {
  const scenario = threads({ guests: 1, duration: "60s", run: { limit: "700ms" } });
  const result = await runScenario(scenario, { engine: "threads" });
  expect(result.partial).toMatch(/limit/);
  expectSound(result);
});

test("sixteen guests share nothing and two cores", async () => {
  const result = await runScenario(threads({ guests: 16, duration: "1500ms" }), {
    engine: "threads",
  });
  expectSound(result);
  for (const guest of result.guests) expect(guest.interrupts).toBeGreaterThan(10);
});
