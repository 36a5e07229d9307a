/** Random lives for many guests: what a seed gives is a scenario like one that a user writes. */
import { Prng } from "../base/prng.ts";

/** What may befall a guest beside what its own user does. */
export const CHAOS = ["storm", "stall", "corrupt", "kill"] as const;
export type Chaos = (typeof CHAOS)[number];

export interface StressOptions {
  readonly seed: number;
  readonly guests: number;
  /** Of the run, ns. */
  readonly duration: number;
  /** Interrupts a second of each guest outside storms. */
  readonly rate: number;
  readonly chaos: readonly Chaos[];
}

interface TimelineDocument {
  at: string;
  do: string;
  to?: string;
  cpu?: number;
  for?: string;
  slots?: number;
}

type Model = "nvme" | "nic" | "edu";

/** How much more often a guest has one device than another. */
const MODELS: readonly Model[] = ["nvme", "nvme", "nvme", "nic", "nic", "edu"];
const MODES: Readonly<Record<Model, readonly string[]>> = {
  nvme: ["msix", "intx"],
  nic: ["msix", "msi", "intx"],
  edu: ["msi", "intx"],
};
const PLATFORMS = ["x86-vtd", "x86-vtd", "x86-vtd", "x86-amd", "x86-flat"];
const RETENTIONS = [
  "cache",
  "free-on-teardown",
  "free-on-unset",
  "free-dynamic",
  { policy: "bounded", cap: 2, reclaim: true },
];
const QEMU_VERSIONS = ["7.2", "10.0", "11.1"];
const OTHER_VMMS = ["cloud-hypervisor", "crosvm", "minimal"];
/** Times are whole microseconds, which a scenario file keeps as they are. */
const TICK_NS = 1_000;
/** Guests are powered on within this share of the run. */
const BOOT_SHARE = 0.2;
const KILL_SHARE = 0.1;
/** Of a guest's actions. */
const TROUBLE_SHARE = 0.25;
const STORM_SHARE = 0.15;
const STORM_FACTOR = 50;

/** The scenario as data, for `scenarioFromData`. The same options give the same scenario. */
export function stressDocument(options: StressOptions): object {
  const host = hostOf(Prng.stream(options.seed, "stress:host"));
  const guests = Array.from({ length: options.guests }, (_, i) => {
    const random = Prng.stream(options.seed, `stress:guest:${i}`);
    return guestOf(random, i, host.platform, options);
  });
  return {
    name: `stress-${options.seed}`,
    seed: options.seed,
    host,
    devices: guests.map(({ device }) => device),
    guests: guests.map(({ guest }) => guest),
    duration: formatExactNs(options.duration),
    expect: ["violations == 0", "leaked == 0"],
  };
}

function hostOf(random: Prng) {
  const platform = pick(random, PLATFORMS);
  return {
    kernel: pick(random, ["linux-6.1", "linux-6.12", "linux-6.12"]),
    platform,
    cpus: 1 + random.nextBelow(8),
    ...(platform === "x86-vtd" &&
      random.nextBelow(3) === 0 && { irtes: 64 << random.nextBelow(4) }),
    retention: pick(random, RETENTIONS),
  };
}

function guestOf(random: Prng, index: number, platform: string, options: StressOptions) {
  const model = pick(random, MODELS);
  const vcpus = 1 + random.nextBelow(4);
  const device = {
    name: `${model}${index}`,
    model,
    ...(model === "nvme" && { msixVectors: 2 + random.nextBelow(8) }),
  };
  const others = random.nextBelow(4) === 0;
  const guest = {
    name: `g${index}`,
    ...(others
      ? { vmm: pick(random, OTHER_VMMS) }
      : { vmm: "qemu", vmmVersion: pick(random, QEMU_VERSIONS), path: pathOf(random, platform) }),
    vcpus,
    device: device.name,
    workload: workloadOf(random, options),
    timeline: timelineOf(random, model, vcpus, options),
  };
  return { device, guest };
}

function pathOf(random: Prng, platform: string): string {
  return pick(
    random,
    platform === "x86-vtd" ? ["irqfd", "posted", "userspace"] : ["irqfd", "userspace"],
  );
}

function workloadOf(random: Prng, { rate, chaos }: StressOptions): object {
  const load = {
    arrivals: pick(random, ["poisson", "poisson", "fixed"]),
    rate: `${rate}/s`,
    per: "device",
  };
  if (!chaos.includes("storm") || random.nextFloat() >= STORM_SHARE) return load;
  return { ...load, storm: { every: "50ms", for: "2ms", rate: `${rate * STORM_FACTOR}/s` } };
}

/** A boot, then what guests do, until the end or a kill. */
function timelineOf(
  random: Prng,
  model: Model,
  vcpus: number,
  { duration, chaos }: StressOptions,
): TimelineDocument[] {
  const boot = random.nextFloat() * BOOT_SHARE * duration;
  const killed = chaos.includes("kill") && random.nextFloat() < KILL_SHARE;
  const end = killed ? boot + random.nextFloat() * (duration - boot) : duration;
  const troubles = chaos.filter((kind) => kind === "stall" || kind === "corrupt");
  const times = Array.from({ length: random.nextBelow(8) }, () => {
    return boot + random.nextFloat() * (end - boot);
  }).sort((a, b) => a - b);
  const timeline: TimelineDocument[] = [{ at: time(boot), do: "boot" }];
  for (const at of times) {
    const trouble = random.nextFloat() < TROUBLE_SHARE && troubles.length > 0;
    const what = trouble ? troubleOf(random, troubles) : actionOf(random, model, vcpus);
    timeline.push({ at: time(at), ...what });
  }
  if (killed) timeline.push({ at: time(end), do: "kill" });
  return timeline;
}

function troubleOf(random: Prng, troubles: readonly Chaos[]): Omit<TimelineDocument, "at"> {
  const trouble = pick(random, troubles);
  if (trouble === "corrupt") return { do: trouble, slots: 1 + random.nextBelow(200) };
  return { do: trouble, for: `${1 + random.nextBelow(20)}ms` };
}

function actionOf(random: Prng, model: Model, vcpus: number): Omit<TimelineDocument, "at"> {
  const action = pick(random, [
    "reboot",
    "reset",
    "crash",
    "mode",
    "mode",
    "unbind",
    "bind",
    "io-stop",
    "io-start",
    "cpu-offline",
    "cpu-online",
  ]);
  if (action === "mode") return { do: action, to: pick(random, MODES[model]) };
  if (!action.startsWith("cpu-")) return { do: action };
  // The boot processor stays.
  return vcpus > 1 ? { do: action, cpu: 1 + random.nextBelow(vcpus - 1) } : { do: "reboot" };
}

function pick<T>(random: Prng, choices: readonly T[]): T {
  return choices[random.nextBelow(choices.length)]!;
}

function time(ns: number): string {
  return formatExactNs(Math.floor(ns / TICK_NS) * TICK_NS);
}

/** In microseconds: exact, unlike what people read. */
function formatExactNs(ns: number): string {
  return `${ns / TICK_NS}us`;
}
