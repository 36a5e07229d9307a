/** A guest's irqs, and what their kernel shares between devices (kernel/irq, arch/x86). */
import type { Process } from "../../src/time/process.ts";
import type { IrqHandler, IrqTable } from "./irq-table.ts";
import type { Slot, VectorMatrix } from "./vector-matrix.ts";

/** What differs between kernels that guests run. */
export interface GuestKernelRules {
  /**
   * Whose message msi_set_affinity writes in two steps when both vCPU and vector change: the old
   * vCPU with the new vector first. Meant for irqs that cannot be masked; "x86/apic/msi: Fix
   * misconfigured non-maskable MSI quirk" asks for the opposite, and has gone to stable trees.
   */
  readonly twoStepMoves: "maskable" | "unmaskable";
  /** "PCI/MSI: Enable memory decoding before restoring MSI-X messages", in stable trees, too. */
  readonly decodesForRestore: boolean;
  /** An MSI-X vector is masked while its interrupt is handled. */
  readonly masksAtInterrupt: boolean;
}

const MODERN = {
  twoStepMoves: "maskable",
  decodesForRestore: true,
  masksAtInterrupt: false,
} as const;

/**
 * The newest of each series; 6.12's writes are recorded, 6.1 has the same two changes. Of 2.6.18
 * (RHEL 5) only what it does at each interrupt is its own here.
 */
export const GUEST_KERNELS = {
  "linux-2.6.18": { ...MODERN, masksAtInterrupt: true },
  "linux-6.1": MODERN,
  "linux-6.12": MODERN,
} as const satisfies Readonly<Record<string, GuestKernelRules>>;

/** Choices that a kernel is free to make, where somebody else has made them; null: its own. */
export interface Choices {
  /** Where the vector matrix puts vector `vector` of `device`. */
  slot(device: string, vector: number): Slot | null;
  /** Its entry of the guest's remapping table. */
  entry(device: string, vector: number): number | null;
  /** The vector before is still in use by an interrupt under way: the move waits for the next. */
  isMoveBusy(device: string, vector: number): boolean;
}

/** Numbers that are given out lowest first. */
export class Numbers {
  readonly #first: number;
  readonly #taken = new Set<number>();

  constructor(first: number) {
    this.#first = first;
  }

  /** `wished`, if it is free, or the lowest free one. */
  take(wished: number | null = null): number {
    let number = this.#first;
    if (wished !== null && !this.#taken.has(wished)) number = wished;
    else while (this.#taken.has(number)) number++;
    this.#taken.add(number);
    return number;
  }

  give(number: number): void {
    this.#taken.delete(number);
  }
}

/** What the irq core of one booted kernel shares between devices. */
export interface IrqCore {
  readonly matrix: VectorMatrix;
  readonly table: IrqTable;
  /** Ascending; changes with CPU hotplug. */
  readonly online: readonly number[];
  readonly rules: GuestKernelRules;
  readonly choices: Choices | null;
  /** Linux's numbers of message interrupts, as /proc/irq has them. */
  readonly irqNumbers: Numbers;
  /** Entries of the remapping table. */
  readonly entries: Numbers;
  /** Starts what an interrupt leaves to do; it ends with the kernel. */
  spawn(name: string, process: Process): void;
}

export interface GuestIrq {
  readonly vector: number;
  /** As /proc/irq has it; -1 for INTx. */
  readonly number: number;
  /** vCPUs of a managed irq; null for one that may go anywhere. */
  readonly managed: readonly number[] | null;
  readonly row: number;
  /** Entry of the remapping table, or -1. */
  readonly entry: number;
  handler: IrqHandler | null;
  slot: Slot;
  /** Where it was before it moved: an interrupt may still be on its way there. */
  oldSlot: Slot;
  /** smp_affinity, null: all vCPUs. */
  affinity: readonly number[] | null;
  /** IRQD_SETAFFINITY_PENDING: where it moves at its next interrupt. */
  pending: readonly number[] | null;
  /** It is being moved. */
  isMoving: boolean;
}
