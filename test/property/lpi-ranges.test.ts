import fc from "fast-check";
import { expect, it } from "vitest";
import { LpiRanges } from "../../host/irq/lpi-ranges.ts";

const SIZE = 96;

/** The naive model: a flag an LPI; the first row of free ones that is long enough. */
class Flags {
  readonly taken: boolean[] = new Array(SIZE).fill(false);

  alloc(count: number): number {
    for (let first = 0; first + count <= SIZE; first++) {
      if (this.taken.slice(first, first + count).includes(true)) continue;
      this.taken.fill(true, first, first + count);
      return 8192 + first;
    }
    return -1;
  }

  allocHalving(count: number): { base: number; count: number } | null {
    const base = this.alloc(count);
    if (base >= 0) return { base, count };
    return count === 1 ? null : this.allocHalving(Math.floor(count / 2));
  }

  release(base: number, count: number): void {
    this.taken.fill(false, base - 8192, base - 8192 + count);
  }
}

const STEP = fc.oneof(
  { weight: 2, arbitrary: fc.record({ op: fc.constant("alloc" as const), n: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("halving" as const), n: fc.nat(6) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("release" as const), n: fc.nat(40) }) },
);

it("LPI ranges answer as a flag for each LPI does", () => {
  const property = fc.property(fc.array(STEP, { maxLength: 80 }), (steps) => {
    const ranges = new LpiRanges(SIZE);
    const flags = new Flags();
    const held: { base: number; count: number }[] = [];
    for (const { op, n } of steps) {
      if (op === "alloc") {
        const base = ranges.alloc(2 ** n);
        expect(base).toBe(flags.alloc(2 ** n));
        if (base >= 0) held.push({ base, count: 2 ** n });
      } else if (op === "halving") {
        const block = ranges.allocHalving(2 ** n);
        expect(block).toEqual(flags.allocHalving(2 ** n));
        if (block !== null) held.push(block);
      } else if (held.length > 0) {
        const [{ base, count }] = held.splice(n % held.length, 1) as [(typeof held)[number]];
        ranges.release(base, count);
        flags.release(base, count);
      }
      expect(ranges.free).toBe(flags.taken.filter((taken) => !taken).length);
      const listed = ranges.ranges().flatMap(({ first, last }) => {
        return Array.from({ length: last - first + 1 }, (_, i) => first + i);
      });
      expect(listed).toEqual(flags.taken.flatMap((taken, i) => (taken ? [] : [8192 + i])));
    }
    // Neighbours are merged: between two ranges there is always a taken LPI.
    const all = ranges.ranges();
    for (let i = 1; i < all.length; i++)
      expect(all[i]!.first).toBeGreaterThan(all[i - 1]!.last + 1);
  });
  fc.assert(property, { numRuns: 300 });
});
