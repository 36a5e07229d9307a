/** Measurements read back from files: of this version, whole, and safe to show. */
import { InvariantError, UsageError } from "../base/errors.ts";
import { LatencyHistogram } from "../measure/histogram.ts";
import { BROKE_SHAPE, FLOOR_SHAPE, HISTOGRAM_SHAPE, WARNINGS_SHAPE } from "../report/run-shape.ts";
import { misfit, type Shape } from "../report/shape.ts";
import { LATENCY_FIGURES, LATENCY_SCHEMA, type LatencyMeasurement } from "./measurement.ts";

function figures(each: Shape): Record<string, Shape> {
  return Object.fromEntries(LATENCY_FIGURES.map((figure) => [figure, each]));
}

const NULL_OR_NUMBER: Shape = { nullOr: "number" };
const ROW: Shape = { keys: { stage: "string", count: "number", ...figures("number") } };
const COUNTS = {
  raised: "number",
  delivered: "number",
  coalesced: "number",
  pending: "number",
  dropped: "number",
  lost: "number",
} satisfies Record<string, Shape>;
const INTERVAL: Shape = {
  keys: { mean: "number", low: NULL_OR_NUMBER, high: NULL_OR_NUMBER, runs: "number" },
};

const SETTINGS: Shape = {
  keys: {
    engine: "string",
    guests: "number",
    vectors: "number",
    vcpus: "number",
    path: "string",
    wait: "string",
    load: { keys: { kind: "string", "?perSecond": "number", "?depth": "number" } },
    durationNs: "number",
    warmupNs: "number",
    runs: "number",
    seed: "number",
    kernel: "string",
    cpus: { nullOr: { listOf: "number" } },
    breakOnNs: NULL_OR_NUMBER,
  },
};

const WAKE: Shape = {
  keys: {
    wake: "string",
    stages: { listOf: ROW },
    histograms: { mapOf: HISTOGRAM_SHAPE },
    everyArrival: { nullOr: ROW },
    floorNs: NULL_OR_NUMBER,
    ratio: { nullOr: { keys: { p50: "number", p99: "number" } } },
    intervals: { keys: figures(INTERVAL) },
  },
};

const RUN: Shape = {
  keys: {
    seed: "number",
    partial: { nullOr: "string" },
    durationNs: "number",
    ...COUNTS,
    perSecond: NULL_OR_NUMBER,
    totals: { mapOf: ROW },
    floor: { nullOr: FLOOR_SHAPE },
    utilisation: { nullOr: { keys: { host: "number", guests: NULL_OR_NUMBER } } },
    coreWait: NULL_OR_NUMBER,
    violations: { listOf: "string" },
  },
};

const SHAPE: Shape = {
  keys: {
    schema: { is: LATENCY_SCHEMA },
    version: "string",
    settings: SETTINGS,
    machine: {
      nullOr: {
        keys: { node: "string", arch: "string", os: "string", cpuModel: "string", cpus: "number" },
      },
    },
    partial: { nullOr: "string" },
    interrupts: { keys: COUNTS },
    wakes: { listOf: WAKE },
    runs: { listOf: RUN },
    broke: { nullOr: BROKE_SHAPE },
    warnings: WARNINGS_SHAPE,
  },
};

/** The measurement in `text`; throws UsageError that names `file`. */
export function parseMeasurement(text: string, file: string): LatencyMeasurement {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UsageError(`${file}: is not JSON`);
  }
  const wrong = misfit(value, SHAPE) ?? senseless(value as LatencyMeasurement);
  if (wrong === null) return value as LatencyMeasurement;
  throw new UsageError(`${file}: is damaged: ${wrong}`, { hint: "measure again" });
}

/** What fits its shape and still cannot be. */
function senseless({ wakes, runs }: LatencyMeasurement): string | null {
  if (runs.length === 0) return "it has no runs";
  for (const { wake, stages, histograms } of wakes) {
    if (!["spinning", "parked", "modelled"].includes(wake)) return `guests that wait ${wake}`;
    if (stages.at(-1)?.stage !== "total") return `no total of what found guests ${wake}`;
    for (const [stage, histogram] of Object.entries(histograms)) {
      try {
        LatencyHistogram.fromJSON(histogram);
      } catch (error) {
        if (error instanceof InvariantError) return `histogram of ${stage}: ${error.message}`;
        throw error;
      }
    }
  }
  return null;
}
