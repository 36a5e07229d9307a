/** The flags of `vfio-cosim latency`: what they say, checked, as settings and as a scenario. */
import type { Command } from "commander";
import { UsageError } from "../base/errors.ts";
import { formatNs, parseDurationNs } from "../base/units.ts";
import type { LatencySettings, Load } from "../latency/measurement.ts";
import { parseCpuList } from "../run/threads/pin.ts";
import { parseBreakOn } from "../scenario/break-on.ts";
import { scenarioFromData } from "../scenario/loader.ts";
import type { Override } from "../scenario/overrides.ts";
import type { Scenario } from "../scenario/types.ts";
import type { CommonFlags } from "./options.ts";

export interface LatencyFlags extends CommonFlags {
  readonly guests: string;
  readonly vectors: string;
  readonly vcpus?: string;
  readonly path: string;
  readonly wait: string;
  readonly rate?: string;
  readonly closedLoop?: boolean;
  readonly depth?: string;
  readonly duration: string;
  readonly warmup: string;
  readonly runs: string;
  readonly breakOn?: string;
  readonly cpus?: string;
}

const RATE_DEFAULT = "2k/s";
const RUNS_MAX = 1_000;
const VCPUS_MAX = 32;
const DEPTH_MAX = 1_024;
/** A run that takes longer than this and twice its duration hangs. */
const LIMIT_NS = 60e9;

export function addLatencyFlags(command: Command): Command {
  return command
    .option("--guests <n>", "guests, each with an NVMe of its own", "1")
    .option("--vectors <n>", "MSI-X vectors of each NVMe; one is its admin queue's", "2")
    .option("--vcpus <n>", "of each guest; default: one for each I/O vector, at most 32")
    .option(
      "--path <path>",
      "irqfd (KVM injects), posted (the IOMMU does) or userspace (QEMU)",
      "irqfd",
    )
    .option("--wait <mode>", "how workers wait: spin, park or adaptive", "adaptive")
    .option("--rate <rate>", "open loop: interrupts of each device, Poisson; default: 2k/s")
    .option("--closed-loop", "instead: each command is submitted when one before it is done")
    .option("--depth <n>", "of --closed-loop: commands under way on each queue; default: 1")
    .option("--duration <time>", "of each run, after its warm-up", "3s")
    .option("--warmup <time>", "at the beginning of each run, boot included: not measured", "300ms")
    .option("--runs <n>", "how often to measure, each time with the next seed", "1")
    .option(
      "--break-on <limit>",
      "stop at the first 'latency > 500us' and show the trace before it",
    )
    .option(
      "--cpus <list>",
      "pin threads (taskset): the host's to the first, guests to the others",
    );
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
  path: [["guests", 0, "path"]],
  vcpus: [["guests", 0, "vcpus"]],
};

/** What the flags ask for, and the scenario of the first run; throws UsageError that names one. */
export function latencySetUp(flags: LatencyFlags): {
  settings: LatencySettings;
  scenario: Scenario;
} {
  const closed = checkLoop(flags);
  const depth = whole("depth", flags.depth ?? "1", DEPTH_MAX);
  const durationNs = time("duration", flags.duration);
  const warmupNs = flags.warmup === "0" ? 0 : time("warmup", flags.warmup);
  const breakOnNs = flags.breakOn === undefined ? null : breakOn(flags.breakOn);
  const runs = whole("runs", flags.runs, RUNS_MAX);
  const cpus = cpusOf(flags);
  const scenario = scenarioOf(flags, {
    workload: closed
      ? { arrivals: "closed", depth }
      : { arrivals: "poisson", rate: flags.rate ?? RATE_DEFAULT, per: "device" },
    durationNs: durationNs + warmupNs,
    run: {
      wait: flags.wait,
      limit: `${2 * (durationNs + warmupNs) + LIMIT_NS}ns`,
      ...(warmupNs > 0 && { warmup: `${warmupNs}ns` }),
      ...(breakOnNs !== null && { breakOn: `latency > ${breakOnNs}ns` }),
    },
  });
  const [guest, device] = [scenario.guests[0]!, scenario.devices[0]!];
  const load: Load = closed
    ? { kind: "closed", depth }
    : { kind: "open", perSecond: guest.workload.rate };
  const settings: LatencySettings = {
    engine: flags.engine,
    guests: scenario.guests.length,
    vectors: device.msixVectors,
    vcpus: guest.vcpus,
    path: guest.path,
    wait: scenario.run.wait,
    load,
    durationNs,
    warmupNs,
    runs,
    seed: scenario.seed,
    kernel: scenario.host.kernel,
    cpus,
    breakOnNs,
  };
  return { settings, scenario };
}

