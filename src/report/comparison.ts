/** Two results, or two sets of them, figure by figure: what differs, and whether by chance. */
import type { LatencyHistogram } from "../measure/histogram.ts";
import { mergeSamples } from "../measure/stages.ts";
import { differenceInterval, hedgesG, meanInterval } from "../measure/student.ts";
import type { RunResult } from "../run/result.ts";
import { countsFromZero, type Figure, figuresOf } from "./figures.ts";
import { type Unlike, unlikeOf } from "./unlike.ts";

export const COMPARE_SCHEMA = "vfio-cosim/compare/1";

/**
 * What an interval is made from. `pairs`: runs of equal seeds; `runs`: independent runs; `samples`:
 * the interrupts of one run each, so that what differs between runs is not in it; `exact`: one run
 * each in virtual time, which no chance has a part in beyond the seed; `none`: there is nothing.
 */
export type Basis = "pairs" | "runs" | "samples" | "exact" | "none";

export interface ComparedFigure {
  readonly name: string;
  readonly unit: Figure["unit"];
  readonly better: Figure["better"];
  /** Means over the runs of a side; null: it has no such figure. */
  readonly a: number | null;
  readonly b: number | null;
  /** b - a, and as a share of a (null if a is 0). */
  readonly difference: number | null;
  readonly share: number | null;
  /** 95 % interval of the difference. */
  readonly interval: { readonly low: number; readonly high: number } | null;
  /** Hedges' g. */
  readonly effect: number | null;
  readonly basis: Basis;
  /** Null: it cannot be told. */
  readonly beyondNoise: boolean | null;
}

export interface ComparedSide {
  readonly label: string;
  readonly runs: number;
  readonly scenario: string;
  readonly engine: string;
  readonly seeds: readonly number[];
}

export interface Comparison {
  readonly schema: typeof COMPARE_SCHEMA;
  readonly a: ComparedSide;
  readonly b: ComparedSide;
  /** Settings that differ, the gravest first: what is compared is not only what was meant to be. */
  readonly unlike: readonly Unlike[];
  readonly figures: readonly ComparedFigure[];
  readonly warnings: readonly { readonly text: string; readonly advice: string }[];
}

/** One side: at least one run, all of the same kind. */
export interface Side {
  readonly label: string;
  readonly runs: readonly RunResult[];
}

export function compareRuns(a: Side, b: Side): Comparison {
  const unlike = unlikeOf(a.runs, b.runs);
  return {
    schema: COMPARE_SCHEMA,
    a: sideOf(a),
    b: sideOf(b),
    unlike,
    figures: compareFigures(a.runs, b.runs),
    warnings: warningsOf(a.runs, b.runs, unlike),
  };
}

function sideOf({ label, runs }: Side): ComparedSide {
  const { scenario, engine } = runs[0]!.provenance;
  const seeds = runs.map(({ provenance }) => provenance.seed);
  return { label, runs: runs.length, scenario, engine, seeds };
}

function compareFigures(a: readonly RunResult[], b: readonly RunResult[]): ComparedFigure[] {
  const left = a.map(figuresOf);
  const right = b.map(figuresOf);
  const all = new Map<string, Figure>();
  for (const figures of [...left, ...right]) {
    for (const [name, figure] of figures) if (!all.has(name)) all.set(name, figure);
  }
  const intervals = new SampleIntervals(a, b);
  const context = { pairs: seedPairs(a, b), exact: bothVirtual(a, b), intervals };
  return [...all].map(([name, figure]) => {
    const valuesOf = (side: readonly ReadonlyMap<string, Figure>[]): (number | null)[] =>
      side.map((figures) => figures.get(name)?.value ?? (countsFromZero(name) ? 0 : null));
    return compared(name, figure, valuesOf(left), valuesOf(right), context);
  });
}

interface Context {
  /** For each run of A the run of B with its seed; null: they do not pair up. */
  readonly pairs: readonly number[] | null;
  readonly exact: boolean;
  readonly intervals: SampleIntervals;
}

function compared(
  name: string,
  { unit, better }: Figure,
  a: readonly (number | null)[],
  b: readonly (number | null)[],
  context: Context,
): ComparedFigure {
  const [left, right] = [whole(a), whole(b)];
  const head = { name, unit, better };
  if (left === null || right === null) {
    const none = { difference: null, share: null, interval: null, effect: null };
    const values = { a: left && mean(left), b: right && mean(right) };
    return { ...head, ...values, ...none, basis: "none", beyondNoise: null };
  }
  const [from, to] = [mean(left), mean(right)];
  const { basis, interval } = intervalOf(name, left, right, context);
  const beyond = interval === null ? null : interval.low > 0 || interval.high < 0;
  return {
    ...head,
    a: from,
    b: to,
    difference: to - from,
    share: from === 0 ? null : (to - from) / Math.abs(from),
    interval,
    effect: hedgesG(left, right),
    basis,
    beyondNoise: beyond,
  };
}

