/** What an engine hands back, before it is made into a result for people. */

import type { GuestReport, HostReport, PoolReport } from "./contract.ts";
import type { FloorResult, Warning } from "./result.ts";

export interface GuestOutcome {
  /** Null if the worker died and could tell nothing more. */
  readonly report: GuestReport | null;
  /** Why its VM process is gone, if it ended before the run did. */
  readonly dead: string | null;
  /** The guest's own counts of fates, from its shared memory: they outlive it. */
  readonly fates: readonly number[];
}

export interface RunOutcome {
  readonly engine: "threads" | "virtual";
  readonly host: HostReport;
  /**
   * The pool after every VM process has been closed: what is left beyond boot has leaked. Null if
   * they could not be closed.
   */
  readonly poolAfter: PoolReport | null;
  readonly guests: readonly GuestOutcome[];
  readonly floor: FloorResult | null;
  readonly durationNs: number;
  readonly startNs: number;
  /** Why the run ended early, or null. */
  readonly partial: string | null;
  readonly warnings: readonly Warning[];
  /** The error that broke the run; what was counted until then need not add up. */
  readonly failure?: Error | null;
  /** CPUs that the threads were pinned to. */
  readonly cpus?: readonly number[];
  readonly workers?: WorkersReport;
}

/** What the threads' loops have to tell. */
export interface WorkersReport {
  /** Share of its time in which a worker did not wait, 0 to 1; a guest's is null if it died. */
  readonly host: number;
  readonly guests: readonly (number | null)[];
  /** Last sleeps of each worker in a traced run: begin, end, begin, end, ... ns. */
  readonly sleeps: Readonly<Record<string, readonly number[]>>;
}

/** A thread of this process; `id` is the kernel's number of it, null where that is unknown. */
export interface ThreadInfo {
  /** `host`, or the guest's. */
  readonly name: string;
  readonly id: number | null;
}

/** What an engine is told beside the scenario. */
export interface EngineOptions {
  /** CPUs for the threads: the first is the host's, guests get the others in turns. */
  readonly cpus?: readonly number[] | undefined;
  /** Told once, when all of them have been started: the host's first. */
  readonly onThreads?: ((threads: readonly ThreadInfo[]) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: import("./result.ts").Progress) => void) | undefined;
}
