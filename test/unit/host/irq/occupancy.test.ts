/** The series of who holds what: exact where changes are few, true to its extremes where many. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BUCKETS_MAX, HOLDERS_MAX, OccupancySeries } from "../../../../host/irq/occupancy.ts";
import type { PoolOccupancy } from "../../../../src/run/contract.ts";

class TestClock {
  readonly kind = "virtual";
  ns = 0;
  now(): number {
    return this.ns;
  }
  stamp(to: Float64Array, at: number): void {
    to[at] = this.ns;
  }
  spend(ns: number): void {
    this.ns += ns;
  }
}

interface Change {
  readonly afterNs: number;
  readonly who: string;
  readonly irqs: number;
}

function play(changes: readonly Change[], max?: number): PoolOccupancy {
  const clock = new TestClock();
  const series = new OccupancySeries(clock, max);
  for (const { afterNs, who, irqs } of changes) {
    clock.ns += afterNs;
    series.change(who, irqs, irqs);
  }
  clock.ns += 1_000;
  return series.report();
}

function totals({ at, holders }: PoolOccupancy): number[] {
  return at.map((_, i) => holders.reduce((sum, { irqs }) => sum + irqs[i]!, 0));
}

const CHANGES = fc.array(
  fc.record({
    afterNs: fc.integer({ min: 0, max: 20_000 }),
    who: fc.constantFrom("nvme0", "nvme1", "IO-APIC pin 21"),
    irqs: fc.integer({ min: -9, max: 9 }),
  }),
  { maxLength: 600 },
);

describe("the series of occupancy", () => {
  it("keeps few changes with their times, holder by holder", () => {
    const series = play([
      { afterNs: 10_000, who: "a", irqs: 3 },
      { afterNs: 10_000, who: "b", irqs: 2 },
      { afterNs: 10_000, who: "a", irqs: -3 },
    ]);
    expect(series.at).toEqual([0, 10_000, 20_000, 30_000, 31_000]);
    expect(series.holders).toEqual([
      { name: "a", irqs: [0, 3, 3, 0, 0], irtes: [0, 3, 3, 0, 0] },
      { name: "b", irqs: [0, 0, 2, 2, 2], irtes: [0, 0, 2, 2, 2] },
    ]);
  });

  it("counts irqs that have no entry, and entries that have no irq", () => {
    const clock = new TestClock();
    const series = new OccupancySeries(clock);
    series.change("without remapping", 2, 0);
    series.change("IO-APIC pin 21", 0, 1);
    series.change("nothing", 0, 0);
    expect(series.report().holders).toEqual([
      { name: "without remapping", irqs: [2, 2], irtes: [0, 0] },
      { name: "IO-APIC pin 21", irqs: [0, 0], irtes: [1, 1] },
    ]);
  });

  it("leaves out steps of a rise within a bucket, never its top", () => {
    const rise = Array.from({ length: 5 }, () => ({ afterNs: 10, who: "a", irqs: 1 }));
    const fall = { afterNs: 10, who: "a", irqs: -5 };
    expect(totals(play([...rise, fall]))).toEqual([5, 0, 0]);
  });

  it("is bounded, in order of time, and ends with what is held", () => {
    fc.assert(
      fc.property(CHANGES, (changes) => {
        const series = play(changes, 8);
        expect(series.at.length).toBeLessThanOrEqual(3 * 8 + 2);
        expect(series.at).toEqual([...series.at].sort((a, b) => a - b));
        const sum = changes.reduce((held, { irqs }) => held + irqs, 0);
        expect(totals(series).at(-1)).toBe(sum + 0);
      }),
      { seed: 1 },
    );
  });

  it("never loses the highest and the lowest total", () => {
    fc.assert(
      fc.property(CHANGES, (changes) => {
        const states = [0];
        for (const { irqs } of changes) states.push(states.at(-1)! + irqs);
        const kept = totals(play(changes, 8));
        // What it was before the first change is the only state that it need not tell.
        expect(Math.max(0, ...kept)).toBe(Math.max(...states));
        expect(Math.min(0, ...kept)).toBe(Math.min(...states));
      }),
      { seed: 2 },
    );
  });

  it("names the largest holders only, where there are many, and adds up the others", () => {
    const many = Array.from({ length: 1_000 }, (_, i) => {
      return { afterNs: 5_000, who: `nvme${i}`, irqs: i === 700 ? 65 : 9 };
    });
    const { at, holders, others } = play(many);
    expect(holders.length).toBe(HOLDERS_MAX);
    expect(holders.map(({ name }) => name)).toContain("nvme700");
    expect(others!.count).toBe(1_000 - HOLDERS_MAX);
    const last = at.length - 1;
    const named = holders.reduce((sum, { irqs }) => sum + irqs[last]!, 0);
    expect(named + others!.irqs[last]!).toBe(999 * 9 + 65);
  });

  it("fits a report: at most 400 points however long the run", () => {
    const changes = Array.from({ length: 50_000 }, (_, i) => ({
      afterNs: 700 * (1 + (i % 13)),
      who: `nvme${i % 7}`,
      irqs: i % 5 === 4 ? -4 : 1,
    }));
    const series = play(changes);
    expect(series.at.length).toBeLessThanOrEqual(3 * BUCKETS_MAX + 2);
    expect(series.at.length).toBeGreaterThan(150);
    expect(play(changes)).toEqual(series);
  });
});
