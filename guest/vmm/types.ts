/** What guest software sees of its machine: the line between VMM (below) and kernel (above). */
import type { DeviceRows } from "../../src/measure/rows.ts";
import type { PciIrqKind } from "../../src/pci/types.ts";
import type { DeviceSpec } from "../../src/scenario/types.ts";
import type { Process } from "../../src/time/process.ts";
import type { LocalApics } from "../local-apic.ts";
import type { TokenSequence } from "../token-sequence.ts";

/** One assigned device as the guest enumerates it. */
export interface VirtualFunction {
  readonly spec: DeviceSpec;
  readonly rows: DeviceRows;
  /** First of its doorbell words in the border; doorbell of queue `i` is this + i. */
  readonly doorbellBase: number;
  /** Guest IOAPIC pin its INTx arrives at, after the kernel's routing. */
  readonly intxPin: number;
}

/**
 * Interrupts of a driver that runs in the process itself, with no guest beneath it: it hands
 * eventfds to vfio and hears them in its own poll loop. There is no table, no vCPU and no message.
 */
export interface UserInterrupts {
  /** The function is to have `count` of `kind`: how many there are, or a negative errno. */
  alloc(kind: PciIrqKind, count: number): Process<number>;
  /** `fired` is called for each read of the vector's eventfd: for one token, the others merged. */
  request(vector: number, fired: () => void): Process<number>;
  free(vector: number): Process;
  freeAll(): Process;
}

/** Interrupt remapping as the guest programs it. */
export interface RemappingUnit {
  /** Writes an entry of the table, null for one not present, and invalidates it. */
  write(index: number, entry: RemappingEntry | null): Process;
}

/** Where an entry of the guest's remapping table sends an interrupt. */
export interface RemappingEntry {
  readonly vcpu: number;
  readonly vector: number;
}

/** The virtual machine. Accesses are processes, since the VMM may have to ask the host. */
export interface VirtualMachine {
  readonly vcpus: number;
  /**
   * Where guest software begins: in SeaBIOS (the default), in a kernel that the VMM loads itself,
   * or, with no guest at all, in drivers of the process's own.
   */
  readonly startsIn?: "firmware" | "kernel" | "driver";
  readonly functions: readonly VirtualFunction[];
  /** Where requests wait for the vCPUs. */
  readonly lapics: LocalApics;
  /** Numbers of the tokens that came, shared with those who take them. */
  readonly sequence: TokenSequence;
  /**
   * Powers on: opens the devices, realizes them, first system reset. Throws RealizeError
   * (errors.ts) where the VMM prints an error and exits; what it had open is closed then. Functions
   * that are not in `present` are plugged later.
   */
  realize(present?: readonly VirtualFunction[]): Process;
  configRead(fn: VirtualFunction, offset: number, size: number): Process<number>;
  configWrite(fn: VirtualFunction, offset: number, size: number, value: number): Process;
  /** Offsets within a BAR; the MSI-X table and PBA are the VMM's own. */
  mmioRead(fn: VirtualFunction, bar: number, offset: number, size: number): Process<number>;
  mmioWrite(fn: VirtualFunction, bar: number, offset: number, size: number, value: number): Process;
  /** Straight to the device, no exit. Hot path. */
  ringDoorbell(fn: VirtualFunction, queue: number, value: number): void;
  /** PIRQ or IOAPIC routing of a function's INTx changed (firmware, then kernel). */
  routeIntx(fn: VirtualFunction, pin: number): Process;
  /** Writes an IOAPIC redirection entry: low and high word, as the 82093AA datasheet has them. */
  ioapicWrite(pin: number, low: number, high: number): Process;
  /** Where the guest has a vIOMMU: messages in remappable format go by its table. */
  readonly remapping?: RemappingUnit | null;
  /** EOI of a level-triggered vector reached the irqchip. Edge vectors need no call. */
  eoi(vcpu: number, vector: number): void;
  /** The VM arrives at another host: its devices are set up there as they were. */
  migrate?(): Process;
  /** Gives a function's INTx another eventfd; only where the VMM ever does. */
  swapIntx?(fn: VirtualFunction): Process;
  /** How drivers of the process's own get interrupts; only where software starts in those. */
  userInterrupts?(fn: VirtualFunction): UserInterrupts;
  /**
   * Called when the host wants a device back (vfio's REQ eventfd): a hot-plug event. The guest lets
   * go of the device and ejects it; while nobody is set, the request is only counted.
   */
  onUnplugRequest: ((fn: VirtualFunction) => void) | null;
  /**
   * Called from an event of its own when the VMM has work for `poll`, or interrupts for the vCPUs,
   * that the host did not wake anybody for.
   */
  onWork: (() => void) | null;
  /**
   * Called when the VMM fails an assertion of its own and dies of SIGABRT: nothing of it runs after
   * that, what waits for it waits for ever.
   */
  onAbort: ((assertion: string) => void) | null;
  /** The guest has let go of the device: the VMM gives it back to the host. */
  eject(fn: VirtualFunction): Process;
  /** Hot-plugs a device that was ejected. Throws RealizeError where it cannot be had. */
  plug(fn: VirtualFunction): Process;
  /** System reset: every device is reset, all interrupt state of the guest is gone. */
  systemReset(): Process;
  /** Orderly end of the VM process: nothing is asked of the kernel, fds just close. */
  quit(): Process;
  /** VMM main loop: responses, readable eventfds; returns how much there was to do. */
  poll(): number;
  /** True while a call to the host is unanswered or a handler has not ended. */
  busy(): boolean;
  /** What the VMM asked of the kernel and what went wrong, by name, for the report. */
  counters(): Readonly<Record<string, number>>;
  /** Counts tokens that wait in eventfds and in the emulated PBA. */
  settle(): void;
}
