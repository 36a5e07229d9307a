import { expect, it } from "vitest";
import { type Holder, Shortages } from "../../../../host/irq/shortage.ts";
import { INTR_REMAP_TABLE_ENTRIES, IrTable } from "../../../../host/irq/vtd.ts";
import { ENOSPC } from "../../../../src/base/errno.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";
import { TraceRecorder } from "../../../../src/trace/trace.ts";

function table(size: number): { t: IrTable; trace: TraceRecorder } {
  const trace = new TraceRecorder(new VirtualClock(), "host");
  return { t: new IrTable(size, trace, new Shortages(trace)), trace };
}

function holder(name: string, armed = 0): Holder {
  return { name, armed: () => armed };
}

const FILL = holder("fill");
const A = holder("a");

function fill(t: IrTable, count: number, owner = FILL): void {
  for (let i = 0; i < count; i++) t.alloc(1, owner);
}

it("the table of one unit has 65,536 entries, the recorded boot leaves 65,482 (q01)", () => {
  expect(INTR_REMAP_TABLE_ENTRIES).toBe(65_536);
  const { t } = table(65_536);
  fill(t, 54);
  expect([t.used, t.free]).toEqual([54, 65_482]);
  expect([2, 4, 8, 16, 32].map((block) => t.freeAligned(block))).toEqual([
    32_741, 16_370, 8_185, 4_092, 2_046,
  ]);
  expect(t.alloc(1, A)).toBe(54);
});

it("MSI takes an aligned block of its size rounded up: 3 take 4, 5 take 8 (q05)", () => {
  const counts = [1, 2, 3, 4, 5, 8, 9, 16, 17, 32];
  const taken = counts.map((count) => {
    const { t } = table(64);
    t.alloc(count, A);
    return t.used;
  });
  expect(taken).toEqual([1, 2, 4, 4, 8, 8, 16, 16, 32, 32]);
  const { t } = table(64);
  fill(t, 1);
  expect(t.alloc(3, A)).toBe(4);
  expect(t.alloc(9, A)).toBe(16);
  expect(t.alloc(1, A)).toBe(1);
  expect(t.used).toBe(1 + 4 + 16 + 1);
  t.release(4, 3, A);
  expect(t.used).toBe(18);
});

it("a block fails on a fragmented table while single entries are left (q04)", () => {
  const { t } = table(64);
  fill(t, 64);
  for (let index = 1; index < 64; index += 2) t.release(index, 1, FILL);
  expect(t.free).toBe(32);
  expect(t.alloc(2, A)).toBe(-ENOSPC);
  expect(t.alloc(1, A)).toBe(1);
});

it("the words for a failed block name the largest that would have fitted (q05)", () => {
  const { t, trace } = table(32);
  fill(t, 32);
  for (let index = 8; index < 23; index++) t.release(index, 1, FILL);
  expect(t.alloc(9, A)).toBe(-ENOSPC);
  expect(trace.events.at(-1)!.args).toMatchObject({ asked: 16, largest: 8, used: 17 });
});

it("says the kernel's two lines, which table is full, who holds most of it and what idles", () => {
  const { t, trace } = table(8);
  fill(t, 2, holder("0000:00:04.0", 2));
  fill(t, 6, holder("0000:00:05.0", 1));
  expect(t.alloc(1, holder("0000:00:06.0"))).toBe(-ENOSPC);
  expect(trace.events.map(({ point, args }) => ({ point, ...args }))).toEqual([
    { point: "printk", text: "DMAR-IR: IR0: can't allocate an IRTE" },
    { point: "printk", text: "DMAR-IR: Failed to allocate IRTE" },
    {
      point: "irte_alloc_failed",
      table: "IR0",
      size: 8,
      used: 8,
      asked: 1,
      largest: 0,
      for: "0000:00:06.0",
      most: "0000:00:05.0",
      mostEntries: 6,
      mostIdle: 5,
    },
  ]);
});

it("a freed entry is the next one taken, wherever it is", () => {
  const { t } = table(32);
  fill(t, 20);
  t.release(7, 1, FILL);
  expect([t.alloc(1, A), t.alloc(1, A)]).toEqual([7, 20]);
});

it("giving a free entry back is a broken invariant", () => {
  const { t } = table(8);
  expect(() => t.release(3, 1, A)).toThrow("free already");
});
