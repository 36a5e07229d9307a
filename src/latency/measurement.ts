/** What a latency measurement is: its settings, its runs, and what they come to together. */
import type { HistogramJson } from "../measure/histogram.ts";
import type { Wake } from "../measure/stages.ts";
import type {
  BreakResult,
  Engine,
  FloorResult,
  LatencyRow,
  MachineInfo,
  Utilisation,
  Warning,
} from "../run/result.ts";

export const LATENCY_SCHEMA = "vfio-cosim/latency/1";

/** Open loop: the device interrupts at its own times; closed: when a command is done. */
export type Load =
  | { readonly kind: "open"; readonly perSecond: number }
  | { readonly kind: "closed"; readonly depth: number };

export interface LatencySettings {
  readonly engine: Engine;
  readonly guests: number;
  readonly vectors: number;
  readonly vcpus: number;
  readonly path: string;
  readonly wait: string;
  readonly load: Load;
  /** Of each run, after the warm-up. */
  readonly durationNs: number;
  readonly warmupNs: number;
  readonly runs: number;
  /** Of the first run; each further one has the next. */
  readonly seed: number;
  readonly kernel: string;
  /** The first is the host's; null: not pinned. */
  readonly cpus: readonly number[] | null;
  readonly breakOnNs: number | null;
}

/** I/O queues of the guest's driver, each with a vector: one a vCPU, beside the admin queue's. */
export function vectorsUsed(vectors: number, vcpus: number): number {
  return Math.max(1, Math.min(vcpus, vectors - 1));
}

export const LATENCY_FIGURES = ["min", "p50", "p90", "p99", "p999", "p9999", "max"] as const;
export type LatencyFigure = (typeof LATENCY_FIGURES)[number];

/** Percentiles of one stage, ns. */
export interface FineRow extends LatencyRow {
  readonly p9999: number;
}

/**
 * How the guest's thread was waiting; spinning and parked figures are never mixed. `modelled`: the
 * virtual engine has no threads.
 */
export type WakeKind = Wake | "modelled";

/** Interrupts of a run or of all. */
export interface InterruptCounts {
  readonly raised: number;
  readonly delivered: number;
  readonly coalesced: number;
  readonly pending: number;
  readonly dropped: number;
  readonly lost: number;
}

export interface LatencyRun extends InterruptCounts {
  readonly seed: number;
  readonly partial: string | null;
  /** Warm-up included, ns. */
  readonly durationNs: number;
  /** Raised a second, all devices together, while they were in use; null: they never were. */
  readonly perSecond: number | null;
  /** Of stage `total`, by how the guest was waiting; those without samples are left out. */
  readonly totals: Readonly<Partial<Record<WakeKind, FineRow>>>;
  readonly floor: FloorResult | null;
  readonly utilisation: Utilisation | null;
  /** Of the thread that waited longest for a core: share of the run. Null: not known. */
  readonly coreWait: number | null;
  /** Checks that failed and sources whose fates do not add up, in words. */
  readonly violations: readonly string[];
}

/** Mean over the runs with its 95 % interval, ns; of a single run there is no interval. */
export interface RunsInterval {
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly runs: number;
}

/** All samples that found the guest waiting in one way, of all runs. */
export interface WakeSummary {
  readonly wake: WakeKind;
  readonly stages: readonly FineRow[];
  readonly histograms: Readonly<Record<string, HistogramJson>>;
  /**
   * `total` together with the interrupts that merged with an older one, each from its own intended
   * time to the handler that served it. Null if none merged.
   */
  readonly everyArrival: FineRow | null;
  /** A bare hand-over that ends the same way, mean of the runs; null: not measured. */
  readonly floorNs: number | null;
  /** `total` divided by it. */
  readonly ratio: { readonly p50: number; readonly p99: number } | null;
  /** Of `total`, over the runs that have such samples. */
  readonly intervals: Readonly<Record<LatencyFigure, RunsInterval>>;
}

export interface LatencyMeasurement {
  readonly schema: typeof LATENCY_SCHEMA;
  readonly version: string;
  readonly settings: LatencySettings;
  readonly machine: MachineInfo | null;
  /** Null for a whole measurement, else why it ended early. */
  readonly partial: string | null;
  readonly interrupts: InterruptCounts;
  readonly wakes: readonly WakeSummary[];
  readonly runs: readonly LatencyRun[];
  readonly broke: BreakResult | null;
  readonly warnings: readonly Warning[];
}
