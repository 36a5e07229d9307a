/** Replays an ioctl log on the kernel model: what it answers beside what was recorded. */
import { errnoName } from "../../base/errno.ts";
import { UsageError } from "../../base/errors.ts";
import type { CreateHost } from "../../run/contract.ts";
import type { HostSpec, Platform } from "../../scenario/types.ts";
import type { PoolUse } from "../vmm/calls.ts";
import { devicesOf, isStatic, type ReplayedDevice } from "./devices.ts";
import type { DescribedDevice, IoctlLog, LogEntry, RecordedRet } from "./log.ts";
import { LogPlayer, type Played } from "./player.ts";

/** Sizes that a log need not tell: those of scenarios. */
const CPUS = 4;
const IRTES = 65_536;
const AMD_IRTES = 512;
const AMD_IRTES_MAX = 2048;
const VECTORS_PER_CPU = 201;

export interface ReplayOptions {
  readonly createHost: CreateHost;
  /** In place of what the header says, or of what follows from the log. */
  readonly kernel?: HostSpec["kernel"];
  readonly platform?: Platform;
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
  /** What nobody said of the host, and how to say it. */
  readonly assumed: readonly string[];
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
  const assumed: string[] = [];
  const host = hostOf(log, options, assumed);
  const devices = devicesOf(log, options.devices ?? []);
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
    assumed,
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

/** The host of a log; what nobody said of it is added to `assumed`. */
export function hostOf(
  log: IoctlLog,
  options: Pick<ReplayOptions, "kernel" | "platform">,
  assumed: string[],
): HostSpec {
  const { header } = log;
  const kernel = options.kernel ?? header.kernel ?? kernelOf(log, assumed);
  const named = options.platform ?? header.platform;
  const platform = named ?? "x86-vtd";
  if (named === null) assumed.push(`${platform} (--platform)`);
  if (header.cpus === null) assumed.push(`${CPUS} CPUs (cpus in a header)`);
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

/** MSI-X that cannot grow is that of Linux before 6.5; the other is most like today's. */
function kernelOf(log: IoctlLog, assumed: string[]): HostSpec["kernel"] {
  const kernel = isStatic(log) === true ? "linux-6.1" : "linux-6.12";
  const why = isStatic(log) === true ? ", since MSI-X has NORESIZE" : "";
  assumed.push(`${kernel}${why} (--kernel)`);
  return kernel;
}
