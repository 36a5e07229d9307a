/**
 * What a run returns: plain JSON with a version, the same from both engines.
 *
 * Times are nanoseconds since the start of the run, rates are per second. The virtual engine fills
 * in nothing that differs between machines, so that equal seeds give equal bytes.
 */
import type { Fate } from "../measure/fates.ts";
import type { HistogramJson } from "../measure/histogram.ts";
import type { IdleRelease } from "../measure/idle-spans.ts";
import type { Wake } from "../measure/stages.ts";
import type { AllocationFailure, FailureCounts, PoolReport } from "./contract.ts";

export const RUN_SCHEMA = "vfio-cosim/run/1";

export type Engine = "threads" | "virtual";

/** Told now and then while a run goes on. */
export interface Progress {
  readonly elapsedNs: number;
  readonly durationNs: number;
  /** Interrupts that reached an ISR so far, all guests. */
  readonly interrupts: number;
  readonly guests: readonly { readonly name: string; readonly state: string }[];
}

/** The machine that measured; says nothing of whose it is. */
export interface MachineInfo {
  readonly node: string;
  readonly arch: string;
  readonly os: string;
  readonly cpuModel: string;
  readonly cpus: number;
}

export interface Provenance {
  /** Version of this package. */
  readonly version: string;
  readonly scenario: string;
  /** `scenarioHash` of src/scenario/hash.ts: equal hashes, equal scenarios. */
  readonly scenarioHash: string;
  readonly engine: Engine;
  readonly seed: number;
  /** The kernel whose answers the host gives: `linux-6.12`. */
  readonly kernel: string;
  /** What else shaped the run: retention, wait, stages, ... */
  readonly options: Readonly<Record<string, string | number | boolean>>;
  /** Null for the virtual engine. */
  readonly machine: MachineInfo | null;
}

/** One thing that happened to a guest: a trace point's name or a timeline action. */
export interface TimelineItem {
  readonly at: number;
  readonly event: string;
  /** Arguments for people, "" if there are none. */
  readonly detail: string;
}

export interface GuestResult {
  readonly name: string;
  /** Names of its devices. Left out by results of older versions. */
  readonly devices?: readonly string[];
  /** What it is at the end, and why: `running`, `off`, `crashed`, `dead: ...`. */
  readonly state: string;
  readonly timeline: readonly TimelineItem[];
  readonly counters: Readonly<Record<string, number>>;
  /** Interrupts its ISRs took. */
  readonly interrupts: number;
}

/** Counts by fate; fates that are zero are left out. */
export type FateTotals = Readonly<Partial<Record<Fate, number>>>;

/** One interrupt source that raised anything. */
export interface LedgerRow {
  readonly guest: string;
  /** `nvme0 msix[3]` (src/measure/rows.ts rowName). */
  readonly source: string;
  readonly raised: number;
  readonly fates: FateTotals;
}

export interface LedgerResult {
  readonly rows: readonly LedgerRow[];
  readonly raised: number;
  readonly totals: FateTotals;
  /** Rows whose fates do not add up to what was raised, in words. Empty if all is well. */
  readonly violations: readonly string[];
}

