import fc from "fast-check";
import { build } from "hdr-histogram-js";
import { describe, expect, test } from "vitest";
import { Prng } from "../../../../src/base/prng.ts";
import { BucketLayout } from "../../../../src/measure/bucket-layout.ts";
import { LatencyHistogram } from "../../../../src/measure/histogram.ts";

const PERCENTILES = [0.1, 1, 10, 25, 50, 75, 90, 99, 99.9, 99.99, 99.999, 100];
const HIGHEST = 2 ** 40;

const oracleOf = (values: readonly number[], digits: 1 | 2 | 3 | 4 | 5 = 3, highest = HIGHEST) => {
  const oracle = build({
    bitBucketSize: 64,
    lowestDiscernibleValue: 1,
    highestTrackableValue: highest,
    numberOfSignificantValueDigits: digits,
  });
  for (const value of values) oracle.recordValue(value);
  return oracle;
};

const histogramOf = (values: readonly number[], digits = 3): LatencyHistogram => {
  const histogram = new LatencyHistogram(digits);
  for (const value of values) histogram.record(value);
  return histogram;
};

/** Latencies as they are: a narrow body, a long tail, some zeros. */
const latencies = (seed: number, n: number): number[] => {
  const random = Prng.stream(seed, "latencies");
  return Array.from({ length: n }, () => Math.floor(random.nextExponential(5_000) ** 1.6));
};

describe("bucket layout", () => {
  test("has HdrHistogram's size for 1 ns to 2^40 ns at three digits", () => {
    const layout = new BucketLayout(3, HIGHEST);
    // 2 * 10^3 needs 2^11 sub-buckets; 2048 * 2^30 is the first that exceeds 2^40.
    expect(layout.subBuckets).toBe(2048);
    expect(layout.buckets).toBe(31);
    expect(layout.length).toBe(32 * 1024);
  });

  test("counts every value in a bucket that contains it and is narrow enough", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.maxSafeNat(), (digits, any) => {
        const layout = new BucketLayout(digits, 2 ** 50);
        const value = any % 2 ** 50;
        const index = layout.indexOf(value);
        expect(layout.lowestOf(index)).toBeLessThanOrEqual(value);
        expect(layout.highestOf(index)).toBeGreaterThanOrEqual(value);
        expect(layout.widthOf(index) - 1).toBeLessThanOrEqual(value * 10 ** -digits);
        expect(index).toBeLessThan(layout.length);
      }),
    );
  });

  test("is continuous where 32-bit arithmetic ends", () => {
    const layout = new BucketLayout(3, HIGHEST);
    for (const edge of [2 ** 11, 2 ** 20, 2 ** 30, 2 ** 31, 2 ** 32, 2 ** 39]) {
      expect(layout.indexOf(edge)).toBe(layout.indexOf(edge - 1) + 1);
      expect(layout.lowestOf(layout.indexOf(edge))).toBe(edge);
    }
    expect(layout.indexOf(HIGHEST)).toBeLessThan(layout.length);
  });

  test("refuses shapes it cannot hold", () => {
    expect(() => new BucketLayout(0, 1_000)).toThrow("significant digits");
    expect(() => new BucketLayout(6, 1_000)).toThrow("significant digits");
    expect(() => new BucketLayout(3, 2 ** 51)).toThrow("highest value");
    expect(() => new BucketLayout(3, 1.5)).toThrow("highest value");
  });
});

