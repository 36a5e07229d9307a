/**
 * MSI-X as Linux 2.6.18 handled it (drivers/pci/msi.c, msix_irq_type): acknowledging an interrupt
 * masks its vector, and its end unmasks it, so that each costs two writes to the table.
 */
import type { Process } from "../../src/time/process.ts";
import type { GuestIrq } from "./guest-irq.ts";
import type { IrqChip } from "./irq-chip.ts";
import type { IrqHandler } from "./irq-table.ts";

export class MaskedHandler implements IrqHandler {
  readonly ownsEoi = false;
  readonly #handler: IrqHandler;
  readonly #irq: GuestIrq;
  readonly #chip: IrqChip;
  readonly #spawn: (process: Process) => void;
  #isMasked = false;

  constructor(
    handler: IrqHandler,
    irq: GuestIrq,
    chip: IrqChip,
    spawn: (process: Process) => void,
  ) {
    this.#handler = handler;
    this.#irq = irq;
    this.#chip = chip;
    this.#spawn = spawn;
  }

  /** Both writes leave the guest, so that they take their time after the handler has run. */
  handleIrq(slot: number): boolean {
    const handled = this.#handler.handleIrq(slot);
    // Sent before the mask had reached the device: the write is under way.
    if (!this.#isMasked) {
      this.#isMasked = true;
      this.#spawn(this.#maskAndUnmask());
    }
    return handled;
  }

  *#maskAndUnmask(): Process {
    const { vector } = this.#irq;
    yield* this.#chip.mask(vector);
    // Freed meanwhile: it stays masked.
    if (this.#irq.handler === this) yield* this.#chip.unmask(vector);
    this.#isMasked = false;
  }
}
