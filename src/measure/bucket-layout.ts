/**
 * Log-linear buckets of HdrHistogram (hdrhistogram.org): which counter a value belongs to.
 *
 * Bucket 0 holds the values below `subBuckets` one by one; each further bucket covers a power of
 * two in `halfBuckets` equal steps. With d digits, `subBuckets` is the power of two that holds
 * 2 * 10^d, so that a step is never wider than 10^-d of its values. The unit is 1 (ns).
 */
import { assert } from "../base/assert.ts";

/** 2^20: values from 2^31 on are scaled down by it, so that the index is 32-bit arithmetic. */
const SCALE_BITS = 20;
const SCALE = 2 ** SCALE_BITS;

export class BucketLayout {
  readonly digits: number;
  readonly highest: number;
  /** Counters needed to record up to `highest`. */
  readonly length: number;
  readonly buckets: number;
  readonly subBuckets: number;
  readonly #halfBits: number;
  readonly #half: number;
  readonly #mask: number;
  /** clz32 of the values of bucket 0. */
  readonly #zeros: number;

  /** `digits` is 1 to 5 significant decimal digits, `highest` the largest value, at most 2^50. */
  constructor(digits: number, highest: number) {
    assert(Number.isInteger(digits) && digits >= 1 && digits <= 5, `${digits} significant digits`);
    assert(
      Number.isInteger(highest) && highest >= 2 && highest <= 2 ** 50,
      `highest value ${highest} of a histogram`,
    );
    this.digits = digits;
    this.highest = highest;
    const subBits = Math.ceil(Math.log2(2 * 10 ** digits));
    this.subBuckets = 2 ** subBits;
    this.#halfBits = subBits - 1;
    this.#half = this.subBuckets / 2;
    this.#mask = this.subBuckets - 1;
    this.#zeros = 32 - subBits;
    let buckets = 1;
    for (let covered = this.subBuckets; covered <= highest; covered *= 2) buckets++;
    this.buckets = buckets;
    this.length = (buckets + 1) * this.#half;
  }

  /** Counter of `value`, an integer from 0 to `highest`. Hot path: no checks. */
  indexOf(value: number): number {
    if (value < 0x80000000) {
      const bucket = this.#zeros - Math.clz32(value | this.#mask);
      return (bucket << this.#halfBits) + (value >>> bucket);
    }
    const scaled = (value / SCALE) | 0;
    const bucket = this.#zeros - Math.clz32(scaled | this.#mask);
    return ((bucket + SCALE_BITS) << this.#halfBits) + (scaled >>> bucket);
  }

  /** Smallest value that counter `index` counts. */
  lowestOf(index: number): number {
    const bucket = this.#bucketOf(index);
    return (index - bucket * this.#half) * 2 ** bucket;
  }

  /** Number of values that counter `index` counts as one. */
  widthOf(index: number): number {
    return 2 ** this.#bucketOf(index);
  }

  /** Largest value that counter `index` counts. */
  highestOf(index: number): number {
    return this.lowestOf(index) + this.widthOf(index) - 1;
  }

  #bucketOf(index: number): number {
    return Math.max(0, Math.floor(index / this.#half) - 1);
  }
}
