/** The guest's vector table (arch/x86 vector_irq): who handles a vector, and on which row. */

/** A driver's interrupt handler. Hot path: must not allocate. */
export interface IrqHandler {
  /**
   * False is IRQ_NONE. `slot` is where it came in: a handler that `ownsEoi` (IRQF_ONESHOT with a
   * thread) ends a level-triggered interrupt itself, when its thread has quieted the device.
   */
  handleIrq(slot: number): boolean;
  readonly ownsEoi: boolean;
}

export const NO_ROW = -1;

/**
 * Indexed by slot, vcpu << 8 | vector. The row stays after an irq is freed, until the vector is
 * given to another one: a token that still arrives must be counted where it was raised.
 */
export class IrqTable {
  readonly rows: Int32Array;
  readonly handlers: (IrqHandler | null)[];
  /** 1 for vectors that came through the IOAPIC level-triggered: they need an EOI exit. */
  readonly level: Uint8Array;

  constructor(vcpus: number) {
    this.rows = new Int32Array(vcpus * 256).fill(NO_ROW);
    this.handlers = new Array<IrqHandler | null>(vcpus * 256).fill(null);
    this.level = new Uint8Array(vcpus * 256);
  }

  /** The vector belongs to this row from now on; nobody handles it yet. */
  assign(slot: number, row: number, level: boolean): void {
    this.rows[slot] = row;
    this.level[slot] = level ? 1 : 0;
    this.handlers[slot] = null;
  }

  setHandler(slot: number, handler: IrqHandler | null): void {
    this.handlers[slot] = handler;
  }

  /** A new kernel boots: no handlers; rows stay for tokens of the old one. */
  clearHandlers(): void {
    this.handlers.fill(null);
  }
}
