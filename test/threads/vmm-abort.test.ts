/** QEMU's abort on real worker threads: that guest is gone, by name, and nobody else notices. */
import { expect, test } from "vitest";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";

const DURATION_MS_MAX = 16_000;

async function run(durationMs: number): Promise<RunResult> {
  const workload = { arrivals: "fixed", rate: "1k/s", per: "device" };
  const timeline = [
    { at: "0ms", do: "boot" },
    { at: `${durationMs / 2}ms`, do: "msi-over-msix" },
  ];
  const scenario = scenarioFromData({
    name: "abort",
    devices: [{ name: "d", count: 2, model: "nic" }],
    guests: [
      { name: "bad", device: "d0", workload, timeline },
      { name: "good", device: "d1", workload },
    ],
    duration: `${durationMs}ms`,
    run: { wait: "park" },
  });
  const result = await runScenario(scenario, { engine: "threads" });
  const [bad, good] = result.guests;
  const slow = !bad!.state.includes("Assertion") || good!.interrupts === 0;
  return slow && 2 * durationMs <= DURATION_MS_MAX ? await run(2 * durationMs) : result;
}

test("MSI over MSI-X ends that guest by the assertion's name, and no other", async () => {
  const result = await run(1_000);
  const [bad, good] = result.guests;
  expect(bad!.state).toContain("msix_unset_vector_notifiers: Assertion");
  expect(good!.state).toBe("running");
  expect(good!.interrupts).toBeGreaterThan(0);
  expect(result.ledger.violations).toEqual([]);
  expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
});
