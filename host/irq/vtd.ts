/** The VT-d interrupt remapping table of one IOMMU (drivers/iommu/intel/irq_remapping.c). */
import { assert } from "../../src/base/assert.ts";
import { Bitmap } from "../../src/base/bitmap.ts";
import { ENOSPC } from "../../src/base/errno.ts";
import type { Tracer } from "../../src/trace/trace.ts";

/** INTR_REMAP_TABLE_ENTRIES. */
export const INTR_REMAP_TABLE_ENTRIES = 65_536;

/** ecap_max_handle_mask: the largest block is 2^15 entries; MSI never asks for more than 2^5. */
const MAX_HANDLE_MASK = 15;

/** Who holds entries, for the words when none are left: a device's bdf, or an IO-APIC pin. */
interface Holding {
  readonly owner: string;
  entries: number;
}

/**
 * One table, shared by all devices behind the IOMMU. Blocks are powers of two, naturally aligned,
 * first fit from index 0, as bitmap_find_free_region finds them; so it fragments.
 */
export class IrTable {
  readonly name: string;
  readonly size: number;
  readonly #tracer: Tracer;
  readonly #bitmap: Bitmap;
  readonly #holdings = new Map<string, Holding>();
  /** No entry below this index is free: first fit need not look there. */
  #lowest = 0;

  constructor(size: number, tracer: Tracer, name = "IR0") {
    this.name = name;
    this.size = size;
    this.#tracer = tracer;
    this.#bitmap = new Bitmap(size);
  }

  get used(): number {
    return this.#bitmap.weight;
  }

  get free(): number {
    return this.size - this.#bitmap.weight;
  }

  /** Entries in the block that holds `count` interrupts. */
  static blockSize(count: number): number {
    return count <= 1 ? 1 : 2 ** (32 - Math.clz32(count - 1));
  }

  /**
   * alloc_irte: the index of a block for `count` interrupts of `owner`, or -ENOSPC. A failure says
   * the kernel's two lines and, as `irte_alloc_failed`, what the kernel does not say: which table,
   * how full it is, who holds most of it.
   */
  alloc(count: number, owner: string): number {
    const block = IrTable.blockSize(count);
    assert(block <= 2 ** MAX_HANDLE_MASK, () => `a block of ${block} entries`);
    const index = this.#find(block);
    if (index < 0) {
      this.#failed(count, owner);
      return -ENOSPC;
    }
    this.#bitmap.setRange(index, block);
    if (block === 1 || index === this.#lowest) this.#lowest = index + block;
    this.#hold(owner, block);
    return index;
  }

  /** clear_entries: gives the whole block back, with the part that no interrupt used. */
  release(index: number, count: number, owner: string): void {
    const block = IrTable.blockSize(count);
    assert(this.#bitmap.test(index), () => `remapping entry ${index} is free already`);
    this.#bitmap.clearRange(index, block);
    if (index < this.#lowest) this.#lowest = index;
    this.#hold(owner, -block);
  }

  /** Free naturally aligned blocks of `block` entries. */
  freeAligned(block: number): number {
    let found = 0;
    for (let start = 0; start + block <= this.size; start += block) {
      const taken = this.#bitmap.findNextSet(start);
      if (taken === -1 || taken >= start + block) found++;
    }
    return found;
  }

  isUsed(index: number): boolean {
    return this.#bitmap.test(index);
  }

  #find(block: number): number {
    if (block === 1) return this.#bitmap.findNextZero(this.#lowest);
    return this.#bitmap.findZeroArea(block, block);
  }

  #hold(owner: string, entries: number): void {
    const holding = this.#holdings.get(owner) ?? { owner, entries: 0 };
    holding.entries += entries;
    assert(holding.entries >= 0, () => `${owner} gave back more entries than it had`);
    if (holding.entries === 0) this.#holdings.delete(owner);
    else this.#holdings.set(owner, holding);
  }

  #failed(count: number, owner: string): void {
    let most: Holding = { owner: "nobody", entries: 0 };
    for (const holding of this.#holdings.values())
      if (holding.entries > most.entries) most = holding;
    this.#tracer.emit("printk", { text: `DMAR-IR: ${this.name}: can't allocate an IRTE` });
    this.#tracer.emit("printk", { text: "DMAR-IR: Failed to allocate IRTE" });
    this.#tracer.emit("irte_alloc_failed", {
      table: this.name,
      asked: IrTable.blockSize(count),
      for: owner,
      used: this.used,
      size: this.size,
      most: most.owner,
      mostEntries: most.entries,
    });
  }
}
