import fc from "fast-check";
import { expect, it } from "vitest";
import { Shortages } from "../../host/irq/shortage.ts";
import { IrTable } from "../../host/irq/vtd.ts";
import { ENOSPC } from "../../src/base/errno.ts";

const SILENT = { emit: () => {} };

/** First fit by looking at every place, on plain booleans. */
class NaiveTable {
  readonly used: boolean[];

  constructor(size: number) {
    this.used = Array(size).fill(false);
  }

  alloc(count: number): number {
    let block = 1;
    while (block < count) block *= 2;
    for (let at = 0; at + block <= this.used.length; at += block) {
      if (this.used.slice(at, at + block).some((bit) => bit)) continue;
      this.used.fill(true, at, at + block);
      return at;
    }
    return -ENOSPC;
  }

  release(at: number, count: number): void {
    let block = 1;
    while (block < count) block *= 2;
    this.used.fill(false, at, at + block);
  }
}

const HOLDER = { name: "a", armed: () => 0 };

it("the VT-d table places every block where a naive first fit places it", () => {
  const command = fc.oneof(
    { weight: 3, arbitrary: fc.record({ take: fc.constantFrom(1, 1, 1, 2, 3, 4, 5, 8, 9, 16) }) },
    { weight: 2, arbitrary: fc.record({ give: fc.nat() }) },
  );
  const property = fc.property(
    fc.constantFrom(32, 64, 96),
    fc.array(command, { maxLength: 120 }),
    (size, commands) => {
      const table = new IrTable(size, SILENT, new Shortages(SILENT));
      const naive = new NaiveTable(size);
      const held: { index: number; count: number }[] = [];
      for (const step of commands) {
        if ("take" in step) {
          const index = table.alloc(step.take, HOLDER);
          expect(index).toBe(naive.alloc(step.take));
          if (index >= 0) held.push({ index, count: step.take });
        } else if (held.length > 0) {
          const [block] = held.splice(step.give % held.length, 1);
          table.release(block!.index, block!.count, HOLDER);
          naive.release(block!.index, block!.count);
        }
        expect(table.used).toBe(naive.used.filter((bit) => bit).length);
      }
      const free = new Set(
        table.inspect()[0]!.free.flatMap(({ first, last }) => {
          return Array.from({ length: last - first + 1 }, (_, i) => first + i);
        }),
      );
      naive.used.forEach((bit, index) => {
        expect(free.has(index)).toBe(!bit);
      });
    },
  );
  fc.assert(property, { numRuns: 300 });
});
