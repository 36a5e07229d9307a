/** A latency histogram with the buckets of HdrHistogram (hdrhistogram.org); allocates nothing. */
import { assert } from "../base/assert.ts";
import { BucketLayout } from "./bucket-layout.ts";

/** 2^40 ns: 18 minutes. */
export const HIGHEST_DEFAULT_NS = 2 ** 40;
export const DIGITS_DEFAULT = 3;

/** A histogram as plain data: counters that are not zero, as index, count, index, count, ... */
export interface HistogramJson {
  readonly digits: number;
  readonly highest: number;
  readonly min: number;
  readonly max: number;
  readonly clampedLow: number;
  readonly clampedHigh: number;
  readonly counts: readonly number[];
}

/** One step of a percentile distribution: `count` values are at or below `value`. */
export interface SpectrumPoint {
  /** Largest value equivalent to those counted, as HdrHistogram reports it. */
  readonly value: number;
  /** The percentile asked for, 0 to 100. */
  readonly percentile: number;
  readonly count: number;
}

export class LatencyHistogram {
  readonly layout: BucketLayout;
  /** One counter for each of `layout`'s indexes; doubles, so that none can wrap. */
  readonly #counts: Float64Array;
  #count = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;
  #clampedLow = 0;
  #clampedHigh = 0;

  constructor(digits = DIGITS_DEFAULT, highest = HIGHEST_DEFAULT_NS) {
    this.layout = new BucketLayout(digits, highest);
    this.#counts = new Float64Array(this.layout.length);
  }

  /** Counts one value; see `recordN`. */
  record(ns: number): void {
    this.recordN(ns, 1);
  }

