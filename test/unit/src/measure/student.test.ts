/** Intervals, held against worked examples and against simulation. */
import { describe, expect, it } from "vitest";
import { Prng } from "../../../../src/base/prng.ts";
import {
  differenceInterval,
  hedgesG,
  meanInterval,
  studentT975,
} from "../../../../src/measure/student.ts";

describe("quantiles of Student's t", () => {
  it("are those of the tables", () => {
    expect(studentT975(1)).toBe(12.706);
    expect(studentT975(10)).toBe(2.228);
    expect(studentT975(30)).toBe(2.042);
    expect(studentT975(40)).toBeCloseTo(2.0211, 4);
    expect(studentT975(60)).toBeCloseTo(2.0003, 4);
    expect(studentT975(120)).toBeCloseTo(1.9799, 4);
    expect(studentT975(1e9)).toBeCloseTo(1.96, 4);
  });

  it("of no degree of freedom say nothing", () => {
    expect(studentT975(0)).toBe(Number.POSITIVE_INFINITY);
    expect(studentT975(Number.NaN)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("intervals", () => {
  it("of a mean are what a table gives by hand", () => {
    // Mean 5, standard deviation 2, of four: 5 +- 3.182 * 2 / 2.
    const { mean, low, high } = meanInterval(
      [3, 3, 7, 7].map((n) => 5 + (n - 5) * Math.sqrt(0.75)),
    );
    expect(mean).toBeCloseTo(5, 9);
    expect(low).toBeCloseTo(1.818, 9);
    expect(high).toBeCloseTo(8.182, 9);
  });

  it("of one value are without bounds", () => {
    expect(meanInterval([7])).toEqual({ mean: 7, low: -Infinity, high: Infinity });
    expect(differenceInterval([1], [2]).low).toBe(-Infinity);
  });

  it("of values that never differ are exact", () => {
    expect(differenceInterval([3, 3, 3], [5, 5])).toEqual({ mean: 2, low: 2, high: 2 });
    expect(meanInterval([4, 4])).toEqual({ mean: 4, low: 4, high: 4 });
  });

  it("of a difference hold Welch's degrees of freedom", () => {
    // s1^2 = 1, n1 = 3; s2^2 = 4, n2 = 5: error^2 = 1/3 + 4/5, degrees = 5.98...
    const a = [-1, 0, 1];
    const b = [-2, 2, 0, -2, 2].map((n) => 10 + n);
    const { mean, high } = differenceInterval(a, b);
    expect(mean).toBe(10);
    expect(high - mean).toBeCloseTo(2.571 * Math.sqrt(1 / 3 + 4 / 5), 9);
  });

  it("take one run beside several for one of the same kind", () => {
    const { low, high } = differenceInterval([10, 12, 14], [30]);
    expect([low < 18, high > 18, low > 0]).toEqual([true, true, true]);
  });

  it("miss what is true in five of a hundred", () => {
    const random = Prng.stream(5, "intervals");
    const normal = (): number =>
      Array.from({ length: 12 }, () => random.nextFloat()).reduce((sum, x) => sum + x, -6);
    let missed = 0;
    const rounds = 4_000;
    for (let i = 0; i < rounds; i++) {
      const sample = (n: number, scale: number) =>
        Array.from({ length: n }, () => scale * normal());
      const { low, high } = differenceInterval(sample(5, 1), sample(8, 3));
      if (low > 0 || high < 0) missed++;
    }
    expect(missed / rounds).toBeGreaterThan(0.035);
    expect(missed / rounds).toBeLessThan(0.065);
  });
});

describe("the size of an effect", () => {
  it("is the difference in standard deviations, less the bias of few runs", () => {
    const g = hedgesG([1, 2, 3], [3, 4, 5])!;
    expect(g).toBeCloseTo(2 * (1 - 3 / 15), 9);
    expect(hedgesG([3, 4, 5], [1, 2, 3])).toBeCloseTo(-g, 9);
  });

  it("is not to be had without variance", () => {
    expect(hedgesG([1], [2])).toBeNull();
    expect(hedgesG([1, 1], [2, 2])).toBeNull();
  });
});
