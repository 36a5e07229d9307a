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
  /** Device's message until the IOMMU posts it: in place of the three above. */
  "raised->posted",
  /** Until the vCPU it was posted to looks. */
  "posted->woken",
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

/** Where the histogram of a stage begins: its first moment, and its last. */
type Span = readonly [stage: Stage, from: number, to: number];

const [RAISED, HANDLER, SIGNALLED, WOKEN, INJECTED, ISR] = [0, 1, 2, 3, 4, 5];

const COMMON: readonly Span[] = [
  ["woken->injected", WOKEN, INJECTED],
  ["injected->isr", INJECTED, ISR],
  ["total", RAISED, ISR],
];
/** What an interrupt that a handler of the host signalled goes through. */
const SIGNALLED_SPANS: readonly Span[] = [
  ["raised->handler", RAISED, HANDLER],
  ["handler->signalled", HANDLER, SIGNALLED],
  ["signalled->woken", SIGNALLED, WOKEN],
  ...COMMON,
];
/** And one that was posted: it was signalled without one. */
const POSTED_SPANS: readonly Span[] = [
  ["raised->posted", RAISED, SIGNALLED],
  ["posted->woken", SIGNALLED, WOKEN],
  ...COMMON,
];
const TOTAL_SPAN = COMMON.slice(-1);

/** In place of the time of `handler`: the interrupt was posted. */
export const NOT_HANDLED = -1;

/**
 * In place of the time of `handler`: not a token on its way, but one that found the token of this
 * number waiting in the guest and merged with it.
 */
export const MERGED = -2;

/** Spans with their histograms in flat arrays, for the hot path. */
class Spans {
  readonly #histograms: readonly LatencyHistogram[];
  readonly #from: Uint8Array;
  readonly #to: Uint8Array;

  constructor(spans: readonly Span[], histograms: ReadonlyMap<string, LatencyHistogram>) {
    this.#histograms = spans.map(([stage]) => histograms.get(stage)!);
    this.#from = Uint8Array.from(spans, ([, from]) => from);
    this.#to = Uint8Array.from(spans, ([, , to]) => to);
  }

  record(moments: Float64Array): void {
    for (let i = 0; i < this.#histograms.length; i++) {
      this.#histograms[i]!.record(moments[this.#to[i]!]! - moments[this.#from[i]!]!);
    }
  }
}

/** How the thread that took an interrupt was waiting when it was signalled. */
export const WAKES = ["spinning", "parked"] as const;
/** `spinning`: awake, looking or at work; `parked`: asleep in the kernel. */
export type Wake = (typeof WAKES)[number];

/** Histograms of all stages; pages of counters are touched as values come. */
class Recording {
  readonly #histograms = new Map<string, LatencyHistogram>(
    STAGES.map((stage) => [stage, new LatencyHistogram()]),
  );
  readonly #signalled: Spans;
  readonly #posted: Spans;

  constructor(allStages: boolean) {
    this.#signalled = new Spans(allStages ? SIGNALLED_SPANS : TOTAL_SPAN, this.#histograms);
    this.#posted = new Spans(allStages ? POSTED_SPANS : TOTAL_SPAN, this.#histograms);
  }

  record(moments: Float64Array): void {
    if (moments[HANDLER] === NOT_HANDLED) this.#posted.record(moments);
    else this.#signalled.record(moments);
  }

  toJSON(): StageSamples {
    const samples: Record<string, HistogramJson> = {};
    for (const [stage, histogram] of this.#histograms) {
      if (histogram.count > 0) samples[stage] = histogram.toJSON();
    }
    return samples;
  }
}

/** Samples by how they found the guest's thread. */
export type SamplesByWake = Readonly<Record<Wake, StageSamples>>;

/** Histograms of a guest by stage; what found it parked and what did not are kept apart. */
export class StageRecorder {
  readonly #allStages: boolean;
  readonly #spinning: Recording;
  #parked: Recording | null = null;
  /** Of interrupts that merged with an older one: from their own raise to its handler. */
  readonly #coalesced: Record<Wake, LatencyHistogram | null> = { spinning: null, parked: null };
  /** Interrupts raised before this time (ns) are the warm-up's, and not recorded. */
  fromNs = Number.NEGATIVE_INFINITY;
  /** Samples of the warm-up. */
  skipped = 0;

  /** `allStages` false: only `total` is kept. */
  constructor(allStages: boolean) {
    this.#allStages = allStages;
    this.#spinning = new Recording(allStages);
  }

  /** Records an interrupt; `moments` holds a time (ns) for each of `MOMENTS`. Hot path. */
  record(moments: Float64Array, parked = false): void {
    if (moments[RAISED]! < this.fromNs) this.skipped++;
    else if (!parked) this.#spinning.record(moments);
    else {
      this.#parked ??= new Recording(this.#allStages);
      this.#parked.record(moments);
    }
  }

  /** An interrupt merged with one whose handler ran at `isrNs`. */
  recordCoalesced(raisedNs: number, isrNs: number, parked: boolean): void {
    if (raisedNs < this.fromNs || isrNs < raisedNs) return;
    const wake = parked ? "parked" : "spinning";
    this.#coalesced[wake] ??= new LatencyHistogram();
    this.#coalesced[wake].record(isrNs - raisedNs);
  }

  /** All samples. */
  toJSON(): StageSamples {
    if (this.#parked === null) return this.#spinning.toJSON();
    const { spinning, parked } = this.byWake();
    const merged = mergeSamples([spinning, parked]);
    return Object.fromEntries([...merged].map(([stage, sum]) => [stage, sum.toJSON()]));
  }

  byWake(): SamplesByWake {
    return { spinning: this.#spinning.toJSON(), parked: this.#parked?.toJSON() ?? {} };
  }

  /** The same of interrupts that merged with another, as stage `total`. */
  coalescedByWake(): SamplesByWake {
    const of = (histogram: LatencyHistogram | null): StageSamples =>
      histogram === null ? {} : { total: histogram.toJSON() };
    return { spinning: of(this.#coalesced.spinning), parked: of(this.#coalesced.parked) };
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
