/** What main thread and workers say to each other (over comlink): control, never interrupts. */
import type { Scenario } from "../../scenario/types.ts";
import type { BorderShape } from "../../shm/border.ts";
import type { GuestPlan, GuestReport, HostReport } from "../contract.ts";

/** One guest's shared memory, as it is sent to both sides. */
export interface BorderHandle {
  readonly memory: SharedArrayBuffer;
  readonly shape: BorderShape;
}

/** Memory the host thread shares with main and with all guests. */
export interface HostMemory {
  /** One futex word that guests wake the host by; its value is trusted by nobody. */
  readonly epoch: SharedArrayBuffer;
  /** Word that main sets to get the host's attention; guests never see it. */
  readonly attention: SharedArrayBuffer;
}

export interface HostSetUp {
  readonly scenario: Scenario;
  readonly host: HostMemory;
  readonly plans: readonly GuestPlan[];
  readonly borders: readonly BorderHandle[];
}

export interface GuestSetUp {
  readonly scenario: Scenario;
  readonly plan: GuestPlan;
  readonly border: BorderHandle;
  readonly hostEpoch: SharedArrayBuffer;
  readonly threads: number;
}

/** Which half of a floor measurement a worker does. */
export interface ProbeRequest {
  /** Where the two sides wait for each other. */
  readonly meeting: SharedArrayBuffer;
  /** Memory of each stretch; both sides go through them together. */
  readonly stretches: readonly SharedArrayBuffer[];
  readonly side: "ping" | "pong";
  readonly mode: "spin" | "park";
  /** Of each stretch. */
  readonly rounds: number;
}

/** What the ping side found, by stretch; the pong side has nothing to tell. */
export interface Probed {
  /** A way, a reading of the clock included, ns. */
  readonly waysNs: Float64Array;
  /** By how much the pong side's clock is ahead of the ping side's, ns. */
  readonly aheadNs: Float64Array;
}

/** How a worker's loop spent its time. */
export interface LoopReport {
  readonly turns: number;
  readonly spinning: number;
  readonly parked: number;
  readonly timeouts: number;
  /** How long it has run, and how much of that it waited, ns. */
  readonly runNs: number;
  readonly idleNs: number;
  /** Its last sleeps, if the run is traced: begin, end, begin, end, ... ns. */
  readonly sleeps: readonly number[];
}

interface WorkerApi {
  /** The kernel's number of this thread (gettid); null where it cannot be known. */
  threadId(): Promise<number | null>;
  /** Median round trip of each stretch, timed by the ping side, ns. */
  probe(request: ProbeRequest): Promise<Probed>;
  clockCost(): Promise<number>;
  /** Runs the loop until `stop`; resolves when it has ended. */
  run(): Promise<void>;
  quiesce(): Promise<void>;
  busy(): Promise<boolean>;
  stop(): Promise<void>;
}

export interface HostWorkerApi extends WorkerApi {
  setUp(setUp: HostSetUp): Promise<void>;
  exit(guest: number, reason: string): Promise<void>;
  settle(): Promise<void>;
  collect(): Promise<{ report: HostReport; loop: LoopReport }>;
}

export interface GuestWorkerApi extends WorkerApi {
  /** Its clock is ahead of the host's by `ns`, and is put right. */
  setClockBack(ns: number): Promise<void>;
  setUp(setUp: GuestSetUp): Promise<void>;
  inject(action: string): Promise<void>;
  alive(): Promise<boolean>;
  settle(): Promise<void>;
  collect(): Promise<{ report: GuestReport; loop: LoopReport }>;
}
