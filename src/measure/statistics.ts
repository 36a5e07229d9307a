/** Robust statistics of small sets of measurements, and running moments (Welford 1962). */

/** `values` in ascending order, as a copy. */
function ascending(values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values).sort();
}

/** Percentile (0 to 100) of samples, linear between neighbours; NaN of none. */
export function percentileOf(values: ArrayLike<number>, percent: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = ascending(values);
  const at = (Math.min(Math.max(percent, 0), 100) / 100) * (sorted.length - 1);
  const below = Math.floor(at);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (high - low) * (at - below);
}

export function median(values: ArrayLike<number>): number {
  return percentileOf(values, 50);
}

/** Median absolute deviation from the median; times 1.4826 it estimates a normal's sigma. */
export function medianAbsoluteDeviation(values: ArrayLike<number>): number {
  const middle = median(values);
  return median(Float64Array.from(values, (value) => Math.abs(value - middle)));
}

/**
 * Median of the ratios of pairs measured back to back (A B A B): what disturbs both alike cancels.
 * The arrays are as long as each other; NaN of none.
 */
export function pairedRatio(values: ArrayLike<number>, floors: ArrayLike<number>): number {
  return median(Float64Array.from(values, (value, i) => value / floors[i]!));
}

/** Mean, variance, least and greatest of a stream, in one pass. */
export class RunningMoments {
  #count = 0;
  #mean = 0;
  #squares = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  add(value: number): void {
    this.#count++;
    const delta = value - this.#mean;
    this.#mean += delta / this.#count;
    this.#squares += delta * (value - this.#mean);
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  get count(): number {
    return this.#count;
  }

  get mean(): number {
    return this.#mean;
  }

  /** Of the sample (divided by n - 1); 0 of fewer than two values. */
  get variance(): number {
    return this.#count < 2 ? 0 : this.#squares / (this.#count - 1);
  }

  get stddev(): number {
    return Math.sqrt(this.variance);
  }

  get min(): number {
    return this.#min;
  }

  get max(): number {
    return this.#max;
  }
}
