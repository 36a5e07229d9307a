/** Latency percentiles by stage, beside the floor of the machine that measured them. */
import { formatCount, formatNs } from "../base/units.ts";
import { referenceNs } from "../measure/calibration.ts";
import type { FloorResult, LatencyResult } from "../run/result.ts";
import { tableLines } from "./table.ts";

export function latencyLines({ stages, floor, ratio }: LatencyResult): string[] {
  if (stages.length === 0) return ["  no interrupt reached an ISR"];
  const rows = stages.map((row) => [
    row.stage.replace("->", " -> "),
    formatCount(row.count),
    formatNs(row.min),
    formatNs(row.p50),
    formatNs(row.p90),
    formatNs(row.p99),
    formatNs(row.p999),
    formatNs(row.max),
  ]);
  const lines = tableLines([["", "count", "min", "p50", "p90", "p99", "p99.9", "max"], ...rows]);
  return [...lines, ...floorLines(floor), ...ratioLines(ratio)];
}

export function floorLines(floor: FloorResult | null): string[] {
  if (floor === null) return ["  times are the cost model's, not a machine's"];
  const one = (ns: number | null): string => (ns === null ? "not measured" : formatNs(ns));
  const wakes = ["spin", "park"]
    .filter((mode) => floor.wakeModes[mode] !== undefined)
    .map((mode) => `${formatCount(floor.wakeModes[mode]!)} by ${mode}`)
    .join(", ");
  return [
    `  floor of this machine, one way between two threads: spin ${one(floor.spinOneWayNs)}, ` +
      `park ${one(floor.parkOneWayNs)}`,
    `  compared with: ${floor.reference}; a clock reading takes ${formatNs(floor.clockNs)}` +
      (wakes === "" ? "" : `; waits ended: ${wakes}`),
    ...driftLines(floor),
  ];
}

function driftLines({ drift, before, after, reference }: FloorResult): string[] {
  if (typeof drift !== "number" || before === undefined || after === undefined) return [];
  const [then, now] = [before, after].map((floor) => formatNs(referenceNs(floor, reference)!));
  const moved = `${drift < 0 ? "-" : "+"}${Math.abs(drift * 100).toFixed(0)} %`;
  return [`  measured before the run (${then}) and after it (${now}, ${moved}); the mean counts`];
}

function ratioLines(ratio: LatencyResult["ratio"]): string[] {
  if (ratio === null) return [];
  return [
    `  total is ${ratio.p50.toFixed(1)} floors at the median, ${ratio.p99.toFixed(1)} at p99`,
  ];
}
