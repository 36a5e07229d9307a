/** The stages of an interrupt's way from device to ISR, and their summaries. */
import { type HistogramJson, LatencyHistogram } from "./histogram.ts";

/** Moments of one interrupt, in the order of its stamps: columns of a stamp record. */
export const MOMENTS = ["raised", "handler", "signalled", "woken", "injected", "isr"] as const;

/** Names of the stages in report order; `total` is raised to ISR. */
export const STAGES = [
  /** Device's message until the host's interrupt handler begins. */
  "raised->handler",
  /** The handler, until it signals the eventfd. */
  "handler->signalled",
  /** eventfd until its reader, the VMM or a vCPU, runs. */
  "signalled->woken",
  /** Until the request is in the virtual APIC. */
  "woken->injected",
  /** Until the driver's interrupt handler runs. */
  "injected->isr",
  "total",
] as const;

export type Stage = (typeof STAGES)[number];

/** Percentiles of one stage, ns. */
export interface StageSummary {
  readonly stage: string;
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Encoded histograms by stage; stages nobody stamped are missing. */
export type StageSamples = { readonly [stage: string]: HistogramJson };

const TOTAL = STAGES.length - 1;

/** Histograms of all stages, one recorder a guest; pages of counters are touched as values come. */
export class StageRecorder {
  readonly #histograms: LatencyHistogram[] = STAGES.map(() => new LatencyHistogram());
  readonly #allStages: boolean;

  /** `allStages` false: only `total` is kept. */
  constructor(allStages: boolean) {
    this.#allStages = allStages;
  }

  /** Records an interrupt; `moments` holds a time (ns) for each of `MOMENTS`. Hot path. */
  record(moments: Float64Array): void {
    if (this.#allStages) {
      for (let stage = 0; stage < TOTAL; stage++) {
        this.#histograms[stage]!.record(moments[stage + 1]! - moments[stage]!);
      }
    }
    this.#histograms[TOTAL]!.record(moments[TOTAL]! - moments[0]!);
  }

  toJSON(): StageSamples {
    const samples: Record<string, HistogramJson> = {};
    for (let stage = 0; stage < STAGES.length; stage++) {
      const histogram = this.#histograms[stage]!;
      if (histogram.count > 0) samples[STAGES[stage]!] = histogram.toJSON();
    }
    return samples;
  }
}

/** Histograms of several guests together, by stage. */
export function mergeSamples(all: readonly StageSamples[]): Map<string, LatencyHistogram> {
  const merged = new Map<string, LatencyHistogram>();
  for (const samples of all) {
    for (const [stage, json] of Object.entries(samples)) {
      const histogram = LatencyHistogram.fromJSON(json);
      const sum = merged.get(stage);
      if (sum === undefined) merged.set(stage, histogram);
      else sum.add(histogram);
    }
  }
  return merged;
}

export function summariseHistogram(stage: string, histogram: LatencyHistogram): StageSummary {
  return {
    stage,
    count: histogram.count,
    min: histogram.min,
    p50: histogram.percentile(50),
    p90: histogram.percentile(90),
    p99: histogram.percentile(99),
    p999: histogram.percentile(99.9),
    max: histogram.max,
  };
}

/** A row for each stage that has values: others by name, then the known in order, `total` last. */
export function summariseStages(histograms: ReadonlyMap<string, LatencyHistogram>): StageSummary[] {
  const known: readonly string[] = STAGES;
  const others = [...histograms.keys()].filter((stage) => !known.includes(stage)).sort();
  const rows: StageSummary[] = [];
  for (const stage of [...others, ...known]) {
    const histogram = histograms.get(stage);
    if (histogram !== undefined && histogram.count > 0) {
      rows.push(summariseHistogram(stage, histogram));
    }
  }
  return rows;
}
