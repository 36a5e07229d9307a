/**
 * Histograms in HdrHistogram's own formats, for its plotters and log tools: percentile
 * distributions (.hgrm) and logs (.hlog) of the compressed V2 encoding (hdrhistogram.org).
 */
import { deflateSync } from "node:zlib";
import type { LatencyHistogram } from "./histogram.ts";

/** Cookies of the V2 encoding; 0x10 says that words are ZigZag LEB128. */
const COOKIE = 0x1c849303 | 0x10;
const COOKIE_COMPRESSED = 0x1c849304 | 0x10;
const HEADER_BYTES = 40;
/** A ZigZag LEB128 word of a count below 2^53. */
const WORD_BYTES_MAX = 8;

/**
 * Decimal text, halves rounded up by the shortest decimal form as Java's formatter does; toFixed
 * goes by the binary value.
 */
function decimals(digits: number): (n: number) => string {
  const format = new Intl.NumberFormat("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    useGrouping: false,
  });
  return (n) => format.format(n);
}

/** The percentile distribution as text; values in units of `unitNs` (1000: microseconds). */
export function hgrmText(histogram: LatencyHistogram, unitNs = 1_000, ticks = 5): string {
  const { digits, buckets, subBuckets } = histogram.layout;
  const valueText = decimals(digits);
  const levelText = decimals(12);
  const distanceText = decimals(2);
  const number = (ns: number): string => valueText(ns / unitNs).padStart(12);
  const integer = (n: number): string => `${n}`.padStart(12);
  const lines = ["       Value     Percentile TotalCount 1/(1-Percentile)", ""];
  for (const { value, percentile, count } of histogram.percentileSpectrum(ticks)) {
    const level = percentile / 100;
    const head = `${number(value)} ${levelText(level)} ${`${count}`.padStart(10)}`;
    const distance = level < 1 ? ` ${distanceText(1 / (1 - level)).padStart(14)}` : "";
    lines.push(head + distance);
  }
  const { mean, stddev, max, count } = histogram;
  lines.push(
    `#[Mean    = ${number(mean)}, StdDeviation   = ${number(stddev)}]`,
    `#[Max     = ${number(max)}, Total count    = ${integer(count)}]`,
    `#[Buckets = ${integer(buckets)}, SubBuckets     = ${integer(subBuckets)}]`,
  );
  return `${lines.join("\n")}\n`;
}

/** The compressed V2 encoding in base64. */
export function encodeCompressed(histogram: LatencyHistogram): string {
  const packed = deflateSync(encodeV2(histogram));
  const header = Buffer.alloc(8);
  header.writeInt32BE(COOKIE_COMPRESSED, 0);
  header.writeInt32BE(packed.length, 4);
  return Buffer.concat([header, packed]).toString("base64");
}

/** Header, then a word for each counter; a run of n empty ones is the word -n. */
function encodeV2(histogram: LatencyHistogram): Buffer {
  const { used } = histogram;
  const bytes = Buffer.alloc(HEADER_BYTES + used * WORD_BYTES_MAX);
  let at = HEADER_BYTES;
  for (let index = 0; index < used; index++) {
    const count = histogram.countAt(index);
    if (count > 0) {
      at = putZigZag(bytes, at, count);
      continue;
    }
    let empty = 1;
    while (index + 1 < used && histogram.countAt(index + 1) === 0) {
      empty++;
      index++;
    }
    at = putZigZag(bytes, at, empty === 1 ? 0 : -empty);
  }
  bytes.writeInt32BE(COOKIE, 0);
  bytes.writeInt32BE(at - HEADER_BYTES, 4);
  bytes.writeInt32BE(0, 8); // normalizing index offset
  bytes.writeInt32BE(histogram.layout.digits, 12);
  bytes.writeBigInt64BE(1n, 16); // lowest discernible value
  bytes.writeBigInt64BE(BigInt(histogram.layout.highest), 24);
  bytes.writeDoubleBE(1, 32); // integer to double conversion ratio
  return bytes.subarray(0, at);
}

/** Writes `n` as ZigZag LEB128 and returns the place after it. Doubles, so no 32-bit shifts. */
function putZigZag(bytes: Buffer, at: number, n: number): number {
  let rest = n >= 0 ? n * 2 : -n * 2 - 1;
  while (rest >= 0x80) {
    bytes[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[at++] = rest;
  return at;
}

/** One interval of a histogram log. */
export interface LogInterval {
  /** What was measured: no comma or blank. */
  readonly tag: string;
  readonly startNs: number;
  readonly lengthNs: number;
  readonly histogram: LatencyHistogram;
}

/** A histogram log (format version 1.3); times from the start of the run, maxima in ms. */
export function hlogText(intervals: readonly LogInterval[]): string {
  const lines = [
    "#[Histogram log format version 1.3]",
    "#[StartTime: 0.000 (seconds since epoch)]",
    '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
  ];
  for (const { tag, startNs, lengthNs, histogram } of intervals) {
    const seconds = `${(startNs / 1e9).toFixed(3)},${(lengthNs / 1e9).toFixed(3)}`;
    const max = (histogram.max / 1e6).toFixed(3);
    lines.push(`Tag=${tag},${seconds},${max},${encodeCompressed(histogram)}`);
  }
  return `${lines.join("\n")}\n`;
}
