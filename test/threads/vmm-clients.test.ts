/** A run on real worker threads in which every VMM client has a guest. Invariants, never times. */
import { expect, test } from "vitest";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";

const VMMS = ["qemu", "cloud-hypervisor", "crosvm", "dpdk", "minimal"];
const DURATION_MS_MAX = 16_000;

function run(durationMs: number): Promise<RunResult> {
  const scenario = scenarioFromData(
    {
      name: "clients",
      seed: 7,
      devices: [{ name: "nvme", count: VMMS.length, model: "nvme", msixVectors: 9 }],
      guests: VMMS.map((vmm, i) => ({
        name: vmm,
        vmm,
        vcpus: 2,
        device: `nvme${i}`,
        workload: { arrivals: "poisson", rate: "2k/s", per: "device" },
        timeline: [
          { at: "0ms", do: "boot" },
          { at: "400ms", do: "reboot" },
          { at: "800ms", do: "crash" },
        ],
      })),
      duration: `${durationMs}ms`,
      run: { wait: "park" },
    },
    { engine: "threads" },
  );
  return runScenario(scenario, { engine: "threads" });
}

const deliveredTo = (result: RunResult): number[] =>
  VMMS.map((vmm) =>
    result.ledger.rows
      .filter(({ guest }) => guest === vmm)
      .reduce((sum, { fates }) => sum + (fates.delivered ?? 0), 0),
  );

/** Runs as short as this machine, busy as it may be, lets it be; every run has to be sound. */
async function runLongEnough(durationMs: number): Promise<RunResult> {
  const result = await run(durationMs);
  for (const { check, ok, detail } of result.checks) expect(ok, `${check}: ${detail}`).toBe(true);
  expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
  const enough = deliveredTo(result).every((n) => n > 100);
  if (enough || 2 * durationMs > DURATION_MS_MAX) return result;
  return await runLongEnough(2 * durationMs);
}

test("guests of five VMMs boot, reboot and crash side by side, and all adds up", async () => {
  const result = await runLongEnough(1_500);
  for (const n of deliveredTo(result)) expect(n).toBeGreaterThan(0);
}, 120_000);
