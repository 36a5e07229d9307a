/** Whole runs with each VMM client: what is raised is accounted for, and nothing stays taken. */
import { describe, expect, test } from "vitest";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";

const VMMS = ["qemu", "cloud-hypervisor", "crosvm", "dpdk", "minimal"] as const;
type Vmm = (typeof VMMS)[number];

interface Small {
  readonly kernel?: string;
  readonly timeline?: readonly object[];
  readonly duration?: string;
  readonly workload?: object;
  readonly host?: object;
}

const LIFE = [
  { at: "0ms", do: "boot" },
  { at: "400ms", do: "mode", to: "intx" },
  { at: "600ms", do: "mode", to: "msix" },
  { at: "800ms", do: "reboot" },
  { at: "1300ms", do: "crash" },
  { at: "1700ms", do: "reset" },
];

function run(vmm: Vmm, small: Small = {}): Promise<RunResult> {
  const scenario = scenarioFromData(
    {
      name: "test",
      seed: 7,
      host: { kernel: small.kernel ?? "linux-6.12", ...small.host },
      devices: [{ name: "nvme", count: 2, model: "nvme", msixVectors: 9 }],
      guests: [
        {
          name: "g",
          count: 2,
          vmm,
          vcpus: 2,
          device: "nvme",
          workload: small.workload ?? { arrivals: "poisson", rate: "5k/s", per: "device" },
          timeline: small.timeline ?? [{ at: "0ms", do: "boot" }],
        },
      ],
      duration: small.duration ?? "600ms",
    },
    { engine: "virtual" },
  );
  return runScenario(scenario, { engine: "virtual" });
}

function expectSound(result: RunResult): void {
  for (const { check, ok, detail } of result.checks) expect(ok, `${check}: ${detail}`).toBe(true);
  expect(result.ledger.violations).toEqual([]);
  expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
}

describe.each(VMMS)("a whole life under %s adds up", (vmm) => {
  for (const kernel of ["linux-6.1", "linux-6.12"]) {
    test(`on ${kernel}`, async () => {
      const result = await run(vmm, { kernel, timeline: LIFE, duration: "2200ms" });
      expectSound(result);
      expect(result.ledger.totals.delivered).toBeGreaterThan(1000);
      expect(result.guests.map(({ state }) => state)).toEqual(["running", "running"]);
    });
  }
});
