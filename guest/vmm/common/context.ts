/** What the parts of a VMM process share; what devices and board are to its machine. */
import type { DeviceRows } from "../../../src/measure/rows.ts";
import type { GuestPlan, MachineEnv } from "../../../src/run/contract.ts";
import type { DeviceSpec } from "../../../src/scenario/types.ts";
import type { Process } from "../../../src/time/process.ts";
import type { Syscalls } from "../../syscalls.ts";
import type { Counters } from "../counters.ts";
import type { Tokens } from "../tokens.ts";
import type { UserInterrupts, VirtualFunction } from "../types.ts";
import type { Eventfds } from "./eventfds.ts";
import type { MainLoop } from "./main-loop.ts";

export interface VmmContext {
  readonly env: MachineEnv;
  readonly sys: Syscalls;
  readonly counters: Counters;
  readonly tokens: Tokens;
  readonly loop: MainLoop;
  readonly events: Eventfds;
  /** Starts a handler that has to ask the kernel; it takes turns with the vCPUs' exits. */
  spawn(name: string, body: () => Process): void;
}

/** IOAPIC pins from which a PCI function gets its own, in turn. */
const FIRST_PCI_PIN = 16;
const PCI_PINS = 8;

/** An assigned device's place in a machine without a firmware that would move its INTx. */
export class PlannedFunction implements VirtualFunction {
  readonly index: number;
  readonly spec: DeviceSpec;
  readonly rows: DeviceRows;
  readonly doorbellBase: number;
  readonly intxPin: number;

  constructor(plan: GuestPlan, index: number) {
    this.index = index;
    this.spec = plan.devices[index]!;
    this.rows = plan.rows[index]!;
    this.doorbellBase = plan.doorbells[index]!.base;
    this.intxPin = FIRST_PCI_PIN + (index % PCI_PINS);
  }
}

/** A device that the VMM has open. */
export interface AssignedDevice {
  readonly fd: number;
  configRead(offset: number, size: number): Process<number>;
  configWrite(offset: number, size: number, value: number): Process;
  barRead(bar: number, offset: number, size: number): Process<number>;
  barWrite(bar: number, offset: number, size: number, value: number): Process;
  /** True if an access of this place in a BAR leaves the guest. */
  traps(bar: number, offset: number): boolean;
  /** What the VMM asks of vfio before it closes a device that it gives up in good order. */
  release(): Process;
  /** Reset of the machine, for a VMM that keeps its devices open over it. */
  reset(): Process;
  /** Tokens came through an eventfd of a vector, or of INTx, that the VMM reads. Hot path. */
  vectorFired(vector: number): void;
  intxFired(): void;
  readonly interrupts?: UserInterrupts;
  /** Gives INTx another eventfd while it is on. */
  swapIntx?(): Process;
  /** Counts tokens that the VMM holds for the device. */
  settle(fate: number): void;
}

/** What a VMM builds anew for each VM: interrupt controllers, and the devices on them. */
export interface Board {
  /** Throws RealizeError (errors.ts) where the VMM gives up. */
  realize(fn: PlannedFunction): Process<AssignedDevice>;
  ioapicWrite(pin: number, low: number, high: number): Process;
  eoi(vcpu: number, vector: number): void;
  /** Reset of the machine, for a VMM that keeps it over a reboot. */
  reset(): Process;
  /** Closes what is neither a device nor an eventfd. */
  close(): Process;
}

/** What tells one VMM from another. */
export interface VmmModel {
  readonly startsIn: "kernel" | "driver";
  /**
   * A reboot: `in-place` resets the devices; `rebuild` gives the whole VM up in good order and
   * makes a new one; with `restart` the process ends as it is and somebody starts it again.
   */
  readonly reboot: "in-place" | "rebuild" | "restart";
  powerOn(ctx: VmmContext): Process<Board>;
}
