/** What guest drivers have in common. */
import type { IrqKind } from "../../src/measure/rows.ts";
import type { Process } from "../../src/time/process.ts";
import type { DriverVectors } from "../kernel/driver-vectors.ts";

export type DriverState = "unbound" | "bound" | "failed";

/** What an administrator does to a network interface. */
export interface NetworkActions {
  /** `ip link set up`: 0 or a negative errno. */
  open(): Process<number>;
  /** `ip link set down`. */
  close(): Process;
  /** `ethtool -L combined N`: 0 or a negative errno. */
  setChannels(combined: number): Process<number>;
  /** `ethtool -t offline`. */
  selfTest(): Process;
}

/** Queues whose interrupts come and go while the device works. */
export interface LateQueues {
  /** One more, its interrupt included: 0 or a negative errno. */
  enable(queue: number): Process<number>;
  disable(queue: number): Process<number>;
}

/** A driver bound to one device. A new kernel makes new drivers. */
export interface GuestDriver {
  readonly device: string;
  readonly state: DriverState;
  /** The interrupt mode of the next probe. */
  mode: IrqKind;
  readonly vectors: DriverVectors;
  /** Null for a device that is no network interface. */
  readonly network: NetworkActions | null;
  /** Work queues of an accelerator, which an administrator enables one by one. */
  readonly workQueues?: LateQueues;
  /** The RDMA driver on top of a network function: how many vectors it takes, 0 for its default. */
  readonly rdma?: LateQueues;
  /** Finds the device and sets it up: 0, or a negative errno: then the device is left alone. */
  probe(): Process<number>;
  /** Starts and stops the workload. */
  startIo(): Process;
  stopIo(): Process;
  /** Takes the driver off the device: unbind, and orderly shutdown of the kernel. */
  remove(): Process;
  /** System sleep, and the end of it: 0 or a negative errno. */
  suspend(): Process;
  resume(): Process<number>;
  /** A reset of its function under it: before, and after. */
  resetPrepare(): Process;
  resetDone(): Process;
  /** Interrupts of a vCPU that went offline move away; those of one that came back return. */
  cpuOffline(vcpu: number): Process;
  cpuOnline(vcpu: number): Process;
  /** The kernel is gone, without any orderly end: nothing runs any more. */
  halt(): void;
  /** For the report, by name. */
  counters(): Readonly<Record<string, number>>;
}
