/** Latency of a result as HdrHistogram's percentile distribution, for its plotters. */
import { UsageError } from "../base/errors.ts";
import { hgrmText } from "../measure/hdr-format.ts";
import { LatencyHistogram } from "../measure/histogram.ts";
import type { RunResult } from "../run/result.ts";

/** The distribution of one stage in microseconds; throws UsageError if the result has none. */
export function hgrmReport({ latency, provenance }: RunResult, stage = "total"): string {
  const histograms = latency.histograms ?? {};
  const json = Object.hasOwn(histograms, stage) ? histograms[stage] : undefined;
  if (json !== undefined) return hgrmText(LatencyHistogram.fromJSON(json));
  const known = latency.stages.map((row) => row.stage).filter((name) => histograms[name]);
  const why =
    known.length === 0 ? "no histogram: no interrupt reached an ISR" : `no stage "${stage}"`;
  const hint =
    known.length > 0
      ? `stages: ${known.join(", ")}`
      : latency.stages.length > 0
        ? "it was made by an older version: run the scenario again"
        : "give the guests a workload, or run for longer";
  throw new UsageError(`result of ${provenance.scenario}: ${why}`, { hint });
}
