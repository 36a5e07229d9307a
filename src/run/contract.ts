/** What the two sides implement, so that the engines need not know them. */
import type { Prng } from "../base/prng.ts";
import type { HeldReport } from "../measure/held.ts";
import type { IdleRelease, IdleSpansReport } from "../measure/idle-spans.ts";
import type { DeviceRows } from "../measure/rows.ts";
import type { SamplesByWake } from "../measure/stages.ts";
import type { WatchReport } from "../measure/watch.ts";
import type { DeviceSpec, GuestSpec, HostSpec } from "../scenario/types.ts";
import type { GuestPort, HostPort } from "../shm/border.ts";
import type { Clock } from "../time/clock.ts";
import type { Costs } from "../time/costs.ts";
import type { Scheduler } from "../time/scheduler.ts";
import type { TraceEvent, Tracer } from "../trace/trace.ts";
import type { OwnPolicies } from "./retention-policy.ts";

/** What a machine is built on; the engine injects it. */
export interface MachineEnv {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly costs: Costs;
  readonly tracer: Tracer;
  /**
   * [0]: when the thread of this machine last woke from a sleep, ns; what was signalled before that
   * found it parked. Left out where there are no threads.
   */
  readonly sleptUntil?: Float64Array;
  /** A latency was beyond the limit of `GuestPlan.breakOnNs`: the run is to end. Called once. */
  readonly onBreak?: () => void;
  /** The VM process is gone: `GuestMachine.alive()` is false from now on. Called once. */
  readonly onGone?: () => void;
  /** A named random stream of the run's seed. */
  random(name: string): Prng;
}

/** One guest's place in the run. */
export interface GuestPlan {
  readonly spec: GuestSpec;
  readonly devices: readonly DeviceSpec[];
  readonly rows: readonly DeviceRows[];
  /** Doorbell words of each device in the border: queue i of device d is doorbells[d].base + i. */
  readonly doorbells: readonly { readonly base: number; readonly count: number }[];
  /** Stamp every stage of delivery, or only raised and ISR. */
  readonly stages: "full" | "ends";
  /** What is raised in the first so many ns is no latency sample; default: 0. */
  readonly warmupNs?: number;
  /** The first latency beyond this (ns) ends the run and keeps what came before it. */
  readonly breakOnNs?: number;
}

/** Counters of the pool, sampled when they change; for the report. */
export interface PoolSample {
  readonly at: number;
  readonly irqs: number;
  readonly irtes: number;
  readonly vectors: number;
}

/**
 * Who held how much of the pool over time, in steps: a holder's values at [i] count from `at[i]`
 * (ns) on. A bounded series: where it leaves changes out, it keeps the highest and lowest totals.
 */
export interface PoolOccupancy {
  readonly at: readonly number[];
  readonly holders: readonly {
    /** A device, or an IO-APIC pin. */
    readonly name: string;
    readonly irqs: readonly number[];
    /** Without those of boot. */
    readonly irtes: readonly number[];
  }[];
  /** Where there are too many holders: how many are not in the list, and what they have. */
  readonly others?: {
    readonly count: number;
    readonly irqs: readonly number[];
    readonly irtes: readonly number[];
  };
}

export interface HostGuestReport {
  readonly name: string;
  /** Interrupts raised by the guest's devices, a number a row. */
  readonly raised: readonly number[];
  /** Fates the host knows, rows * FATES. */
  readonly fates: readonly number[];
  /** Bits set in the virtual APIC by irqfds, a number a row. */
  readonly injected: readonly number[];
  /** Requests dropped or answered with an error because their bytes made no sense, by reason. */
  readonly hostile: Readonly<Record<string, number>>;
  readonly alive: boolean;
  /** Calls that were under way when the process ended. */
  readonly callsCutShort?: number;
}

/** What `irtes` counts: remapping entries, an ITS's LPIs or a GICv2m's SPIs. */
export type SharedEntries = "IRTEs" | "LPIs" | "SPIs";