  /**
   * Counts `ns` (its fraction is cut off) `times` times. What cannot be a latency is not lost:
   * negative and NaN count as 0, more than `highest` as `highest`, both noted beside.
   */
  recordN(ns: number, times: number): void {
    if (times === 0) return;
    let value = Math.floor(ns);
    if (!(ns >= 0)) {
      value = 0;
      this.#clampedLow += times;
    } else if (value > this.layout.highest) {
      value = this.layout.highest;
      this.#clampedHigh += times;
    }
    this.#counts[this.layout.indexOf(value)]! += times;
    this.#count += times;
    // Plus 0, since -0 is a latency that should read 0.
    if (value < this.#min) this.#min = value + 0;
    if (value > this.#max) this.#max = value;
  }

  get count(): number {
    return this.#count;
  }

  /** Smallest value recorded, exact; 0 if there is none. */
  get min(): number {
    return this.#count === 0 ? 0 : this.#min;
  }

  /** Largest value recorded, exact; 0 if there is none. */
  get max(): number {
    return this.#max;
  }

  /** Values that were negative or NaN: clocks that disagree, or a peer that lies. */
  get clampedLow(): number {
    return this.#clampedLow;
  }

  /** Values that were above `highest`. */
  get clampedHigh(): number {
    return this.#clampedHigh;
  }

  countAt(index: number): number {
    return this.#counts[index]!;
  }

  /** Counters up to the one that holds the largest value. */
  get used(): number {
    return this.#count === 0 ? 0 : this.layout.indexOf(this.#max) + 1;
  }

  /**
   * The value that `percent` (0 to 100) of all recorded values do not exceed, to within the
   * buckets' precision and never above `max`; 0 if nothing was recorded.
   */
  percentile(percent: number): number {
    if (this.#count === 0) return 0;
    if (percent <= 0) return this.min;
    const exact = (Math.min(percent, 100) / 100) * this.#count;
    // The product may come out one ulp above a whole number, which must not cost a count.
    const wanted = Math.max(1, Math.ceil(exact * (1 - Number.EPSILON)));
    let seen = 0;
    for (let index = 0, used = this.used; index < used; index++) {
      seen += this.#counts[index]!;
      if (seen >= wanted) return Math.min(this.layout.highestOf(index), this.#max);
    }
    return this.#max;
  }

  /** Mean of the values as the buckets have them: each counts as the middle of its bucket. */
  get mean(): number {
    if (this.#count === 0) return 0;
    let sum = 0;
    for (let index = 0, used = this.used; index < used; index++) {
      const count = this.#counts[index]!;
      if (count !== 0) sum += count * this.#middleOf(index);
    }
    return sum / this.#count;
  }

  /** Standard deviation of the population, from bucket middles as `mean`. */
  get stddev(): number {
    if (this.#count === 0) return 0;
    const mean = this.mean;
    let squares = 0;
    for (let index = 0, used = this.used; index < used; index++) {
      const count = this.#counts[index]!;
      if (count !== 0) squares += count * (this.#middleOf(index) - mean) ** 2;
    }
    return Math.sqrt(squares / this.#count);
  }

  #middleOf(index: number): number {
    return this.layout.lowestOf(index) + Math.floor(this.layout.widthOf(index) / 2);
  }

  /** Adds everything `other` has recorded; both must have the same precision and range. */
  add(other: LatencyHistogram): void {
    const { digits, highest } = this.layout;
    assert(
      other.layout.digits === digits && other.layout.highest === highest,
      "histograms of different shapes cannot be added",
    );
    const used = other.used;
    for (let index = 0; index < used; index++) this.#counts[index]! += other.#counts[index]!;
    this.#count += other.#count;
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
    this.#clampedLow += other.#clampedLow;
    this.#clampedHigh += other.#clampedHigh;
  }

  /**
   * HdrHistogram's percentile distribution: `ticks` steps for each halving of the distance to
   * 100 %, ending with the largest value at 100 %. Empty without values.
   */
  percentileSpectrum(ticks = 5): SpectrumPoint[] {
    const points: SpectrumPoint[] = [];
    let level = 0;
    let seen = 0;
    for (let index = 0, used = this.used; index < used; index++) {
      const count = this.#counts[index]!;
      if (count === 0) continue;
      seen += count;
      const value = this.layout.highestOf(index);
      const reached = (100 * seen) / this.#count;
      while (seen < this.#count && reached >= level) {
        points.push({ value, percentile: level, count: seen });
        level += 100 / (ticks * 2 ** (Math.floor(Math.log2(100 / (100 - level))) + 1));
      }
      if (seen === this.#count) {
        points.push({ value, percentile: level, count: seen });
        points.push({ value, percentile: 100, count: seen });
      }
    }
    return points;
  }

  toJSON(): HistogramJson {
    const { digits, highest } = this.layout;
    const counts: number[] = [];
    for (let index = 0, used = this.used; index < used; index++) {
      const count = this.#counts[index]!;
      if (count !== 0) counts.push(index, count);
    }
    const { min, max, clampedLow, clampedHigh } = this;
    return { digits, highest, min, max, clampedLow, clampedHigh, counts };
  }

  /** The histogram that `toJSON` described; throws InvariantError if it could not have. */
  static fromJSON(json: HistogramJson): LatencyHistogram {
    const histogram = new LatencyHistogram(json.digits, json.highest);
    const { length } = histogram.layout;
    for (let at = 0; at < json.counts.length; at += 2) {
      const index = json.counts[at]!;
      const count = json.counts[at + 1]!;
      assert(Number.isInteger(index) && index >= 0 && index < length, `counter ${index}`);
      assert(Number.isSafeInteger(count) && count > 0, `counter ${index} of ${count}`);
      histogram.#counts[index] = count;
      histogram.#count += count;
    }
    if (histogram.#count === 0) return histogram;
    const inRange = json.min >= 0 && json.min <= json.max && json.max <= json.highest;
    assert(inRange, `values from ${json.min} to ${json.max}`);
    histogram.#min = json.min;
    histogram.#max = json.max;
    histogram.#clampedLow = json.clampedLow;
    histogram.#clampedHigh = json.clampedHigh;
    return histogram;
  }
}
