/** Replays an ioctl log on the kernel model: what it answers beside what was recorded. */
import { errnoName } from "../../base/errno.ts";
import { UsageError } from "../../base/errors.ts";
import type { CreateHost } from "../../run/contract.ts";
import { didYouMean } from "../../scenario/suggest.ts";
import type { HostSpec, Platform } from "../../scenario/types.ts";
import type { PoolUse } from "../vmm/calls.ts";
import { devicesOf, isStatic, type ReplayedDevice } from "./devices.ts";
import type { DescribedDevice, IoctlLog, LogEntry, RecordedRet } from "./log.ts";
import { LogPlayer, type Played } from "./player.ts";

export const KERNELS = ["linux-6.1", "linux-6.12", "linux-7.2"] as const;
export const PLATFORMS = ["x86-vtd", "x86-amd", "x86-flat", "arm64-its", "arm64-v2m"] as const;

/** Sizes that a log need not tell: those of scenarios. */
const CPUS = 4;
const IRTES = 65_536;
const AMD_IRTES = 512;
const AMD_IRTES_MAX = 2048;
const VECTORS_PER_CPU = 201;

export interface ReplayOptions {
  readonly createHost: CreateHost;
  /** In place of what the header says, or of what follows from the log. */
  readonly kernel?: string;
  readonly platform?: string;
  readonly devices?: readonly DescribedDevice[];
}

export interface ReplayDivergence {
  readonly line: number;
  /** The entry as text. */
  readonly call: string;
  readonly field: string;
  readonly expected: unknown;
  readonly got: unknown;
}

export interface ReplayStep {
  readonly entry: LogEntry;
  readonly played: Played;
  readonly divergences: readonly ReplayDivergence[];
}

export interface Replay {
  readonly file: string;
  readonly host: HostSpec;
  readonly devices: readonly ReplayedDevice[];
  /** What was taken for granted, and how to say it. */
  readonly notes: readonly string[];
  /** What the platform's shared entries are called. */
  readonly entryName: string;
  /** What the pool lent before the first call, after the last, and when the process had ended. */
  readonly pool: { readonly first: PoolUse; readonly last: PoolUse; readonly exit: PoolUse };
  readonly steps: readonly ReplayStep[];
  /** Calls whose answers were compared. */
  readonly calls: number;
  readonly divergences: readonly ReplayDivergence[];
}

/** Plays the whole log. `textOf` says an entry in words. Throws UsageError for bad devices. */
export function replayLog(
  log: IoctlLog,
  options: ReplayOptions,
  textOf: (entry: LogEntry) => string,
): Replay {
  const notes: string[] = [];
  const host = hostOf(log, options, notes);
  const devices = devicesOf(log, options.devices ?? []);
  for (const { name, about, isDeduced } of devices) {
    if (!isDeduced) continue;
    notes.push(`${name} is the smallest device that fits the log: ${about}; --device describes it`);
  }
  const player = new LogPlayer(options.createHost, host, devices, log);
  const first = player.pool();
  const steps = log.entries.map((entry) => {
    const played = player.play(entry);
    return { entry, played, divergences: divergencesOf(entry, played, textOf) };
  });
  const last = player.pool();
  return {
    file: log.file,
    host,
    devices,
    notes,
    entryName: player.entryName,
    pool: { first, last, exit: player.exit() },
    steps,
    calls: steps.filter(({ entry }) => recordedRet(entry) !== null).length,
    divergences: steps.flatMap((step) => step.divergences),
  };
}

/** What a recorded call returned; null for entries that are none, or of which nobody knows it. */
export function recordedRet(entry: LogEntry): RecordedRet {
  return "ret" in entry ? entry.ret : null;
}

/** A result as text: 0, 5 or -EINVAL. */
export function retText(ret: RecordedRet): string {
  if (ret === null) return "";
  return ret < 0 ? `-${errnoName(ret)}` : String(ret);
}

function divergencesOf(
  entry: LogEntry,
  played: Played,
  textOf: (entry: LogEntry) => string,
): ReplayDivergence[] {
  const found: ReplayDivergence[] = [];
  const check = (field: string, expected: unknown, got: unknown): void => {
    if (JSON.stringify(expected) === JSON.stringify(got)) return;
    found.push({ line: entry.line, call: textOf(entry), field, expected, got });
  };
  const recorded = recordedRet(entry);
  // An open returns a descriptor, which is any number.
  const expected = entry.op === "open" && recorded !== null ? Math.min(0, recorded) : recorded;
  if (expected !== null) check("ret", retText(expected), retText(played.ret));
  if (entry.op === "set_irqs" && entry.msiIrqs !== null) {
    check("msi_irqs", entry.msiIrqs, played.msiIrqs);
  }
  if (entry.op === "get_irq_info" && played.info !== null && (expected ?? 0) >= 0) {
    const [count, iflags] = played.info;
    if (entry.count !== null) check("count", entry.count, count);
    if (entry.iflags !== null) check("iflags", entry.iflags, iflags);
  }
  return found;
}

/** The host of a log; what nobody said is added to `notes`. */
export function hostOf(
  log: IoctlLog,
  options: Pick<ReplayOptions, "kernel" | "platform">,
  notes: string[],
): HostSpec {
  const { header } = log;
  const kernel = kernelOf(log, options.kernel ?? header.kernel, notes);
  const named = options.platform ?? header.platform;
  const platform = known("platform", named ?? "x86-vtd", PLATFORMS, log.file) as Platform;
  if (named === null) notes.push("platform x86-vtd; --platform says another");
  const isAmd = platform === "x86-amd";
  const irtes = header.irtes ?? (isAmd ? AMD_IRTES : IRTES);
  if (isAmd && (irtes > AMD_IRTES_MAX || (irtes & (irtes - 1)) !== 0)) {
    throw new UsageError(`AMD-Vi has no table of ${irtes} entries`, {
      place: { file: log.file, line: 1 },
      hint: "irtes is 512, or a power of two up to 2048",
    });
  }
  return {
    kernel,
    platform,
    cpus: header.cpus ?? CPUS,
    irtes,
    vectorsPerCpu: VECTORS_PER_CPU,
    retention: "cache",
    nointxmask: false,
  };
}

function kernelOf(log: IoctlLog, name: string | null, notes: string[]): HostSpec["kernel"] {
  if (name !== null) return known("kernel", name, KERNELS, log.file);
  const isOld = isStatic(log);
  if (isOld === null) notes.push("kernel linux-6.12; --kernel says another");
  else if (isOld) notes.push("kernel linux-6.1, since MSI-X has NORESIZE; --kernel says another");
  else notes.push("kernel linux-6.12, since MSI-X has no NORESIZE; --kernel says another");
  return isOld === true ? "linux-6.1" : "linux-6.12";
}

function known<T extends string>(what: string, name: string, all: readonly T[], file: string): T {
  const found = all.find((one) => one === name);
  if (found !== undefined) return found;
  const hint = didYouMean(name, all);
  throw new UsageError(`there is no ${what} ${name}`, {
    place: { file },
    ...(hint === undefined ? {} : { hint }),
  });
}
