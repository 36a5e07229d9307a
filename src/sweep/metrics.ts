/** The figures by which retention policies are compared, and how each is read from a run. */
import { LatencyHistogram } from "../measure/histogram.ts";
import type { MatrixMetric } from "../report/policy-matrix.ts";
import type { PolicyHoldings, RunResult } from "../run/result.ts";
import { lostOf } from "../scenario/fate-sums.ts";

export interface Metric extends MatrixMetric {
  /** Head of a narrow column, on two lines. */
  readonly head: readonly [string, string];
  /** In a sentence: `fewer failures caused to others`. */
  readonly less: string;
  readonly more: string;
  /** Null: the run has no such figure. `lateNs` is from when on an interrupt counts as late. */
  readonly value: (result: RunResult, lateNs: number) => number | null;
}

/** Later than this from the device to its handler is late, unless a user says otherwise. */
export const LATE_NS = 100_000;

/** What harms others comes first, then the host's own work and holdings. */
export const METRICS: readonly Metric[] = [
  {
    key: "failuresCaused",
    title: "allocation failures that idle irqs caused to others",
    head: ["caused", "by idle"],
    less: "fewer failures caused to others",
    more: "more failures caused to others",
    unit: "count",
    better: "less",
    value: ({ retention }) => retention.failures.causedByIdle,
  },
  {
    key: "failures",
    title: "allocation failures, for whatever reason",
    head: ["failed", "in all"],
    less: "fewer allocation failures in all",
    more: "more allocation failures in all",
    unit: "count",
    better: "less",
    value: ({ retention }) => retention.failures.total,
  },
  {
    key: "victims",
    title: "devices refused irqs, for whatever reason",
    head: ["devices", "refused"],
    less: "fewer devices refused irqs",
    more: "more devices refused irqs",
    unit: "count",
    better: "less",
    value: ({ retention }) => Object.keys(retention.failures.victims).length,
  },
  {
    key: "refusedAgain",
    title: "requests refused for irqs that the policy had given back",
    head: ["refused", "again"],
    less: "fewer irqs given back and not had again",
    more: "more irqs given back and not had again",
    unit: "count",
    better: "less",
    value: ({ retention }) => retention.totals.refusedAgain,
  },
  {
    key: "lost",
    title: "interrupts lost",
    head: ["inter.", "lost"],
    less: "fewer lost interrupts",
    more: "more lost interrupts",
    unit: "count",
    better: "less",
    value: ({ ledger }) => lostOf(ledger.totals),
  },
  {
    key: "late",
    title: "interrupts late",
    head: ["inter.", "late"],
    less: "fewer late interrupts",
    more: "more late interrupts",
    unit: "count",
    better: "less",
    value: lateOf,
  },
  {
    key: "idleIrteSeconds",
    title: "entries of the table held idle, times seconds",
    head: ["idle,", "IRTE-s"],
    less: "less held idle",
    more: "more held idle",
    unit: "irte-seconds",
    better: "less",
    value: ({ retention }) => retention.totals.idleIrteSeconds,
  },
  {
    key: "peak",
    title: "irqs held at once, at most",
    head: ["irqs,", "peak"],
    less: "a lower peak of irqs",
    more: "a higher peak of irqs",
    unit: "count",
    better: "less",
    value: ({ pool }) => pool.irqsPeak,
  },
  {
    key: "rearmP50",
    title: "re-arm latency, p50",
    head: ["re-arm", "p50"],
    less: "a shorter median re-arm",
    more: "a longer median re-arm",
    unit: "ns",
    better: "less",
    value: ({ retention }) => rearmOf(retention.policies, "p50"),
  },
  {
    key: "rearmP99",
    title: "re-arm latency, p99",
    head: ["re-arm", "p99"],
    less: "a shorter re-arm at p99",
    more: "a longer re-arm at p99",
    unit: "ns",
    better: "less",
    value: ({ retention }) => rearmOf(retention.policies, "p99"),
  },
  {
    key: "allocations",
    title: "irqs allocated",
    head: ["irqs", "alloc."],
    less: "fewer irqs allocated",
    more: "more irqs allocated",
    unit: "count",
    better: "less",
    value: ({ retention }) => retention.totals.allocations,
  },
  {
    key: "frees",
    title: "irqs freed",
    head: ["irqs", "freed"],
    less: "fewer irqs freed",
    more: "more irqs freed",
    unit: "count",
    better: "less",
    value: ({ retention }) => retention.totals.frees,
  },
  {
    key: "iecFlushes",
    title: "flushes of the interrupt entry cache",
    head: ["IEC", "flushes"],
    less: "fewer flushes of the IEC",
    more: "more flushes of the IEC",
    unit: "count",
    better: "less",
    value: ({ retention }) => retention.totals.iecFlushes,
  },
];

function lateOf({ latency }: RunResult, lateNs: number): number | null {
  const total = latency.histograms?.total;
  if (total === undefined) return 0;
  const histogram = LatencyHistogram.fromJSON(total);
  let late = 0;
  for (let bucket = 0; bucket < histogram.used; bucket++) {
    if (histogram.layout.lowestOf(bucket) > lateNs) late += histogram.countAt(bucket);
  }
  return late;
}

/** The slowest of several policies in one machine; null: nothing was ever armed again. */
function rearmOf(policies: readonly PolicyHoldings[], figure: "p50" | "p99"): number | null {
  const used = policies.map(({ rearm }) => rearm).filter(({ count }) => count > 0);
  return used.length === 0 ? null : Math.max(...used.map((row) => row[figure]));
}
