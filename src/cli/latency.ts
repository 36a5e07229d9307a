/** `vfio-cosim latency`: a ready-made measurement, its scenario built from flags. */
import type { Command } from "commander";
import { scenarioFromData } from "../scenario/loader.ts";
import type { Override } from "../scenario/overrides.ts";
import type { Scenario } from "../scenario/types.ts";
import { execute } from "./execute.ts";
import { addCommonFlags, type CommonFlags } from "./options.ts";
import type { AddCommand } from "./program.ts";

interface LatencyFlags extends CommonFlags {
  readonly guests: string;
  readonly vectors: string;
  readonly rate: string;
  readonly wait: string;
  readonly duration: string;
  readonly path: string;
  readonly vcpus: string;
}

/** Where each flag's value goes, so that an error about it names the flag. */
const PLACES: Readonly<Record<string, Override["path"][]>> = {
  guests: [
    ["guests", 0, "count"],
    ["devices", 0, "count"],
  ],
  vectors: [["devices", 0, "msixVectors"]],
  rate: [["guests", 0, "workload", "rate"]],
  wait: [["run", "wait"]],
  duration: [["duration"]],
  path: [["guests", 0, "path"]],
  vcpus: [["guests", 0, "vcpus"]],
};

function addLatencyFlags(command: Command): Command {
  return command
    .option("--guests <n>", "guests, each with an NVMe of its own", "1")
    .option("--vectors <n>", "MSI-X vectors of each NVMe; one is its admin queue's", "2")
    .option("--rate <rate>", "interrupts of each guest's device, Poisson", "2k/s")
    .option("--wait <mode>", "how workers wait: spin, park or adaptive", "adaptive")
    .option("--duration <time>", "of the run, boot included", "3s")
    .option(
      "--path <path>",
      "irqfd (KVM injects), posted (the IOMMU does) or userspace (QEMU)",
      "irqfd",
    )
    .option("--vcpus <n>", "of each guest", "1");
}

/** The scenario that the flags describe; throws UsageError that names the flag. */
export function latencyScenario(flags: LatencyFlags): Scenario {
  const data = {
    name: "latency",
    seed: flags.seed ?? 1,
    devices: [
      {
        name: "nvme",
        count: number(flags.guests),
        model: "nvme",
        msixVectors: number(flags.vectors),
      },
    ],
    guests: [
      {
        name: "g",
        count: number(flags.guests),
        vcpus: number(flags.vcpus),
        device: "nvme",
        path: flags.path,
        workload: { arrivals: "poisson", rate: flags.rate, per: "device" },
      },
    ],
    duration: flags.duration,
    run: { wait: flags.wait },
    expect: ["lost == 0", "latency.count > 0"],
  };
  const overrides = Object.entries(PLACES).flatMap(([flag, paths]) =>
    paths.map((path) => ({ flag: `--${flag} ${flags[flag as keyof LatencyFlags]}`, path })),
  );
  return scenarioFromData(data, { engine: flags.engine }, overrides);
}

/** Left as text if it is none, for the schema to say so. */
function number(text: string): number | string {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

export const latencyCommand: AddCommand = (program, io, done) => {
  const command = program
    .command("latency")
    .description("measure the latency from device to ISR beside this machine's floor");
  addLatencyFlags(addCommonFlags(command)).action(async (flags: LatencyFlags) => {
    const { engine, output, out } = flags;
    done(await execute(latencyScenario(flags), { engine, output, dir: out }, io));
  });
};
