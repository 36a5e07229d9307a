/** How two series of runs with the same seeds compare: by their paired differences. */
import { meanInterval } from "../measure/student.ts";

/** A figure of one run: null if the run has no such figure, undefined if there is no run. */
export type Figure = number | null | undefined;

/**
 * `equal`: the same value in every seed. `less`, `more`: the 95 % interval of the mean difference
 * is below or above zero. `alike`: so it is, but the difference is too small to matter. `unclear`:
 * the interval has zero in it. `unknown`: one of the two has no such figure.
 */
export type Order = "equal" | "alike" | "less" | "more" | "unclear" | "unknown";

/** Means that differ by less than this share of the larger one are alike. */
export const ALIKE = 0.005;

/** How `a` compares with `b`; entries with the same place have the same seed. */
export function orderOf(a: readonly Figure[], b: readonly Figure[]): Order {
  const differences: number[] = [];
  let known = 0;
  for (const [i, left] of a.entries()) {
    const right = b[i];
    if (left === undefined || right === undefined) continue;
    known++;
    if (left === right) differences.push(0);
    else if (left !== null && right !== null) differences.push(left - right);
  }
  if (known === 0 || differences.length < known) return "unknown";
  if (differences.every((difference) => difference === 0)) return "equal";
  const { mean, low, high } = meanInterval(differences);
  if (low <= 0 && high >= 0) return "unclear";
  if (Math.abs(mean) < ALIKE * largestMean(a, b)) return "alike";
  return low > 0 ? "more" : "less";
}

function largestMean(...series: readonly (readonly Figure[])[]): number {
  return Math.max(...series.map((values) => Math.abs(estimateOf(values)?.mean ?? 0)));
}

/** Mean and 95 % interval over the runs that have the figure; null if none has. */
export interface Estimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly runs: number;
}

/** A single run has no interval: its bounds are the value itself. */
export function estimateOf(values: readonly Figure[]): Estimate | null {
  const present = values.filter((value) => typeof value === "number");
  if (present.length === 0) return null;
  // Equal runs have that value for a mean, to the last bit.
  const first = present[0]!;
  const same = present.every((value) => value === first);
  if (same) return { mean: first, low: first, high: first, runs: present.length };
  return { ...meanInterval(present), runs: present.length };
}
