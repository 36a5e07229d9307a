/** The words and cells that all forms of a latency measurement share. */
import { formatCount, formatNs, formatRate } from "../base/units.ts";
import type { FloorResult } from "../run/result.ts";
import {
  type FineRow,
  LATENCY_FIGURES,
  type LatencyFigure,
  type LatencyMeasurement,
  type LatencyRun,
  type LatencySettings,
  type RunsInterval,
  type WakeKind,
  type WakeSummary,
} from "./measurement.ts";
import { achievedRate, askedRate } from "./warnings.ts";

export const FIGURE_NAMES: Readonly<Record<LatencyFigure, string>> = {
  min: "min",
  p50: "p50",
  p90: "p90",
  p99: "p99",
  p999: "p99.9",
  p9999: "p99.99",
  max: "max",
};

/** Samples below which a percentile is the largest of them, and not worth a figure. */
const NEEDED: Readonly<Partial<Record<LatencyFigure, number>>> = {
  p99: 100,
  p999: 1_000,
  p9999: 10_000,
};

export function wakeTitle(wake: WakeKind): string {
  if (wake === "modelled") return "Latency from device to ISR, by the cost model";
  return `Latency from device to ISR, guest ${wake}`;
}

/** `1 guest, 2 vectors, path irqfd, ...`. */
export function settingWords(settings: LatencySettings): string[] {
  const { guests, vectors, vcpus, path, wait, load, durationNs, warmupNs, runs } = settings;
  const plural = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
  const threads = settings.engine === "threads";
  return [
    `seed ${settings.seed}`,
    `engine ${settings.engine}`,
    `kernel ${settings.kernel}`,
    plural(guests, "guest"),
    plural(vcpus, "vCPU"),
    plural(vectors, "vector"),
    `path ${path}`,
    ...(threads ? [`wait ${wait}`] : []),
    load.kind === "closed"
      ? `closed loop, depth ${load.depth}`
      : `open loop, ${formatRate(load.perSecond)} a guest`,
    `${formatNs(durationNs)} after ${formatNs(warmupNs)} of warm-up`,
    ...(runs > 1 ? [plural(runs, "run")] : []),
    ...(settings.cpus === null ? [] : [`CPUs ${settings.cpus.join(",")}`]),
    ...(settings.breakOnNs === null ? [] : [`stop at ${formatNs(settings.breakOnNs)}`]),
  ];
}

export const STAGE_HEAD = ["", "count", ...LATENCY_FIGURES.map((figure) => FIGURE_NAMES[figure])];

/** `-` for what so few samples do not tell. */
export function rowCells(row: FineRow): string[] {
  return [
    row.stage.replace("->", " -> "),
    formatCount(row.count),
    ...LATENCY_FIGURES.map((figure) => figureText(row, figure)),
  ];
}

export function figureText(row: FineRow, figure: LatencyFigure): string {
  return row.count < (NEEDED[figure] ?? 0) ? "-" : formatNs(row[figure]);
}

/** Rows of a table: the stages, and the estimate behind them. */
export function stageRows({ stages, everyArrival }: WakeSummary): FineRow[] {
  return everyArrival === null ? [...stages] : [...stages, everyArrival];
}

/** Mean and interval of figures over the runs; none of a single run. */
export function intervalRows({ intervals, stages }: WakeSummary): string[][] {
  if (intervals.p50.runs < 2) return [];
  const perRun = (stages.at(-1)?.count ?? 0) / intervals.p50.runs;
  return LATENCY_FIGURES.filter((figure) => perRun >= (NEEDED[figure] ?? 0)).map((figure) => {
    return [FIGURE_NAMES[figure], ...intervalCells(intervals[figure])];
  });
}

function intervalCells({ mean, low, high }: RunsInterval): string[] {
  if (low === null || high === null) return [formatNs(mean), "-", "-"];
  const half = mean > 0 ? `${(((high - mean) / mean) * 100).toFixed(0)} %` : "-";
  return [formatNs(mean), `${formatNs(Math.max(0, low))} to ${formatNs(high)}`, half];
}

export const INTERVAL_HEAD = ["", "mean", "95 % interval", "+-"];

/** What the floor was, and how many floors the total is. */
export function floorWords({ wake, floorNs, ratio, stages }: WakeSummary): string {
  if (wake === "modelled") return "times are the cost model's, not a machine's";
  const kind = wake === "parked" ? "park" : "spin";
  if (floorNs === null || ratio === null) {
    return `the ${kind} floor could not be measured: there is nothing to compare with`;
  }
  const told = (stages.at(-1)?.count ?? 0) >= NEEDED.p99!;
  const tail = told ? `, ${ratio.p99.toFixed(1)} at p99` : "";
  const times = `${ratio.p50.toFixed(1)} floors at the median${tail}`;
  return `total is ${times}; a bare hand-over (${kind}) takes ${formatNs(floorNs)}`;
}