export interface PoolReport {
  /** Default: IRTEs. */
  readonly entries?: SharedEntries;
  /** Of `irtesUsed`, what functions keep over disable until they lose their driver (7.2's ITS). */
  readonly irtesKept?: number;
  readonly irqsHeld: number;
  readonly irqsPeak: number;
  readonly irtesUsed: number;
  readonly irtesBoot: number;
  readonly irtesPeak: number;
  readonly irtesSize: number;
  readonly vectorsUsed: number;
  readonly vectorsBoot: number;
  readonly vectorsPeak: number;
  readonly vectorsSize: number;
  readonly samples: readonly PoolSample[];
  /** How often the kernel switched an INTx line off: "nobody cared". */
  readonly linesSwitchedOff?: number;
  /** Left out by results of older versions. */
  readonly occupancy?: PoolOccupancy;
}

/** One request that got fewer irqs than it asked for, or none, and why. */
export interface AllocationFailure {
  readonly at: number;
  /** The scenario's name of the device that asked. */
  readonly device: string;
  readonly kind: "msi" | "msix" | "intx";
  readonly asked: number;
  /** Fewer, or a negative errno. */
  readonly got: number;
  /** `IR0`, a device's own table, `CPU vectors`; its size, and how full it was. */
  readonly table: string;
  readonly size: number;
  readonly used: number;
  /** Who holds most of it, and how much of that has no handler. */
  readonly most: string;
  readonly mostEntries: number;
  readonly mostIdle: number;
  /** The guest whose devices together have more than that, if there is one, and how much. */
  readonly mostOwner?: string;
  readonly mostOwnerEntries?: number;
  /** What all devices but the asker held without a handler, and which of them most. */
  readonly idle: number;
  readonly idlest: string | null;
  readonly idlestIdle: number;
  /** True if the request had been granted in full, were it not for them. */
  readonly causedByIdle: boolean;
}

export interface FailureCounts {
  readonly total: number;
  readonly causedByIdle: number;
  /** Failures caused by idle irqs, by the device that had most of them at the time. */
  readonly holders: Readonly<Record<string, number>>;
  /** Failures of each device, and how many of them idle irqs of others caused. */
  readonly victims: Readonly<
    Record<string, { readonly failed: number; readonly causedByIdle: number }>
  >;
}

/** What the irq pool knows of holding and failing. */
export interface HoldingsReport {
  /** Single irqs can be allocated and freed. */
  readonly dynamic: boolean;
  /** Each change of an entry costs a flush of the IOMMU's interrupt entry cache. */
  readonly flushes: boolean;
  readonly devices: readonly { readonly device: string; readonly held: HeldReport }[];
  readonly failures: FailureCounts;
  /** The last ones, oldest first. */
  readonly shortages: readonly AllocationFailure[];
}

/** What the retention policies did, up to the end of the run. */
export interface RetentionReport extends HoldingsReport {
  readonly policies: readonly {
    readonly devices: readonly string[];
    readonly spans: IdleSpansReport;
  }[];
  readonly idle: readonly {
    readonly device: string;
    readonly reused: number;
    /** Requests for irqs that the policy had given back, which got none. */
    readonly refusedAgain: number;
    readonly released: Readonly<Record<IdleRelease, number>>;
  }[];
}

export interface HostReport {
  /** How often the kernel followed a null pointer: it has a bug that a scenario asked for. */
  readonly oopses?: number;
  readonly retention: RetentionReport;
  readonly guests: readonly HostGuestReport[];
  readonly pool: PoolReport;
  readonly ioctls: Readonly<Record<string, number>>;
  readonly trace: readonly TraceEvent[];
}

/** What a recorder reads of a device around vfio, from sysfs; for conformance, not for guests. */
export interface DeviceInspection {
  /** sysfs msi_irqs: ascending indexes that have a Linux irq, and of which kind. */
  readonly held: readonly number[];
  readonly kind: "msi" | "msix" | null;
  /** Vectors that have a handler. */
  readonly armed: readonly number[];
  /** The INTx handler is installed. */
  readonly intx: boolean;
  /** The hardware's configuration space, a copy. */
  readonly config: Uint8Array;
  /** sysfs `irq`: the first MSI's Linux irq number, or the INTx line's. */
  readonly irqFile: number;
}

