import { expect, it } from "vitest";
import { INTR_REMAP_TABLE_ENTRIES, IrTable } from "../../../../host/irq/vtd.ts";
import { ENOSPC } from "../../../../src/base/errno.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";
import { TraceRecorder } from "../../../../src/trace/trace.ts";

function table(size: number): { t: IrTable; trace: TraceRecorder } {
  const trace = new TraceRecorder(new VirtualClock(), "host");
  return { t: new IrTable(size, trace), trace };
}

function fill(t: IrTable, count: number, owner = "fill"): void {
  for (let i = 0; i < count; i++) t.alloc(1, owner);
}

it("the table of one unit has 65,536 entries, the recorded boot leaves 65,482 (q01)", () => {
  expect(INTR_REMAP_TABLE_ENTRIES).toBe(65_536);
  const { t } = table(65_536);
  fill(t, 54, "boot");
  expect([t.used, t.free]).toEqual([54, 65_482]);
  expect([2, 4, 8, 16, 32].map((block) => t.freeAligned(block))).toEqual([
    32_741, 16_370, 8_185, 4_092, 2_046,
  ]);
  expect(t.alloc(1, "a")).toBe(54);
});

it("MSI takes an aligned block of its size rounded up: 3 take 4, 5 take 8 (q05)", () => {
  expect([1, 2, 3, 4, 5, 8, 9, 16, 17, 32].map(IrTable.blockSize)).toEqual([
    1, 2, 4, 4, 8, 8, 16, 16, 32, 32,
  ]);
  const { t } = table(64);
  fill(t, 1);
  expect(t.alloc(3, "a")).toBe(4);
  expect(t.alloc(9, "a")).toBe(16);
  expect(t.alloc(1, "a")).toBe(1);
  expect(t.used).toBe(1 + 4 + 16 + 1);
  t.release(4, 3, "a");
  expect(t.used).toBe(18);
});

it("a block fails on a fragmented table while single entries are left (q04)", () => {
  const { t } = table(64);
  fill(t, 64);
  for (let index = 1; index < 64; index += 2) t.release(index, 1, "fill");
  expect(t.free).toBe(32);
  expect(t.alloc(2, "msi")).toBe(-ENOSPC);
  expect(t.alloc(1, "msi")).toBe(1);
});

it("says the kernel's two lines, and which table is full and who holds most of it", () => {
  const { t, trace } = table(8);
  fill(t, 2, "0000:00:04.0");
  fill(t, 6, "0000:00:05.0");
  expect(t.alloc(1, "0000:00:06.0")).toBe(-ENOSPC);
  expect(trace.events.map(({ point, args }) => ({ point, ...args }))).toEqual([
    { point: "printk", text: "DMAR-IR: IR0: can't allocate an IRTE" },
    { point: "printk", text: "DMAR-IR: Failed to allocate IRTE" },
    {
      point: "irte_alloc_failed",
      table: "IR0",
      asked: 1,
      for: "0000:00:06.0",
      used: 8,
      size: 8,
      most: "0000:00:05.0",
      mostEntries: 6,
    },
  ]);
});

it("a freed entry is the next one taken, wherever it is", () => {
  const { t } = table(32);
  fill(t, 20);
  t.release(7, 1, "fill");
  expect([t.alloc(1, "a"), t.alloc(1, "a")]).toEqual([7, 20]);
});

it("giving a free entry back is a broken invariant", () => {
  const { t } = table(8);
  expect(() => t.release(3, 1, "a")).toThrow("free already");
});
