import fc from "fast-check";
import { expect, test } from "vitest";
import {
  median,
  medianAbsoluteDeviation,
  pairedRatio,
  percentileOf,
  RunningMoments,
} from "../../../../src/measure/statistics.ts";

test("the median is the middle value, or the mean of the two in the middle", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test("numbers are ordered as numbers, and the samples are left as they were", () => {
  const values = [100, 9, 10];
  expect(median(values)).toBe(10);
  expect(values).toEqual([100, 9, 10]);
});

test("percentiles are linear between neighbours and end at least and greatest", () => {
  expect([0, 25, 90, 100, 150, -5].map((p) => percentileOf([10, 20, 30, 40, 50], p))).toEqual([
    10, 20, 46, 50, 50, 10,
  ]);
});

test("one outlier does not move the median absolute deviation", () => {
  expect(medianAbsoluteDeviation([1, 1, 2, 2, 4, 6, 9])).toBe(1);
  expect(medianAbsoluteDeviation([1, 1, 2, 2, 4, 6, 9_000])).toBe(1);
});

test("a paired ratio cancels what slows both sides down alike", () => {
  expect(pairedRatio([20, 200, 24], [10, 100, 12])).toBe(2);
});

test("running moments agree with two passes over the values", () => {
  const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 2 });
  fc.assert(
    fc.property(values, (some) => {
      const running = new RunningMoments();
      for (const value of some) running.add(value);
      const mean = some.reduce((a, b) => a + b, 0) / some.length;
      const variance = some.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (some.length - 1);
      expect(running.count).toBe(some.length);
      expect(Math.abs(running.mean - mean)).toBeLessThan(1e-6);
      expect(Math.abs(running.variance - variance)).toBeLessThanOrEqual(1e-9 * variance + 1e-6);
      expect([running.min, running.max]).toEqual([Math.min(...some), Math.max(...some)]);
    }),
  );
});

test("one value has no variance", () => {
  const running = new RunningMoments();
  running.add(5);
  expect([running.mean, running.variance, running.stddev]).toEqual([5, 0, 0]);
});