describe("percentiles", () => {
  test.each([1, 2, 3, 4, 5] as const)("agree with hdr-histogram-js at %i digits", (digits) => {
    const values = latencies(digits, 20_000);
    const oracle = oracleOf(values, digits);
    const ours = histogramOf(values, digits);
    for (const percent of PERCENTILES) {
      // Ours never reports more than the largest value that was seen; HdrHistogram rounds it up.
      const expected = Math.min(oracle.getValueAtPercentile(percent), Math.max(...values));
      expect(ours.percentile(percent), `${percent} %`).toBe(expected);
    }
    expect(ours.count).toBe(oracle.totalCount);
    expect(ours.mean).toBeCloseTo(oracle.mean, 6);
    expect(ours.stddev).toBeCloseTo(oracle.stdDeviation, 4);
  });

  test("agree with hdr-histogram-js on any data", () => {
    const value = fc.oneof(fc.nat(100), fc.nat(2 ** 31 - 1), fc.integer({ min: 0, max: HIGHEST }));
    const some = fc.array(value, { minLength: 1, maxLength: 60 });
    const percents = fc.double({ min: 0.001, max: 100, noNaN: true });
    fc.assert(
      fc.property(some, percents, (values, percent) => {
        const expected = oracleOf(values).getValueAtPercentile(percent);
        const ours = histogramOf(values).percentile(percent);
        expect(ours).toBe(Math.min(expected, Math.max(...values)));
      }),
    );
  });

  test("are within a thousandth of the sorted samples", () => {
    const values = latencies(9, 10_000);
    const sorted = values.toSorted((a, b) => a - b);
    const histogram = histogramOf(values);
    for (const percent of [50, 90, 99, 99.9]) {
      const exact = sorted[Math.round(percent * 100) - 1]!;
      expect(Math.abs(histogram.percentile(percent) - exact)).toBeLessThanOrEqual(exact / 1000);
    }
  });

  test("of one value are that value", () => {
    const histogram = histogramOf([123_457]);
    expect(PERCENTILES.map((percent) => histogram.percentile(percent))).toEqual(
      PERCENTILES.map(() => 123_457),
    );
    expect([histogram.percentile(0), histogram.min, histogram.max]).toEqual([
      123_457, 123_457, 123_457,
    ]);
  });

  test("of nothing are 0, as are all other figures", () => {
    const { count, min, max, mean, stddev } = new LatencyHistogram();
    expect({ count, min, max, mean, stddev }).toEqual({
      count: 0,
      min: 0,
      max: 0,
      mean: 0,
      stddev: 0,
    });
    expect(new LatencyHistogram().percentile(99)).toBe(0);
    expect(new LatencyHistogram().percentileSpectrum()).toEqual([]);
  });
});

describe("recording", () => {
  test("counts what cannot be a latency as 0 or as the highest, and says so", () => {
    const histogram = new LatencyHistogram(3, 1_000_000);
    for (const ns of [-5, Number.NaN, -0.5, 10, 2e6, Number.POSITIVE_INFINITY]) {
      histogram.record(ns);
    }
    expect(histogram.count).toBe(6);
    expect(histogram.clampedLow).toBe(3);
    expect(histogram.clampedHigh).toBe(2);
    expect([histogram.min, histogram.max]).toEqual([0, 1_000_000]);
  });

  test("minus zero and fractions are latencies", () => {
    const histogram = histogramOf([-0, 0.9, 7.99]);
    expect([histogram.clampedLow, histogram.min, histogram.max]).toEqual([0, 0, 7]);
  });

  test("recordN counts as that many single values do", () => {
    const one = histogramOf([5, 5, 5, 900, 900]);
    const many = new LatencyHistogram();
    many.recordN(5, 3);
    many.recordN(900, 2);
    expect(many.toJSON()).toEqual(one.toJSON());
  });

  test("zero times nothing leaves no trace", () => {
    const histogram = new LatencyHistogram();
    histogram.recordN(7, 0);
    expect(histogram.toJSON()).toEqual(new LatencyHistogram().toJSON());
  });
});

describe("merging and encoding", () => {
  test("the sum of two histograms is the histogram of all values", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2 ** 30)), fc.array(fc.nat(2 ** 30)), (some, others) => {
        const sum = histogramOf(some);
        sum.add(histogramOf(others));
        expect(sum.toJSON()).toEqual(histogramOf([...some, ...others]).toJSON());
      }),
    );
  });

  test("histograms of different shapes are not added", () => {
    expect(() => new LatencyHistogram(3).add(new LatencyHistogram(2))).toThrow("different shapes");
  });

  test("JSON brings everything back", () => {
    const histogram = histogramOf([0, 1, 77, 1e6, 2 ** 39, -1]);
    const text = JSON.stringify(histogram);
    const back = LatencyHistogram.fromJSON(JSON.parse(text));
    expect(JSON.stringify(back)).toBe(text);
    expect(back.percentile(50)).toBe(histogram.percentile(50));
    expect(text.length).toBeLessThan(200);
    const empty = new LatencyHistogram();
    expect(LatencyHistogram.fromJSON(empty.toJSON()).toJSON()).toEqual(empty.toJSON());
  });

  test("JSON that no histogram wrote is refused", () => {
    const good = histogramOf([10, 20]).toJSON();
    const bad = (change: object) => () => LatencyHistogram.fromJSON({ ...good, ...change });
    expect(bad({ counts: [-1, 1] })).toThrow("counter -1");
    expect(bad({ counts: [40_000, 1] })).toThrow("counter 40000");
    expect(bad({ counts: [10, 0.5] })).toThrow("counter 10");
    expect(bad({ counts: [10, -1] })).toThrow("counter 10");
    expect(bad({ counts: [10] })).toThrow("counter 10");
    expect(bad({ max: 2 ** 41 })).toThrow("values from");
    expect(bad({ min: 30 })).toThrow("values from");
  });
});