/** The values of all runs, or null if one of them has none. */
function whole(values: readonly (number | null)[]): number[] | null {
  const present = values.filter((value) => value !== null);
  return present.length === values.length ? present : null;
}

function mean(values: readonly number[]): number {
  // Equal runs have that value for a mean, to the last bit.
  if (values.every((value) => value === values[0])) return values[0]!;
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function intervalOf(
  name: string,
  a: readonly number[],
  b: readonly number[],
  { pairs, exact, intervals }: Context,
): Pick<ComparedFigure, "basis" | "interval"> {
  const bounds = (low: number, high: number) =>
    Number.isFinite(low) && Number.isFinite(high) ? { low, high } : null;
  if (pairs !== null && a.length > 1) {
    const { low, high } = meanInterval(a.map((value, i) => b[pairs[i]!]! - value));
    return { basis: "pairs", interval: bounds(low, high) };
  }
  if (a.length + b.length > 2) {
    const { low, high } = differenceInterval(a, b);
    return { basis: "runs", interval: bounds(low, high) };
  }
  const sampled = intervals.of(name);
  if (sampled !== null) return { basis: "samples", interval: sampled };
  return { basis: exact ? "exact" : "none", interval: null };
}

/** Pairs of runs with the same seed, if each run has exactly one partner. */
function seedPairs(a: readonly RunResult[], b: readonly RunResult[]): number[] | null {
  const places = new Map(b.map(({ provenance }, i) => [provenance.seed, i]));
  const pairs = a.map(({ provenance }) => places.get(provenance.seed) ?? -1);
  const paired = a.length === b.length && new Set(pairs).size === a.length && !pairs.includes(-1);
  return paired ? pairs : null;
}

function bothVirtual(a: readonly RunResult[], b: readonly RunResult[]): boolean {
  return [...a, ...b].every(({ provenance }) => provenance.engine === "virtual");
}

const QUANTILES: Readonly<Record<string, number>> = { p50: 0.5, p90: 0.9, p99: 0.99, p999: 0.999 };
const Z_975 = 1.96;

/** Intervals of percentiles from the samples of one run each: by the ranks of order statistics. */
class SampleIntervals {
  readonly #a: ReadonlyMap<string, LatencyHistogram>;
  readonly #b: ReadonlyMap<string, LatencyHistogram>;

  constructor(a: readonly RunResult[], b: readonly RunResult[]) {
    this.#a = histogramsOf(a);
    this.#b = histogramsOf(b);
  }

  /** Of b - a; null if `name` is no percentile, or has no histogram. */
  of(name: string): { low: number; high: number } | null {
    const [, stage = "total", figure = ""] = /^latency\.(?:(.*)\.)?(p\d+)$/.exec(name) ?? [];
    const quantile = QUANTILES[figure];
    const [a, b] = [this.#a.get(stage), this.#b.get(stage)];
    if (quantile === undefined || a === undefined || b === undefined) return null;
    const [from, to] = [rankInterval(a, quantile), rankInterval(b, quantile)];
    return { low: to.low - from.high, high: to.high - from.low };
  }
}

export function histogramsOf(runs: readonly RunResult[]): Map<string, LatencyHistogram> {
  return mergeSamples(runs.map(({ latency }) => latency.histograms ?? {}));
}

function rankInterval(histogram: LatencyHistogram, quantile: number) {
  const { count } = histogram;
  const half = Z_975 * Math.sqrt((quantile * (1 - quantile)) / count);
  return {
    low: histogram.percentile(100 * Math.max(0, quantile - half)),
    high: histogram.percentile(100 * Math.min(1, quantile + half)),
  };
}

function warningsOf(
  a: readonly RunResult[],
  b: readonly RunResult[],
  unlike: readonly Unlike[],
): Comparison["warnings"] {
  const warnings: { text: string; advice: string }[] = [];
  const grave = unlike.filter(({ grave }) => grave).map(({ what }) => what);
  if (grave.length > 0) {
    const text = `not only what was meant to be compared differs, but ${grave.join(", ")}`;
    warnings.push({ text, advice: "run both with the same scenario, seed, engine and version" });
  }
  if (a.length === 1 && b.length === 1) {
    warnings.push({
      text: "one run each: how much figures differ from run to run is not known",
      advice: "give directories with several runs, of other seeds or of the same again",
    });
  }
  const partial = [...a, ...b].filter((run) => run.partial !== null).length;
  if (partial > 0) {
    warnings.push({
      text: `${partial} of the runs ended early`,
      advice: "compare counts with care, or run them to their end",
    });
  }
  return warnings;
}