/** Both measurements of a run's floor and how far the second was from the first. */
export function driftWords(floor: FloorResult | null): string {
  if (floor === null) return "";
  const { before, after, drift } = floor;
  const one = (figures: typeof before): string => {
    const spin = figures?.spinOneWayNs;
    const park = figures?.parkOneWayNs;
    return `${formatNs(spin ?? Number.NaN)} / ${formatNs(park ?? Number.NaN)}`;
  };
  if (before === undefined || after === undefined) return one(floor);
  const moved = typeof drift === "number" ? `, ${driftText(drift)}` : "";
  return `${one(before)} before, ${one(after)} after${moved}`;
}

export function driftText(drift: number | null | undefined): string {
  if (typeof drift !== "number") return "-";
  return `${drift < 0 ? "-" : "+"}${Math.abs(drift * 100).toFixed(0)} %`;
}

export const RUN_HEAD = [
  "seed",
  "samples",
  "p50 spinning",
  "p99",
  "samples",
  "p50 parked",
  "p99",
  "floor spin",
  "park",
  "drift",
  "host busy",
];

/** A line a run. */
export function runCells({ seed, totals, floor, utilisation }: LatencyRun): string[] {
  const cells = (wake: WakeKind): string[] => {
    const row = totals[wake];
    if (row === undefined) return ["0", "-", "-"];
    return [formatCount(row.count), figureText(row, "p50"), figureText(row, "p99")];
  };
  const one = (ns: number | null | undefined): string => formatNs(ns ?? Number.NaN);
  return [
    `${seed}`,
    ...cells(totals.modelled === undefined ? "spinning" : "modelled"),
    ...cells("parked"),
    one(floor?.spinOneWayNs),
    one(floor?.parkOneWayNs),
    driftText(floor?.drift),
    utilisation === null ? "-" : `${(utilisation.host * 100).toFixed(0)} %`,
  ];
}

/** Raised and what became of it, and the rate beside what was asked for. */
export function interruptWords(measured: LatencyMeasurement): string[] {
  const { raised, delivered, coalesced, pending, dropped, lost } = measured.interrupts;
  const [asked, achieved] = [askedRate(measured), achievedRate(measured.runs)];
  const rate = achieved === null ? "" : ` at ${formatRate(achieved)}`;
  const of = asked === null ? "" : `, asked ${formatRate(asked)}`;
  const share = raised === 0 ? "" : ` (${((coalesced / raised) * 100).toFixed(1)} %)`;
  const rest = [
    [pending, "pending"],
    [dropped, "dropped"],
    [lost, "lost"],
  ] as const;
  return [
    `${formatCount(raised)} raised${rate}${of}`,
    `${formatCount(delivered)} delivered`,
    `${formatCount(coalesced)} coalesced${share}`,
    ...rest.filter(([n]) => n > 0).map(([n, what]) => `${formatCount(n)} ${what}`),
  ];
}

export interface MeasuredVerdict {
  readonly kind: "good" | "bad" | "warn";
  readonly text: string;
}

export function measuredVerdict(measured: LatencyMeasurement): MeasuredVerdict {
  const { runs, broke, partial, interrupts, wakes } = measured;
  const violated = runs.find(({ violations }) => violations.length > 0);
  if (violated !== undefined) {
    return {
      kind: "bad",
      text: `INVARIANT VIOLATED with seed ${violated.seed}: ${violated.violations[0]}`,
    };
  }
  if (broke !== null) {
    const { guest, latencyNs, limitNs } = broke;
    const text = `${formatNs(latencyNs)} in ${guest}, allowed ${formatNs(limitNs)}`;
    return { kind: "bad", text: `BEYOND THE LIMIT: ${text}` };
  }
  if (partial !== null) return { kind: "warn", text: `PARTIAL: ${partial}` };
  if (interrupts.lost > 0) {
    return { kind: "bad", text: `FAILED: ${formatCount(interrupts.lost)} interrupts were lost` };
  }
  if (wakes.length === 0) return { kind: "bad", text: "FAILED: no interrupt reached an ISR" };
  const totals = wakes.map(({ wake, stages }) => {
    const total = stages.at(-1)!;
    return `${formatNs(total.p50)} at the median ${wake}`;
  });
  return { kind: "good", text: `MEASURED: ${totals.join(", ")}` };
}
