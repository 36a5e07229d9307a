import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Bitmap } from "../../src/base/bitmap.ts";
import { formatRanges } from "../../src/base/ranges.ts";
import {
  formatCount,
  formatNs,
  formatRate,
  parseDurationNs,
  parseRatePerSecond,
} from "../../src/base/units.ts";

/** The same searches, one bit at a time. */
class BitSet {
  readonly bits = new Set<number>();
  readonly size: number;

  constructor(size: number) {
    this.size = size;
  }

  find(from: number, set: boolean): number {
    for (let bit = from; bit < this.size; bit++) if (this.bits.has(bit) === set) return bit;
    return -1;
  }

  area(count: number, align: number): number {
    for (let start = 0; start + count <= this.size; start += align) {
      let free = true;
      for (let bit = start; bit < start + count; bit++) free &&= !this.bits.has(bit);
      if (free) return start;
    }
    return -1;
  }
}

const operation = fc.record({
  kind: fc.constantFrom("set", "clear", "setRange", "clearRange", "search"),
  at: fc.nat(199),
  count: fc.integer({ min: 1, max: 70 }),
  align: fc.constantFrom(1, 2, 4, 8, 32),
});

describe("a bitmap", () => {
  it("behaves as a set of numbers", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.array(operation), (size, operations) => {
        const map = new Bitmap(size);
        const model = new BitSet(size);
        for (const { kind, at, count, align } of operations) {
          const start = at % size;
          const length = kind.endsWith("Range") ? Math.min(count, size - start) : 1;
          const bits = Array.from({ length }, (_, i) => start + i);
          if (kind === "set") map.set(start);
          if (kind === "clear") map.clear(start);
          if (kind === "setRange") map.setRange(start, length);
          if (kind === "clearRange") map.clearRange(start, length);
          if (kind.startsWith("set")) for (const bit of bits) model.bits.add(bit);
          if (kind.startsWith("clear")) for (const bit of bits) model.bits.delete(bit);
          expect(map.weight).toBe(model.bits.size);
          expect(map.test(start)).toBe(model.bits.has(start));
          expect(map.findNextZero(start)).toBe(model.find(start, false));
          expect(map.findNextSet(start)).toBe(model.find(start, true));
          expect(map.findZeroArea(count, align)).toBe(model.area(count, align));
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("ranges", () => {
  it("name exactly the numbers they were made of", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(60)), (numbers) => {
        const ascending = numbers.sort((a, b) => a - b);
        const text = formatRanges(ascending);
        const parsed =
          text === ""
            ? []
            : text.split(",").flatMap((range) => {
                const [first, last] = range.split("-").map(Number) as [number, number?];
                return Array.from({ length: (last ?? first) - first + 1 }, (_, i) => first + i);
              });
        expect(parsed).toEqual(ascending);
        expect(text.match(/,/g)?.length ?? 0).toBeLessThanOrEqual(ascending.length);
      }),
    );
  });
});

describe("units", () => {
  it("a formatted duration or rate is within half a percent when it is read again", () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e11, noNaN: true }), (value) => {
        const tolerance = value * 0.0051;
        // Durations are read as whole nanoseconds, and so are rounded twice.
        const ns = parseDurationNs(formatNs(value));
        expect(Math.abs(ns - value)).toBeLessThanOrEqual(Math.max(0.56, tolerance));
        const rate = parseRatePerSecond(formatRate(value));
        expect(Math.abs(rate - value)).toBeLessThanOrEqual(tolerance);
      }),
    );
  });

  it("a formatted count has the digits of the number", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (count) => {
        expect(Number(formatCount(count).replaceAll(",", ""))).toBe(count);
        expect(formatCount(count)).toMatch(/^-?\d{1,3}(,\d{3})*$/);
      }),
    );
  });

  it("a duration never throws anything but a usage error", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."0123456789.eE+- nmuskMG/hµ") }), (text) => {
        for (const parse of [parseDurationNs, parseRatePerSecond]) {
          try {
            expect(parse(text)).toBeGreaterThanOrEqual(0);
          } catch (error) {
            expect((error as Error).name).toBe("UsageError");
          }
        }
      }),
    );
  });
});
