/** Small scenarios for tests, made the way users make them. */
import { scenarioFromData } from "../../src/scenario/loader.ts";
import type { Scenario } from "../../src/scenario/types.ts";

export interface SmallRun {
  readonly seed?: number;
  readonly kernel?: "linux-6.1" | "linux-6.12";
  readonly path?: "irqfd" | "posted" | "userspace";
  readonly guests?: number;
  readonly vectors?: number;
  readonly vcpus?: number;
  readonly duration?: string;
  readonly workload?: object;
  readonly timeline?: readonly object[];
  readonly run?: object;
  readonly vmmVersion?: string;
  readonly engine?: "threads" | "virtual";
}

/** `guests` VMs with an nvme each, at a modest load. */
export function nvmeScenario(small: SmallRun = {}): Scenario {
  const { guests = 2, vectors = 9, engine = "virtual" } = small;
  return scenarioFromData(
    {
      name: "test",
      seed: small.seed ?? 7,
      host: { kernel: small.kernel ?? "linux-6.12" },
      devices: [{ name: "nvme", count: guests, model: "nvme", msixVectors: vectors }],
      guests: [
        {
          name: "g",
          count: guests,
          vmm: "qemu",
          vmmVersion: small.vmmVersion ?? "10.0",
          vcpus: small.vcpus ?? 2,
          device: "nvme",
          path: small.path ?? "irqfd",
          workload: small.workload ?? { arrivals: "poisson", rate: "5k/s", per: "device" },
          timeline: small.timeline ?? [{ at: "0ms", do: "boot" }],
        },
      ],
      duration: small.duration ?? "600ms",
      run: small.run ?? {},
    },
    { engine },
  );
}