interface Parts {
  readonly workload: object;
  readonly durationNs: number;
  readonly run: object;
}

function scenarioOf(flags: LatencyFlags, { workload, durationNs, run }: Parts): Scenario {
  const count = number(flags.guests);
  const vectors = number(flags.vectors);
  const vcpus = flags.vcpus === undefined ? vcpusFor(vectors) : number(flags.vcpus);
  const data = {
    name: "latency",
    seed: flags.seed ?? 1,
    devices: [{ name: "nvme", count, model: "nvme", msixVectors: vectors }],
    guests: [{ name: "g", count, vcpus, device: "nvme", path: flags.path, workload }],
    duration: `${durationNs}ns`,
    run,
    expect: ["lost == 0", "latency.count > 0"],
  };
  const overrides = Object.entries(PLACES).flatMap(([flag, paths]) => {
    const value = flags[flag as keyof LatencyFlags];
    if (value === undefined) return [];
    return paths.map((path) => ({ flag: `--${flag} ${value}`, path }));
  });
  return scenarioFromData(data, { engine: flags.engine }, overrides);
}

/** An I/O queue has a vCPU of its own. */
function vcpusFor(vectors: number | string): number {
  return typeof vectors === "number" ? Math.max(1, Math.min(VCPUS_MAX, vectors - 1)) : 1;
}

/** True for a closed loop; throws for flags of the other kind. */
function checkLoop({ closedLoop = false, rate, depth }: LatencyFlags): boolean {
  if (closedLoop && rate !== undefined) {
    throw new UsageError(`--rate ${rate}: in a closed loop the guest sets the pace`, {
      hint: "leave out --rate or --closed-loop",
    });
  }
  if (!closedLoop && depth !== undefined) {
    throw new UsageError(`--depth ${depth}: is for --closed-loop`, {
      hint: "an open loop has --rate",
    });
  }
  return closedLoop;
}

function cpusOf({ cpus: text, engine }: LatencyFlags): readonly number[] | null {
  if (text === undefined) return null;
  if (engine === "virtual") {
    throw new UsageError(`--cpus ${text}: the virtual engine has no threads to pin`, {
      hint: "leave it out, or use --engine threads",
    });
  }
  const cpus = parseCpuList(text);
  if (cpus === null || cpus.length === 0) {
    throw new UsageError(`--cpus ${text}: not a list of CPUs`, {
      hint: "--cpus 0,1 or --cpus 2-5",
    });
  }
  return cpus;
}

/** Throws for CPUs that this process may not use; null: nobody knows which those are. */
export function checkCpus(cpus: readonly number[], allowed: readonly number[] | null): void {
  const wrong = cpus.filter((cpu) => allowed?.includes(cpu) === false);
  if (wrong.length === 0) return;
  throw new UsageError(`--cpus ${cpus.join(",")}: this process may not use CPU ${wrong[0]}`, {
    hint: `it may use ${allowed!.join(",")}`,
  });
}

/** Left as text if it is none, for the schema to say so. */
function number(text: string): number | string {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

function whole(flag: string, text: string, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
  throw new UsageError(`--${flag} ${text}: not a number from 1 to ${most}`);
}

function time(flag: string, text: string): number {
  return named(`--${flag} ${text}`, () => {
    const ns = parseDurationNs(text);
    if (ns > 0) return ns;
    throw new UsageError(`${formatNs(ns)} is no time to measure for`);
  });
}

function breakOn(text: string): number {
  return named(`--break-on '${text}'`, () => parseBreakOn(text));
}

function named<T>(flag: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const { hint } = error;
    throw new UsageError(`${flag}: ${error.message}`, hint === undefined ? {} : { hint });
  }
}
