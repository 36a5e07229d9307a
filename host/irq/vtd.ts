/** The VT-d interrupt remapping table of one IOMMU (drivers/iommu/intel/irq_remapping.c). */
import { assert } from "../../src/base/assert.ts";
import { ENOSPC } from "../../src/base/errno.ts";
import type { TableInspection } from "../../src/run/contract.ts";
import type { Tracer } from "../../src/trace/trace.ts";
import { type MsiMessage, roundUpPowerOfTwo } from "./msi-parent.ts";
import { EntryTable, type IrqRemapping } from "./remapping.ts";
import type { Holder, Shortages } from "./shortage.ts";

/** INTR_REMAP_TABLE_ENTRIES. */
export const INTR_REMAP_TABLE_ENTRIES = 65_536;

/** ecap_max_handle_mask: the largest block is 2^15 entries; MSI never asks for more than 2^5. */
const MAX_HANDLE_MASK = 15;
/** Remappable message address: the fixed part, and SHV (VT-d specification, 5.1.5.2). */
const REMAPPABLE_ADDRESS = 0xfee00018;

/**
 * One table, shared by all devices behind the IOMMU and by the IO-APIC. Blocks are powers of two,
 * naturally aligned, first fit from index 0, as bitmap_find_free_region finds them: it fragments.
 */
export class IrTable implements IrqRemapping {
  readonly canPost = true;
  readonly #tracer: Tracer;
  readonly #shortages: Shortages;
  readonly #table: EntryTable;
  /** No entry below this index is free: first fit need not look there. */
  #lowest = 0;

  constructor(size: number, tracer: Tracer, shortages: Shortages, name = "IR0") {
    this.#tracer = tracer;
    this.#shortages = shortages;
    this.#table = new EntryTable(name, size);
  }

  get size(): number {
    return this.#table.size;
  }

  get used(): number {
    return this.#table.used;
  }

  get free(): number {
    return this.#table.free;
  }

  fits(count: number): boolean {
    return this.#find(roundUpPowerOfTwo(count)) >= 0;
  }

  entriesFor(count: number): number {
    return roundUpPowerOfTwo(count);
  }

  table(): EntryTable {
    return this.#table;
  }

  /**
   * alloc_irte: the index of a block for `count` interrupts of `holder`, or -ENOSPC. A failure says
   * the kernel's two lines and, as `irte_alloc_failed`, what the kernel does not say: why.
   */
  alloc(count: number, holder: Holder): number {
    const block = roundUpPowerOfTwo(count);
    assert(block <= 2 ** MAX_HANDLE_MASK, () => `a block of ${block} entries`);
    const index = this.#find(block);
    if (index < 0) {
      const { name } = this.#table;
      this.#tracer.emit("printk", { text: `DMAR-IR: ${name}: can't allocate an IRTE` });
      this.#tracer.emit("printk", { text: "DMAR-IR: Failed to allocate IRTE" });
      this.#shortages.note("irte_alloc_failed", this.#table.shortage(block, holder.name));
      return -ENOSPC;
    }
    this.#table.take(index, block, holder);
    if (block === 1 || index === this.#lowest) this.#lowest = index + block;
    return index;
  }

  /** clear_entries: gives the whole block back, with the part that no interrupt used. */
  release(index: number, count: number, holder: Holder): void {
    this.#table.giveBack(index, roundUpPowerOfTwo(count), holder);
    if (index < this.#lowest) this.#lowest = index;
  }

  /** fill_msi_msg: the handle is split over the address; the data of a block is the sub-handle. */
  message(index: number): MsiMessage {
    const handle = ((index & 0x7fff) << 5) | ((index >>> 15) << 2);
    return { address: (REMAPPABLE_ADDRESS | handle) >>> 0, data: 0 };
  }

  freeAligned(block: number): number {
    return this.#table.freeAligned(block);
  }

  inspect(): TableInspection[] {
    return [this.#table.inspect()];
  }

  #find(block: number): number {
    if (block === 1) return this.#table.bitmap.findNextZero(this.#lowest);
    return this.#table.bitmap.findZeroArea(block, block);
  }
}
