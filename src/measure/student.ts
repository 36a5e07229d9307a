/** Intervals of means and of their differences from few runs (Student 1908, Welch 1947). */
import { RunningMoments } from "./statistics.ts";

/** 0.975 quantiles of Student's t for 1 to 30 degrees of freedom (any table of it). */
const T_975 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145,
  2.131, 2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048,
  2.045, 2.042,
] as const;
const Z_975 = 1.959964;

/**
 * Half the width of a 95 % interval in standard errors. Degrees of freedom between two whole ones
 * count as the lower; beyond the table Cornish and Fisher's expansion is exact to four digits.
 */
export function studentT975(degrees: number): number {
  if (!(degrees >= 1)) return Number.POSITIVE_INFINITY;
  const listed = T_975[Math.floor(degrees) - 1];
  if (listed !== undefined) return listed;
  const z = Z_975;
  const first = (z ** 3 + z) / (4 * degrees);
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2);
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3);
  return z + first + second + third;
}

/** A mean with its 95 % interval; a single value has none: `low` and `high` are infinite. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

function momentsOf(values: readonly number[]): RunningMoments {
  const moments = new RunningMoments();
  for (const value of values) moments.add(value);
  return moments;
}

function interval(mean: number, error: number, degrees: number): Interval {
  const half = degrees < 1 ? Number.POSITIVE_INFINITY : error * studentT975(degrees);
  return { mean, low: mean - half, high: mean + half };
}

/** The mean of runs that differ in their seed, or of paired differences. */
export function meanInterval(values: readonly number[]): Interval {
  const { count, mean, variance } = momentsOf(values);
  return interval(mean, Math.sqrt(variance / count), count - 1);
}

/**
 * Mean of `b` minus mean of `a`. By Welch, who does not take the variances for equal; if one side
 * has a single run, by Student, who does.
 */
export function differenceInterval(a: readonly number[], b: readonly number[]): Interval {
  const [one, other] = [momentsOf(a), momentsOf(b)];
  const difference = other.mean - one.mean;
  const [m, n] = [one.count, other.count];
  if (m < 2 || n < 2) {
    const error = Math.sqrt(pooledVariance(one, other) * (1 / m + 1 / n));
    return interval(difference, error, m + n - 2);
  }
  const [u, v] = [one.variance / m, other.variance / n];
  if (u + v === 0) return { mean: difference, low: difference, high: difference };
  const degrees = (u + v) ** 2 / (u ** 2 / (m - 1) + v ** 2 / (n - 1));
  return interval(difference, Math.sqrt(u + v), degrees);
}

function pooledVariance(a: RunningMoments, b: RunningMoments): number {
  const degrees = a.count + b.count - 2;
  if (degrees < 1) return Number.NaN;
  return (a.variance * (a.count - 1) + b.variance * (b.count - 1)) / degrees;
}

/**
 * Size of the difference in standard deviations, corrected for few runs (Hedges 1981): 0.2 is
 * small, 0.8 large. Null if there are too few runs, or they do not differ among themselves.
 */
export function hedgesG(a: readonly number[], b: readonly number[]): number | null {
  const [one, other] = [momentsOf(a), momentsOf(b)];
  const degrees = one.count + other.count - 2;
  const variance = pooledVariance(one, other);
  if (!(variance > 0)) return null;
  const size = (other.mean - one.mean) / Math.sqrt(variance);
  return size * (1 - 3 / (4 * degrees - 1));
}
