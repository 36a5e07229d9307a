/** Puts the runs of a latency measurement together. */
import { LatencyHistogram } from "../measure/histogram.ts";
import {
  mergeSamples,
  type StageSamples,
  summariseHistogram,
  summariseStages,
  WAKES,
} from "../measure/stages.ts";
import { meanInterval } from "../measure/student.ts";
import type { RunResult } from "../run/result.ts";
import { classOf, lostOf } from "../scenario/fate-sums.ts";
import {
  type FineRow,
  type InterruptCounts,
  LATENCY_FIGURES,
  LATENCY_SCHEMA,
  type LatencyFigure,
  type LatencyMeasurement,
  type LatencyRun,
  type LatencySettings,
  type RunsInterval,
  type WakeKind,
  type WakeSummary,
} from "./measurement.ts";
import { measurementWarnings } from "./warnings.ts";

/** What is known beside the runs themselves. */
export interface Surroundings {
  readonly clockStepNs: number;
  /** LatencyRun.coreWait of each run. */
  readonly coreWaits: readonly (number | null)[];
}

/** The measurement that `results` are the runs of, in their order; there is at least one. */
export function measurementOf(
  settings: LatencySettings,
  results: readonly RunResult[],
  { clockStepNs, coreWaits }: Surroundings,
): LatencyMeasurement {
  const runs = results.map((result, i) => runOf(result, coreWaits[i] ?? null));
  const interrupts = sumOf(runs);
  const wakes = wakesOf(settings).flatMap((wake) => {
    const summary = summaryOf(wake, results, runs);
    return summary === null ? [] : [summary];
  });
  const { version, machine } = results[0]!.provenance;
  const measured = {
    schema: LATENCY_SCHEMA,
    version,
    settings,
    machine,
    partial: partialOf(settings, results),
    interrupts,
    wakes,
    runs,
    broke: results.find(({ broke }) => broke !== undefined)?.broke ?? null,
  } as const;
  return { ...measured, warnings: measurementWarnings(measured, results, clockStepNs) };
}

function wakesOf({ engine }: LatencySettings): readonly WakeKind[] {
  return engine === "threads" ? WAKES : ["modelled"];
}

function partialOf({ runs }: LatencySettings, results: readonly RunResult[]): string | null {
  const why = results.find(({ partial }) => partial !== null)?.partial ?? null;
  return runs > 1 && why !== null ? `${why}, in run ${results.length} of ${runs}` : why;
}

function samplesOf({ latency }: RunResult, wake: WakeKind): StageSamples {
  if (wake === "modelled") return latency.histograms ?? {};
  return latency.byWake?.[wake].histograms ?? {};
}

export function fineRow(stage: string, histogram: LatencyHistogram): FineRow {
  return { ...summariseHistogram(stage, histogram), p9999: histogram.percentile(99.99) };
}

function runOf(result: RunResult, coreWait: number | null): LatencyRun {
  const { ledger, provenance, checks } = result;
  const totals: Partial<Record<WakeKind, FineRow>> = {};
  for (const wake of [...WAKES, "modelled"] as const) {
    const total = samplesOf(result, wake).total;
    const ours = (provenance.engine === "virtual") === (wake === "modelled");
    if (ours && total !== undefined) {
      totals[wake] = fineRow("total", LatencyHistogram.fromJSON(total));
    }
  }
  const failed = checks.filter(({ ok }) => !ok);
  return {
    seed: provenance.seed,
    partial: result.partial,
    durationNs: result.durationNs,
    ...countsOf(result),
    perSecond: ratesOf(result),
    totals,
    floor: result.latency.floor,
    utilisation: result.utilisation ?? null,
    coreWait,
    violations: [...ledger.violations, ...failed.map(({ check, detail }) => `${check}: ${detail}`)],
  };
}

function countsOf({ ledger: { raised, totals } }: RunResult): InterruptCounts {
  return {
    raised,
    delivered: classOf(totals, "delivered"),
    coalesced: classOf(totals, "coalesced"),
    pending: classOf(totals, "pending"),
    dropped: classOf(totals, "dropped"),
    lost: lostOf(totals),
  };
}

/** Of each guest what its devices raised while it used them. */
function ratesOf({ guests, ledger, durationNs }: RunResult): number | null {
  let sum = 0;
  let known = false;
  for (const { name, timeline } of guests) {
    const start = timeline.find(({ event }) => event === "guest_io_start");
    if (start === undefined || start.at >= durationNs) continue;
    const raised = ledger.rows
      .filter(({ guest }) => guest === name)
      .reduce((total, row) => total + row.raised, 0);
    sum += (raised / (durationNs - start.at)) * 1e9;
    known = true;
  }
  return known ? sum : null;
}

function sumOf(runs: readonly InterruptCounts[]): InterruptCounts {
  const sum = (key: keyof InterruptCounts): number =>
    runs.reduce((total, run) => total + run[key], 0);
  return {
    raised: sum("raised"),
    delivered: sum("delivered"),
    coalesced: sum("coalesced"),
    pending: sum("pending"),
    dropped: sum("dropped"),
    lost: sum("lost"),
  };
}

function summaryOf(
  wake: WakeKind,
  results: readonly RunResult[],
  runs: readonly LatencyRun[],
): WakeSummary | null {
  const merged = mergeSamples(results.map((result) => samplesOf(result, wake)));
  const total = merged.get("total");
  if (total === undefined) return null;
  const stages = summariseStages(merged).map(({ stage }) => fineRow(stage, merged.get(stage)!));
  const row = fineRow("total", total);
  const floorNs = floorOf(wake, runs);
  return {
    wake,
    stages,
    histograms: Object.fromEntries([...merged].map(([stage, sum]) => [stage, sum.toJSON()])),
    everyArrival: everyArrival(results, wake, total),
    floorNs,
    ratio: floorNs === null ? null : { p50: row.p50 / floorNs, p99: row.p99 / floorNs },
    intervals: intervalsOf(runs.flatMap(({ totals }) => totals[wake] ?? [])),
  };
}

function everyArrival(
  results: readonly RunResult[],
  wake: WakeKind,
  total: LatencyHistogram,
): FineRow | null {
  const all = LatencyHistogram.fromJSON(total.toJSON());
  for (const { latency } of results) {
    const { coalesced } = wake === "modelled" ? latency : (latency.byWake?.[wake] ?? {});
    if (coalesced) all.add(LatencyHistogram.fromJSON(coalesced));
  }
  return all.count === total.count ? null : fineRow("every arrival", all);
}

function floorOf(wake: WakeKind, runs: readonly LatencyRun[]): number | null {
  if (wake === "modelled") return null;
  const floors = runs.flatMap(({ floor }) => {
    return (wake === "parked" ? floor?.parkOneWayNs : floor?.spinOneWayNs) ?? [];
  });
  return floors.length === 0 ? null : floors.reduce((sum, ns) => sum + ns, 0) / floors.length;
}

function intervalsOf(rows: readonly FineRow[]): Record<LatencyFigure, RunsInterval> {
  const entries = LATENCY_FIGURES.map((figure) => {
    const { mean, low, high } = meanInterval(rows.map((row) => row[figure]));
    const known = rows.length > 1;
    return [
      figure,
      { mean, low: known ? low : null, high: known ? high : null, runs: rows.length },
    ] as const;
  });
  return Object.fromEntries(entries) as Record<LatencyFigure, RunsInterval>;
}
