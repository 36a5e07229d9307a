import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  HistogramLogReader,
} from "hdr-histogram-js";
import { expect, test } from "vitest";
import { Prng } from "../../../../src/base/prng.ts";
import { encodeCompressed, hgrmText, hlogText } from "../../../../src/measure/hdr-format.ts";
import { LatencyHistogram } from "../../../../src/measure/histogram.ts";

const HIGHEST = 2 ** 40;

const pair = (values: readonly number[]) => {
  const oracle = build({
    bitBucketSize: 64,
    highestTrackableValue: HIGHEST,
    numberOfSignificantValueDigits: 3,
  });
  const ours = new LatencyHistogram(3, HIGHEST);
  for (const value of values) {
    oracle.recordValue(value);
    ours.record(value);
  }
  return { oracle, ours };
};

const sample = (seed: number, n: number, meanNs: number): number[] => {
  const random = Prng.stream(seed, "hdr");
  return Array.from({ length: n }, () => Math.floor(random.nextExponential(meanNs)));
};

test.each([
  ["one value", [1_234]],
  ["small values with gaps of every length", [0, 1, 3, 6, 10, 15, 2_047, 2_048, 4_100]],
  ["values beyond 32 bits", [2 ** 31, 2 ** 32 + 5, 2 ** 39, HIGHEST]],
  ["many latencies", sample(1, 30_000, 8_000)],
])("hdr-histogram-js decodes what we encode: %s", (_name, values) => {
  const { oracle, ours } = pair(values);
  const decoded = decodeFromCompressedBase64(encodeCompressed(ours), 64);
  expect(decoded.totalCount).toBe(values.length);
  expect(decoded.numberOfSignificantValueDigits).toBe(3);
  for (let percent = 0; percent <= 100; percent += 0.5) {
    expect(decoded.getValueAtPercentile(percent)).toBe(oracle.getValueAtPercentile(percent));
  }
  // Its own encoding of the same values, decoded, is the same in every line and figure.
  const again = decodeFromCompressedBase64(encodeIntoCompressedBase64(oracle), 64);
  expect(decoded.outputPercentileDistribution()).toBe(again.outputPercentileDistribution());
});

test("a count of more than 2^32 survives the encoding", () => {
  const histogram = new LatencyHistogram();
  histogram.recordN(5_000, 2 ** 36 + 3);
  expect(decodeFromCompressedBase64(encodeCompressed(histogram), 64).totalCount).toBe(2 ** 36 + 3);
});

test("an empty histogram can be encoded", () => {
  expect(decodeFromCompressedBase64(encodeCompressed(new LatencyHistogram()), 64).totalCount).toBe(
    0,
  );
});

test.each([
  ["latencies", sample(2, 10_000, 3_000)],
  ["two values", [5, 5_000_000]],
  ["equal values", [700, 700, 700]],
])("the percentile distribution reads as HdrHistogram's: %s", (_name, values) => {
  const { oracle, ours } = pair(values);
  expect(hgrmText(ours, 1_000)).toBe(oracle.outputPercentileDistribution(5, 1_000));
  expect(hgrmText(ours, 1, 10)).toBe(oracle.outputPercentileDistribution(10, 1));
});

test("a log reader finds every interval with its tag, times and counts", () => {
  const { ours } = pair(sample(3, 1_000, 2_000));
  const text = hlogText([
    { tag: "total", startNs: 0, lengthNs: 1.5e9, histogram: ours },
    { tag: "raised->handler", startNs: 1.5e9, lengthNs: 0.5e9, histogram: ours },
  ]);
  const reader = new HistogramLogReader(text, 64);
  const first = reader.nextIntervalHistogram()!;
  expect([first.tag, first.totalCount, first.startTimeStampMsec]).toEqual(["total", 1_000, 0]);
  expect(first.endTimeStampMsec).toBe(1_500);
  const second = reader.nextIntervalHistogram()!;
  expect([second.tag, second.startTimeStampMsec]).toEqual(["raised->handler", 1_500]);
  expect(second.getValueAtPercentile(99)).toBe(first.getValueAtPercentile(99));
  expect(reader.nextIntervalHistogram()).toBeNull();
});
