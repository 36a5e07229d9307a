/**
 * Latency by percentile as HdrHistogram's plotter shows it: the share of interrupts that took
 * longer shrinks tenfold with each step to the right, times are logarithmic, too.
 */
import * as Plot from "@observablehq/plot";
import { formatNs } from "../../base/units.ts";
import { LatencyHistogram } from "../../measure/histogram.ts";
import type { LatencyResult, LatencyRow } from "../../run/result.ts";
import { colour } from "./colours.ts";
import { bothSizes, type Drawing, drawPlot, type Size } from "./svg.ts";

/** Steps for each halving of the distance to 100 %, as .hgrm files have them. */
const TICKS = 5;
const DASHES = ["none", "7,3", "2,3", "9,3,2,3", "4,2", "12,4"] as const;

export interface StageLine {
  readonly stage: string;
  readonly colour: string;
  readonly dash: string;
  readonly width: number;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** A line for each stage; of older results, which have no histograms, through their percentiles. */
export function stageLines({ stages, histograms }: LatencyResult): StageLine[] {
  return stages.map((row, i) => {
    const total = row.stage === "total";
    const histogram = histograms?.[row.stage];
    return {
      stage: row.stage,
      colour: total ? "currentColor" : colour(i),
      dash: total ? "none" : DASHES[i % DASHES.length]!,
      width: total ? 2.6 : 1.8,
      points:
        histogram === undefined
          ? ofRow(row)
          : histogramPoints(LatencyHistogram.fromJSON(histogram)),
    };
  });
}

export function histogramPoints(histogram: LatencyHistogram): StageLine["points"] {
  const { max, count } = histogram;
  const points = histogram
    .percentileSpectrum(TICKS)
    .filter(({ percentile }) => percentile < 100)
    .map(({ value, percentile }) => ({ x: 100 / (100 - percentile), y: Math.min(value, max) }));
  // At 100 % the distance is infinite; one of `count` is where the largest value is.
  points.push({ x: Math.max(count, points.at(-1)?.x ?? 1), y: max });
  return points;
}

function ofRow({ min, p50, p90, p99, p999, max, count }: LatencyRow): StageLine["points"] {
  const points = [
    { x: 1, y: min },
    { x: 2, y: p50 },
    { x: 10, y: p90 },
    { x: 100, y: p99 },
    { x: 1000, y: p999 },
    { x: Math.max(2000, count), y: max },
  ];
  return points.filter(({ x }) => x <= Math.max(2, count));
}

export interface Floor {
  readonly text: string;
  readonly ns: number;
}

export interface PercentilesPlot {
  readonly lines: readonly StageLine[];
  /** What a bare hand-over costs. */
  readonly floors: readonly Floor[];
}

export function percentilesPlot(plot: PercentilesPlot): readonly Drawing[] {
  const stages = plot.lines.map(({ stage }) => stage).join(", ");
  return bothSizes((size) => draw(plot, size), `Latency by percentile, a line a stage: ${stages}`);
}

/** 10 is 90 %, 1000 is 99.9 %: as many nines as it has digits. */
export function percentileTick(x: number): string {
  if (x < 1.5) return "0 %";
  if (x < 5) return "50 %";
  const nines = Math.round(Math.log10(x));
  return nines < 3
    ? `${"9".repeat(nines)}${nines === 1 ? "0" : ""} %`
    : `99.${"9".repeat(nines - 2)} %`;
}

function draw({ lines, floors }: PercentilesPlot, size: Size): string {
  const rows = lines.flatMap(({ points }) => points);
  const far = Math.max(100, ...rows.map(({ x }) => x));
  const [low, high] = range(lines, floors);
  const tens = Array.from({ length: Math.ceil(Math.log10(far)) }, (_, i) => 10 ** (i + 1));
  return drawPlot({
    width: size.width,
    height: size.narrow ? 280 : 340,
    marginLeft: 56,
    marginRight: size.narrow ? 22 : 30,
    marginTop: 24,
    marginBottom: 40,
    x: {
      type: "log",
      domain: [1, far],
      label: "interrupts at least as fast",
      ticks: [1, ...(size.narrow ? [] : [2]), ...tens].filter((x) => x <= far),
      tickFormat: percentileTick,
      grid: true,
    },
    y: {
      type: "log",
      domain: [low, high],
      label: "latency",
      ticks: decades(low, high),
      tickFormat: (ns: number) => formatNs(ns),
      grid: true,
    },
    marks: [
      ...floors.flatMap(({ text, ns }) => [
        Plot.ruleY([ns], { stroke: "var(--muted)", strokeDasharray: "1,4", strokeWidth: 1.6 }),
        Plot.text([ns], {
          y: (y: number) => y,
          text: () => text,
          frameAnchor: "right",
          dy: -7,
          fill: "var(--muted)",
        }),
      ]),
      ...lines.map(({ points, stage, colour: stroke, dash, width }) =>
        Plot.line(points, {
          x: "x",
          y: ({ y }: { y: number }) => Math.max(low, y),
          stroke,
          strokeDasharray: dash,
          strokeWidth: width,
          title: () => stage,
        }),
      ),
    ],
  });
}

/**
 * Times that the plot shows: what takes none at all, or only the luckiest did not need, lies at the
 * bottom, so that it does not press everything else together.
 */
function range(lines: readonly StageLine[], floors: readonly Floor[]): [number, number] {
  const common = lines.flatMap(({ points }) => points.filter(({ x, y }) => x >= 2 && y > 0));
  const times = [...common.map(({ y }) => y), ...floors.map(({ ns }) => ns)];
  if (times.length === 0) return [1, 1000];
  return [Math.max(1, Math.min(...times) / 3), Math.max(...times) * 1.25];
}

/** Powers of ten within a range, or a few more where there is less than one. */
function decades(low: number, high: number): number[] {
  const all: number[] = [];
  const first = Math.floor(Math.log10(low));
  for (let exponent = first; 10 ** exponent <= high; exponent++) {
    for (const step of high / low < 200 ? [1, 2, 5] : [1]) all.push(step * 10 ** exponent);
  }
  return all.filter((ns) => ns >= low && ns <= high);
}