/** Percentiles of one stage, ns. */
export interface LatencyRow {
  readonly stage: string;
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** What this machine needs for a bare hand-over between two threads, measured beside the run. */
export interface FloorFigures {
  /** One way, median: the receiver spins. Null: could not be measured. */
  readonly spinOneWayNs: number | null;
  /** One way, median: the receiver is parked in Atomics.wait. Null: could not be measured. */
  readonly parkOneWayNs: number | null;
  /** One reading of the clock. */
  readonly clockNs: number;
}

/** The floor a run is compared with: the mean of what was measured just before and just after. */
export interface FloorResult extends FloorFigures {
  /** Which of the two the run's latencies are compared with. */
  readonly reference: "spin" | "park";
  /** How the workers came out of their waits in this run: `spin`, `park`: counts. */
  readonly wakeModes: Readonly<Record<string, number>>;
  /** The two measurements; left out if there was none after the run. */
  readonly before?: FloorFigures;
  readonly after?: FloorFigures;
  /** How far the reference moved during the run, as a share of `before`: 0.1 is 10 % slower. */
  readonly drift?: number | null;
}

export interface LatencyResult {
  /** Over all guests; the last row, `total`, is raised to ISR. */
  readonly stages: readonly LatencyRow[];
  readonly guests: readonly { readonly name: string; readonly stages: readonly LatencyRow[] }[];
  /** What the rows of `stages` sum up, by stage. Left out by results of older versions. */
  readonly histograms?: Readonly<Record<string, HistogramJson>>;
  /**
   * Of interrupts that merged with an older one in the guest: from their own raise to the handler
   * that served both. Null: none did. Left out by results of older versions.
   */
  readonly coalesced?: HistogramJson | null;
  /** Threads only; left out by results of older versions. */
  readonly byWake?: Readonly<Record<Wake, WakeLatency>>;
  /** Null for the virtual engine, whose costs are a model. */
  readonly floor: FloorResult | null;
  /** `total` divided by the floor's reference; null without a floor or samples. */
  readonly ratio: { readonly p50: number; readonly p99: number } | null;
}

/** Samples of one way in which a guest's thread waited; the two are never mixed. */
export interface WakeLatency {
  readonly stages: readonly LatencyRow[];
  readonly histograms: Readonly<Record<string, HistogramJson>>;
  /** As that of LatencyResult. */
  readonly coalesced: HistogramJson | null;
}

/** One trace event of host or guest. */
export interface TraceLine {
  /** Since the start of the run, ns. */
  readonly at: number;
  readonly actor: string;
  readonly event: string;
  readonly detail: string;
}

/** The interrupt that was slower than `run.breakOn` allows, and what came before it. */
export interface BreakResult {
  readonly limitNs: number;
  readonly guest: string;
  /** `nvme0 msix[1]`. */
  readonly source: string;
  /** The how-many-th of its source, from 0. */
  readonly sequence: number;
  readonly latencyNs: number;
  /** Null in the virtual engine. */
  readonly wake: Wake | null;
  /** Since the start of the run. */
  readonly raisedAt: number;
  /** Where the time went, in order. */
  readonly stages: readonly { readonly stage: string; readonly ns: number }[];
  /** Host and guest merged in time, the last events up to its handler. */
  readonly trace: readonly TraceLine[];
}

/** How busy the workers of a threads run were: shares of their time in which they did not wait. */
export interface Utilisation {
  readonly host: number;
  /** Mean of the guests. */
  readonly guests: number | null;
}

/** One observer beside the model and what it found. */
export interface CheckResult {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface ExpectationResult {
  /** As the scenario has it: `latency.p99 < 20 * floor.p50`. */
  readonly text: string;
  /** Null if a name has no value in this run, such as a floor in the virtual engine. */
  readonly ok: boolean | null;
  readonly left: number | null;
  readonly right: number | null;
}

/** Something to know about the figures, and what to do about it. */
export interface Warning {
  readonly text: string;
  readonly advice: string;
}

/** Resources still allocated after every VM process has been closed, beyond those of boot. */
export interface LeakResult {
  readonly irqs: number;
  readonly irtes: number;
  readonly vectors: number;
}

/**
 * What devices hold of the irq pool, over the run. IRTEs are the entries of the shared table (LPIs
 * or SPIs on arm64); idle is without a handler. INTx lines are not in it.
 */
export interface Holdings {
  readonly armedIrqSeconds: number;
  readonly idleIrqSeconds: number;
  readonly armedIrteSeconds: number;
  readonly idleIrteSeconds: number;
  readonly armedVectorSeconds: number;
  /** MSI that cannot be masked has CPU vectors while idle; MSI-X only until free_irq is done. */
  readonly idleVectorSeconds: number;
  /** Irqs allocated and freed; flushes of the interrupt entry cache. */
  readonly allocations: number;
  readonly frees: number;
  readonly iecFlushes: number;
  /** Idle irqs that got an eventfd again. */
  readonly reused: number;
  /** Idle irqs taken away because entries were short. */
  readonly reclaimed: number;
  /** Requests that got fewer irqs than they asked for. */
  readonly failures: number;
  /** Those that idle irqs of other devices caused. */
  readonly failuresSuffered: number;
  /** Requests of others that failed because of idle irqs, of which this device had most. */
  readonly failuresCaused: number;
  /** Those of its requests that were for an irq which its policy had given back. */
  readonly refusedAgain: number;
}

export interface DeviceHoldings extends Holdings {
  readonly device: string;
  readonly policy: string;
}

/** How long irqs stay without an eventfd before they are used again or freed, ns. */
export interface IdleFigures {
  readonly count: number;
  /** Of these not ended with the run; they count with their age. */
  readonly stillIdle: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly meanNs: number;
  /** How many were at least so long. */
  readonly over: readonly {
    readonly limitNs: number;
    readonly count: number;
    readonly share: number;
  }[];
  readonly histogram: HistogramJson;
}

/** All devices with one policy. */
export interface PolicyHoldings extends Holdings {
  /** `cache`, `bounded cap 8`. */
  readonly policy: string;
  readonly devices: number;
  readonly idle: IdleFigures;
  /** What freed irqs without an eventfd. */
  readonly released: Readonly<Record<IdleRelease, number>>;
  /** The host's work from SET_IRQS' turn for a vector until its eventfd is armed. */
  readonly rearm: LatencyRow;
  /** The same for vectors that had none since MSI-X was enabled. */
  readonly arm: LatencyRow;
}

export interface RetentionResult {
  /** False where single irqs cannot be freed: no policy differs from `cache` then. */
  readonly effective: boolean;
  readonly totals: Holdings;
  readonly policies: readonly PolicyHoldings[];
  readonly guests: readonly (Holdings & { readonly name: string })[];
  readonly devices: readonly DeviceHoldings[];
  readonly failures: FailureCounts;
  /** The last requests that failed, and why; oldest first. */
  readonly shortages: readonly AllocationFailure[];
}

export interface RunResult {
  readonly schema: typeof RUN_SCHEMA;
  readonly provenance: Provenance;
  /** Null for a whole run, else why it ended early: `interrupted`, `limit`, `guest g1 died`. */
  readonly partial: string | null;
  /** How long it ran, on the run's own clock. */
  readonly durationNs: number;
  readonly guests: readonly GuestResult[];
  /** Pool while the guests were still there. */
  readonly pool: PoolReport;
  /** Null if the guests could not be closed. */
  readonly leaked: LeakResult | null;
  readonly retention: RetentionResult;
  /** Calls to the host by name. */
  readonly ioctls: Readonly<Record<string, number>>;
  /** How often the host's kernel followed a null pointer. Left out by results of older versions. */
  readonly oopses?: number;
  /** Calls under way when their process ended. Left out by results of older versions. */
  readonly callsCutShort?: number;
  readonly ledger: LedgerResult;
  readonly latency: LatencyResult;
  /** Only if the run ended for it. */
  readonly broke?: BreakResult;
  /** Threads only. */
  readonly utilisation?: Utilisation;
  readonly checks: readonly CheckResult[];
  readonly expectations: readonly ExpectationResult[];
  readonly warnings: readonly Warning[];
}