/** One table of interrupt remapping entries. */
export interface TableInspection {
  /** `IR0` for VT-d's; AMD-Vi's have the requester ID of whom they belong to. */
  readonly name: string;
  readonly size: number;
  readonly used: number;
  /** Runs of entries that nobody has, ascending, last one inclusive. */
  readonly free: readonly { readonly first: number; readonly last: number }[];
}

/** What a recorder reads of the irq pool, from debugfs, trace events and the kernel's memory. */
export interface PoolInspection {
  /** MSI and MSI-X irqs of all functions, and INTx lines in use: a descriptor each. */
  readonly irqs: number;
  readonly lines: number;
  /** The x86 vector matrix, and how often each of its trace points was passed since boot. */
  readonly matrix: {
    readonly globalAvailable: number;
    readonly globalReserved: number;
    readonly totalAllocated: number;
    readonly alloc: number;
    readonly reserve: number;
    readonly unreserve: number;
    readonly free: number;
    readonly allocFail: number;
  } | null;
  readonly tables: readonly TableInspection[];
}

/** The host kernel and hardware. All calls from its own thread. */
export interface HostMachine {
  /** A VM process starts: its port, its devices. */
  attach(guest: number, plan: GuestPlan, port: HostPort): void;
  /** The VM process is gone (exit, kill, dead worker): all it had open is closed. */
  exit(guest: number, reason: string): void;
  /** The run begins: its own timeline counts from here. */
  start(): void;
  /**
   * Drains requests, doorbells and kernel-side eventfds, of all guests or of those in `woken`, who
   * woke the host: numbers in ascending order. Returns how much there was to do.
   */
  poll(woken?: readonly number[]): number;
  /** When the host has to be polled next for its devices' load (ns), or Infinity. */
  nextAt(): number;
  /** Takes a device away from vfio-pci: its VM is asked to close it; nobody can open it again. */
  unbind(device: string): void;
  /** Gives it back. */
  bind(device: string): void;
  /** Throws UsageError for a device the host does not have. */
  inspect(device: string): DeviceInspection;
  inspectPool(): PoolInspection;
  /** Stops device load; pending interrupts are still delivered. */
  quiesce(): void;
  /** True while processes of the host (ioctls under way) have not ended. */
  busy(): boolean;
  /** Counts what still waits as pending; call once, after the guests have settled. */
  settle(): void;
  report(): HostReport;
}

export interface LatencySamples {
  /** Encoded histograms (src/measure/histogram.ts) by stage name. */
  readonly [stage: string]: unknown;
}

export interface GuestReport {
  readonly name: string;
  readonly latency: LatencySamples;
  /** The same by how the guest's thread was waiting; left out where there are no threads. */
  readonly latencyByWake?: SamplesByWake;
  /** Of interrupts that merged with an older one of theirs in the guest: raise to its handler. */
  readonly coalesced: SamplesByWake;
  /** The last samples up to one beyond the limit, if there is a limit. */
  readonly watch?: WatchReport;
  readonly interrupts: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly trace: readonly TraceEvent[];
  /** What the guest is at the end: off, firmware, running, crashed, dead: and why. */
  readonly state: string;
}

/** One VM process. All calls from its own thread. */
export interface GuestMachine {
  /** Takes and handles an interrupt if there is just one and vCPUs take any: true if it was so. */
  catchInterrupt(): boolean;
  /** Powers the VM on and starts its timeline (times relative to now). */
  start(): void;
  /** Takes responses, interrupts and readable eventfds; returns how much there was to do. */
  poll(): number;
  /** False once the VM process is gone (killed or quit): the engine then tells the host. */
  alive(): boolean;
  /** Injects a fault or action from outside, as the timeline would: `reboot`, `crash`, ... */
  inject(action: string): void;
  /** True while there is work that no timer or interrupt will bring (used to settle). */
  busy(): boolean;
  /** Ends workloads; interrupts under way are still taken. */
  quiesce(): void;
  /** Counts what still waits as pending; call once, at the end. */
  settle(): void;
  report(): GuestReport;
}

export type CreateHost = (
  env: MachineEnv,
  host: HostSpec,
  devices: readonly DeviceSpec[],
  /** Retention policies that the scenario names and the host has not. */
  own?: OwnPolicies,
) => HostMachine;
export type CreateGuest = (env: MachineEnv, plan: GuestPlan, port: GuestPort) => GuestMachine;
