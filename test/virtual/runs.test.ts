/** Whole runs of the virtual engine: determinism, conservation, every path and kernel. */
import { describe, expect, test } from "vitest";
import { canonicalJson } from "../../src/report/json.ts";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import type { Scenario } from "../../src/scenario/types.ts";
import { nvmeScenario } from "../support/scenarios.ts";

const run = (scenario: Scenario): Promise<RunResult> =>
  runScenario(scenario, { engine: "virtual" });

const LIFE = [
  { at: "0ms", do: "boot" },
  { at: "400ms", do: "mode", to: "intx" },
  { at: "600ms", do: "mode", to: "msix" },
  { at: "800ms", do: "reboot" },
  { at: "1300ms", do: "crash" },
];

function expectSound(result: RunResult): void {
  for (const { check, ok, detail } of result.checks) expect(ok, `${check}: ${detail}`).toBe(true);
  expect(result.ledger.violations).toEqual([]);
  expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
}

describe("the same seed", () => {
  test("gives the same bytes twice", async () => {
    const scenario = nvmeScenario({ timeline: LIFE, duration: "2s" });
    const [first, second] = [await run(scenario), await run(scenario)];
    expect(canonicalJson(first)).toBe(canonicalJson(second));
    expect(first.ledger.raised).toBeGreaterThan(1000);
  });

  test("and another one gives other bytes", async () => {
    const first = await run(nvmeScenario({ seed: 1 }));
    const second = await run(nvmeScenario({ seed: 2 }));
    expect(first.ledger.raised).not.toBe(second.ledger.raised);
  });
});

describe("a whole life (boot, INTx, MSI-X, reboot, crash) adds up", () => {
  for (const kernel of ["linux-6.1", "linux-6.12"] as const) {
    for (const path of ["irqfd", "posted", "userspace"] as const) {
      for (const vmmVersion of ["7.2", "10.0", "11.1"]) {
        test(`on ${kernel} through ${path} under QEMU ${vmmVersion}`, async () => {
          const small = { kernel, path, vmmVersion, timeline: LIFE, duration: "2s" };
          const result = await run(nvmeScenario(small));
          expectSound(result);
          expect(result.ledger.totals.delivered).toBeGreaterThan(1000);
        });
      }
    }
  }
});

test("static growth allocates more often than dynamic growth", async () => {
  const calls = async (kernel: "linux-6.1" | "linux-6.12"): Promise<number> => {
    const result = await run(nvmeScenario({ kernel, guests: 1, vcpus: 8, vectors: 17 }));
    return result.ioctls.VFIO_DEVICE_SET_IRQS ?? 0;
  };
  // Each grown vector costs a disable and an enable of all, instead of one call.
  expect(await calls("linux-6.1")).toBeGreaterThan(await calls("linux-6.12"));
});

test("a guest that is killed gives everything back and the other goes on", async () => {
  const alone = nvmeScenario({ duration: "1500ms" });
  const [g0, g1] = alone.guests;
  const doomed = { ...g1!, timeline: [...g1!.timeline, { at: 700e6, do: "kill" as const }] };
  const result = await run({ ...alone, guests: [g0!, doomed] });
  expectSound(result);
  expect(result.guests[1]!.state).toMatch(/^dead/);
  expect(result.guests[0]!.interrupts).toBeGreaterThan(result.guests[1]!.interrupts);
});

test("an abort ends a run with a partial result that still adds up", async () => {
  const abort = new AbortController();
  const scenario = nvmeScenario({
    duration: "60s",
    workload: { arrivals: "fixed", rate: "50k/s", per: "device" },
  });
  const result = await runScenario(scenario, {
    engine: "virtual",
    signal: abort.signal,
    onProgress: () => abort.abort(),
  });
  expect(result.partial).toBe("interrupted");
  expect(result.durationNs).toBeLessThan(60e9);
  expectSound(result);
});
