/** Vectors and messages of one device's irqs (arch/x86/kernel/apic/vector.c, irq_remapping.c). */
import type { Process } from "../../src/time/process.ts";
import type { RemappingUnit } from "../vmm/types.ts";
import type { GuestIrq, IrqCore } from "./guest-irq.ts";
import {
  compatibleMessage,
  type IrqChip,
  type Message,
  NO_SLOT,
  remappableMessage,
} from "./irq-chip.ts";
import type { Slot } from "./vector-matrix.ts";

export class IrqDomain {
  readonly core: IrqCore;
  readonly #device: string;
  readonly #remapping: RemappingUnit | null;

  constructor(core: IrqCore, device: string, remapping: RemappingUnit | null) {
    this.core = core;
    this.#device = device;
    this.#remapping = remapping;
  }

  /** The guest remaps interrupts: where they go is in a table, and messages do not change. */
  get isRemapped(): boolean {
    return this.#remapping !== null;
  }

  /** A number of the remapping table's entry, or -1 without one. */
  takeEntry(vector: number): number {
    if (this.#remapping === null) return -1;
    return this.core.entries.take(this.core.choices?.entry(this.#device, vector) ?? null);
  }

  message(irq: GuestIrq, slot: Slot): Message {
    if (slot === NO_SLOT || irq.entry < 0) return compatibleMessage(slot);
    return remappableMessage(irq.entry);
  }

  /** irq_chip_write_msi_msg. */
  *write(chip: IrqChip, irq: GuestIrq, slot: Slot): Process {
    yield* chip.write(irq.vector, slot, this.message(irq, slot));
  }

  /** modify_irte: the entry points at the irq's vector, or is cleared. */
  *#modifyEntry(irq: GuestIrq): Process {
    if (irq.entry < 0) return;
    const { slot } = irq;
    const entry = slot === NO_SLOT ? null : { vcpu: slot >> 8, vector: slot & 0xff };
    yield* this.#remapping!.write(irq.entry, entry);
  }

  /** vCPUs that are online and that the irq may go to; all online ones where none of its is. */
  allowed(irq: GuestIrq, wished: readonly number[] | null = irq.affinity): readonly number[] {
    const { online } = this.core;
    const mask = irq.managed ?? wished;
    if (mask === null) return online;
    const both = mask.filter((vcpu) => online.includes(vcpu));
    return both.length > 0 || irq.managed !== null ? both : online;
  }

  /** A managed irq whose vCPUs are all offline waits for one of them. */
  isShutDown(irq: GuestIrq): boolean {
    return irq.managed !== null && this.allowed(irq).length === 0;
  }

  /** assign_irq_vector: takes a vector on one of `vcpus`; false if there is none. */
  *place(irq: GuestIrq, level: boolean, vcpus: readonly number[]): Process<boolean> {
    const { matrix, table, choices } = this.core;
    const isManaged = irq.managed !== null;
    const chosen = choices?.slot(this.#device, irq.vector) ?? null;
    const isPossible =
      chosen !== null && vcpus.includes(chosen >> 8) && matrix.take(chosen, isManaged);
    let slot = chosen ?? NO_SLOT;
    if (!isPossible) slot = isManaged ? matrix.allocManaged(vcpus) : matrix.alloc(vcpus);
    if (slot < 0) return false;
    irq.slot = slot;
    table.assign(slot, irq.row, level);
    table.setHandler(slot, irq.handler);
    yield* this.#modifyEntry(irq);
    return true;
  }

  *release(irq: GuestIrq): Process {
    if (irq.slot === NO_SLOT) return;
    this.core.table.setHandler(irq.slot, null);
    this.core.matrix.free(irq.slot);
    irq.slot = NO_SLOT;
    yield* this.#modifyEntry(irq);
  }

  /** The descriptor goes. */
  forget(irq: GuestIrq): void {
    if (irq.managed !== null) this.core.matrix.removeManaged(irq.managed);
    if (irq.entry >= 0) this.core.entries.give(irq.entry);
    if (irq.number >= 0) this.core.irqNumbers.give(irq.number);
  }

  /** The vector it had before the last move may have been given to another irq since. */
  forgetOldSlot(irq: GuestIrq): void {
    const { table } = this.core;
    if (irq.oldSlot !== NO_SLOT && table.rows[irq.oldSlot] === irq.row) {
      table.setHandler(irq.oldSlot, null);
    }
    irq.oldSlot = NO_SLOT;
  }
}
