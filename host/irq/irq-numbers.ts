/** Linux irq numbers: the lowest free ones, a row of them for multi-MSI (kernel/irq/irqdesc.c). */
import { assert } from "../../src/base/assert.ts";
import { Bitmap } from "../../src/base/bitmap.ts";

/** gsi_top: IO-APIC pins have the numbers below, whether used or not (arch_dynirq_lower_bound). */
export const GSI_TOP = 24;

export class IrqNumbers {
  #bitmap = new Bitmap(4096);
  /** No number below this one is free. */
  #lowest: number;

  /** `boot` numbers from `lowest` up belong to the machine. */
  constructor(boot: number, lowest = GSI_TOP) {
    this.#lowest = lowest;
    this.#bitmap.setRange(0, lowest);
    for (let i = 0; i < boot; i++) this.alloc(1);
  }

  /** irq_alloc_descs: the first of `count` numbers in a row. There are always enough. */
  alloc(count: number): number {
    for (;;) {
      const first =
        count === 1 ? this.#bitmap.findNextZero(this.#lowest) : this.#bitmap.findZeroArea(count);
      if (first >= 0) {
        this.#bitmap.setRange(first, count);
        if (count === 1 || first === this.#lowest) this.#lowest = first + count;
        return first;
      }
      this.#grow();
    }
  }

  free(first: number, count: number): void {
    assert(this.#bitmap.test(first), () => `irq ${first} is free already`);
    this.#bitmap.clearRange(first, count);
    if (first < this.#lowest) this.#lowest = first;
  }

  #grow(): void {
    const old = this.#bitmap;
    const grown = new Bitmap(old.size * 2);
    for (let bit = old.findNextSet(); bit >= 0; bit = old.findNextSet(bit + 1)) grown.set(bit);
    this.#bitmap = grown;
  }
}
