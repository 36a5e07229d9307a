/** What both vendors' remapping have in common, and the table of entries beneath. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AmdIrqRemapping } from "../../../../host/irq/amd-vi.ts";
import { type EntryKind, EntryTable, type Requester } from "../../../../host/irq/remapping.ts";
import { Shortages } from "../../../../host/irq/shortage.ts";
import { IrTable } from "../../../../host/irq/vtd.ts";

const SILENT = { emit: () => {} };
const requester = (name: string, armed = 0): Requester => {
  return { name, requester: name, armed: () => armed };
};
const A = requester("a");
const B = requester("b");

describe.each([
  ["VT-d", () => new IrTable(64, SILENT, new Shortages(SILENT))],
  ["AMD-Vi", () => new AmdIrqRemapping(64, 0, SILENT, new Shortages(SILENT))],
] as const)("%s", (_name, make) => {
  it("what fits is what can be had, and asking takes nothing", () => {
    const step = fc.record({
      holder: fc.constantFrom(A, B),
      count: fc.constantFrom(1, 1, 1, 2, 3, 4, 8, 16, 32, 64),
      kind: fc.constantFrom<EntryKind[]>("msi", "msix"),
      give: fc.nat(),
    });
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const remapping = make();
      const held: { index: number; count: number; holder: Requester; kind: EntryKind }[] = [];
      for (const { holder, count, kind, give } of steps) {
        const { used } = remapping;
        const fits = remapping.fits(count, holder, kind);
        expect(remapping.used).toBe(used);
        const index = remapping.alloc(count, holder, kind);
        expect(index >= 0).toBe(fits);
        if (index >= 0) held.push({ index, count, holder, kind });
        if (give % 3 > 0 || held.length === 0) continue;
        const [old] = held.splice(give % held.length, 1);
        remapping.release(old!.index, old!.count, old!.holder, old!.kind);
      }
      for (const old of held) remapping.release(old.index, old.count, old.holder, old.kind);
      expect(remapping.used).toBe(0);
    });
    fc.assert(property, { numRuns: 100 });
  });

  it("a whole table fits once, however it was used before", () => {
    const remapping = make();
    const index = remapping.alloc(1, A, "msix");
    expect(remapping.fits(64, A, "msi")).toBe(false);
    remapping.release(index, 1, A, "msix");
    expect(remapping.fits(64, A, "msi")).toBe(true);
    expect(remapping.alloc(64, A, "msi")).toBe(0);
    expect(remapping.fits(1, A, "msix")).toBe(false);
  });
});

describe("a table of entries", () => {
  it("tells what is free as ranges, last entry included", () => {
    const table = new EntryTable("T", 16);
    expect(table.inspect().free).toEqual([{ first: 0, last: 15 }]);
    table.take(0, 2, A);
    table.take(5, 1, B);
    table.take(14, 2, A);
    expect(table.inspect()).toEqual({
      name: "T",
      size: 16,
      used: 5,
      free: [
        { first: 2, last: 4 },
        { first: 6, last: 13 },
      ],
    });
    expect([table.used, table.free]).toEqual([5, 11]);
    table.giveBack(14, 2, A);
    expect(table.inspect().free.at(-1)).toEqual({ first: 6, last: 15 });
  });

  it("counts free blocks where they would be aligned", () => {
    const table = new EntryTable("T", 16);
    table.take(3, 1, A);
    expect([1, 2, 4, 8, 16].map((block) => table.freeAligned(block))).toEqual([15, 7, 3, 1, 0]);
  });

  it("a shortage names who holds most, the first of equals, and the largest block there is", () => {
    const table = new EntryTable("T", 16);
    table.take(0, 3, A);
    table.take(8, 3, B);
    const told = table.shortage(8, "c");
    expect(told).toEqual({
      table: "T",
      size: 16,
      used: 6,
      asked: 8,
      largest: 4,
      for: "c",
      most: A,
      mostEntries: 3,
    });
    table.take(11, 5, B);
    expect(table.shortage(8, "c")).toMatchObject({ largest: 4, most: B, mostEntries: 8 });
    table.take(3, 5, A);
    expect(table.shortage(1, "c")).toMatchObject({ largest: 0, most: A, mostEntries: 8 });
  });

  it("takes back no more than somebody has, and nothing twice", () => {
    const table = new EntryTable("T", 16);
    table.take(0, 2, A);
    table.take(2, 2, B);
    expect(() => table.giveBack(0, 4, A)).toThrow("more entries than it had");
    expect(() => table.giveBack(8, 1, A)).toThrow("free already");
  });
});
