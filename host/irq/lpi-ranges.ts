/**
 * The LPIs nobody has, as ranges: first fit, neighbours merged (drivers/irqchip/irq-gic-v3-its.c,
 * alloc_lpi_range, free_lpi_range, its_lpi_alloc).
 */
import { assert } from "../../src/base/assert.ts";

/** The first LPI's interrupt id (GICv3 architecture, 2.2.1). */
export const LPI_BASE = 8192;
/** Ids of 16 bits, the kernel's limit (ITS_MAX_LPI_NRBITS), less those below the first LPI. */
export const LPIS = 2 ** 16 - LPI_BASE;

interface LpiRange {
  base: number;
  span: number;
}

export class LpiRanges {
  readonly size: number;
  /** Ascending, never adjacent, never empty. */
  readonly #ranges: LpiRange[];
  #free: number;

  constructor(size: number) {
    this.size = size;
    this.#free = size;
    this.#ranges = [{ base: LPI_BASE, span: size }];
  }

  get free(): number {
    return this.#free;
  }

  /** Free ranges, ascending, last LPI inclusive. */
  ranges(): { first: number; last: number }[] {
    return this.#ranges.map(({ base, span }) => ({ first: base, last: base + span - 1 }));
  }

  /** The first LPI of a block of `count`, or -1 where no free range is that long. */
  alloc(count: number): number {
    const at = this.#ranges.findIndex(({ span }) => span >= count);
    if (at < 0) return -1;
    const range = this.#ranges[at]!;
    const { base } = range;
    range.base += count;
    range.span -= count;
    if (range.span === 0) this.#ranges.splice(at, 1);
    this.#free -= count;
    return base;
  }

  /** A block of `count`, halved until one fits. Null: not one LPI is free. */
  allocHalving(count: number): { base: number; count: number } | null {
    for (let want = count; want > 0; want = Math.floor(want / 2)) {
      const base = this.alloc(want);
      if (base >= 0) return { base, count: want };
    }
    return null;
  }

  release(base: number, count: number): void {
    let at = this.#ranges.findIndex((range) => range.base > base);
    if (at < 0) at = this.#ranges.length;
    const before = this.#ranges[at - 1];
    const after = this.#ranges[at];
    const end = base + count;
    const apart =
      (before === undefined || before.base + before.span <= base) &&
      (after === undefined || end <= after.base);
    assert(apart && count > 0, () => `LPIs ${base}..${end - 1} are free already`);
    this.#free += count;
    const joinsBefore = before !== undefined && before.base + before.span === base;
    const joinsAfter = after !== undefined && after.base === end;
    if (joinsBefore) {
      before.span += count + (joinsAfter ? after.span : 0);
      if (joinsAfter) this.#ranges.splice(at, 1);
    } else if (joinsAfter) {
      after.base = base;
      after.span += count;
    } else {
      this.#ranges.splice(at, 0, { base, span: count });
    }
  }
}
