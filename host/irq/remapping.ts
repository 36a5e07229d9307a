/**
 * Interrupt remapping as the domains above it see it, and the table of entries that both vendors'
 * IOMMUs have (drivers/iommu/irq_remapping.h).
 */
import { assert } from "../../src/base/assert.ts";
import { Bitmap } from "../../src/base/bitmap.ts";
import type { TableInspection } from "../../src/run/contract.ts";
import { type MsiMessage, roundUpPowerOfTwo } from "./msi-parent.ts";
import { type Holder, mostByOwner, type Shortage } from "./shortage.ts";

/** A holder as an IOMMU knows it: by the requester ID of its messages. */
export interface Requester extends Holder {
  /** Its own bdf, or what the bridge before it puts there. */
  readonly requester: string;
}

/** Whose entries: a function's MSI or MSI-X vectors, or an IO-APIC pin. */
export type EntryKind = "msi" | "msix" | "line";

export interface IrqRemapping {
  /** Entries in use in all tables, and how many there are. */
  readonly used: number;
  readonly size: number;
  /** Its entries have a posted format that is modelled. */
  readonly canPost: boolean;
  /** True if `alloc` would not fail. */
  fits(count: number, holder: Requester, kind: EntryKind): boolean;
  /** The table that serves it; null: it would have to be made. */
  table(holder: Requester, kind: EntryKind): EntryTable | null;
  /** Entries for `count` interrupts in a row: the first one's index, or -ENOSPC, told by printk. */
  alloc(count: number, holder: Requester, kind: EntryKind): number;
  /** How many entries that takes. */
  entriesFor(count: number): number;
  /** Gives back what `alloc` gave for the same count. */
  release(index: number, count: number, holder: Requester, kind: EntryKind): void;
  /** The MSI message that names an entry. */
  message(index: number): MsiMessage;
  inspect(): TableInspection[];
}

/** Free and taken entries of one table, and who holds how many. Searching is the vendors' own. */
export class EntryTable {
  readonly name: string;
  readonly size: number;
  readonly bitmap: Bitmap;
  readonly #holdings = new Map<Holder, number>();

  constructor(name: string, size: number) {
    this.name = name;
    this.size = size;
    this.bitmap = new Bitmap(size);
  }

  get used(): number {
    return this.bitmap.weight;
  }

  get free(): number {
    return this.size - this.bitmap.weight;
  }

  take(index: number, entries: number, holder: Holder): void {
    this.bitmap.setRange(index, entries);
    this.#holdings.set(holder, (this.#holdings.get(holder) ?? 0) + entries);
  }

  giveBack(index: number, entries: number, holder: Holder): void {
    assert(this.bitmap.test(index), () => `remapping entry ${index} is free already`);
    this.bitmap.clearRange(index, entries);
    const left = (this.#holdings.get(holder) ?? 0) - entries;
    assert(left >= 0, () => `${holder.name} gave back more entries than it had`);
    if (left === 0) this.#holdings.delete(holder);
    else this.#holdings.set(holder, left);
  }

  /** Free naturally aligned blocks of `block` entries. */
  freeAligned(block: number): number {
    let found = 0;
    for (let start = 0; start + block <= this.size; start += block) {
      const taken = this.bitmap.findNextSet(start);
      if (taken === -1 || taken >= start + block) found++;
    }
    return found;
  }

  /** Why `asked` entries in a row are not to be had for `who`. Not for hot paths. */
  shortage(asked: number, who: string): Shortage {
    let most: Holder = NOBODY;
    let mostEntries = 0;
    for (const [holder, entries] of this.#holdings) {
      if (entries > mostEntries) [most, mostEntries] = [holder, entries];
    }
    const { name: table, size, used } = this;
    const largest = this.#largest(asked);
    const mostOwner = mostByOwner(this.#holdings, mostEntries);
    return { table, size, used, asked, largest, for: who, most, mostEntries, mostOwner };
  }

  inspect(): TableInspection {
    const { name, size, used, bitmap } = this;
    const free: { first: number; last: number }[] = [];
    for (let first = bitmap.findNextZero(); first >= 0; ) {
      const taken = bitmap.findNextSet(first);
      free.push({ first, last: taken < 0 ? size - 1 : taken - 1 });
      first = taken < 0 ? -1 : bitmap.findNextZero(taken);
    }
    return { name, size, used, free };
  }

  /** The largest aligned power of two below `asked` that is free. */
  #largest(asked: number): number {
    let block = 2 ** (31 - Math.clz32(asked));
    while (block > 0 && this.bitmap.findZeroArea(block, block) < 0) block = block >>> 1;
    return block;
  }
}

/** True if `count` entries, aligned as MSI needs them, are free or within `freed`. */
export function rowFits(
  bitmap: Bitmap,
  count: number,
  freed: readonly { readonly first: number; readonly count: number }[],
): boolean {
  const without = bitmap.copy();
  for (const { first, count: entries } of freed) without.clearRange(first, entries);
  return without.findZeroArea(count, roundUpPowerOfTwo(count)) >= 0;
}

const NOBODY: Holder = { name: "nobody", armed: () => 0 };
