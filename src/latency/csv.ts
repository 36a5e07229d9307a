/**
 * A latency measurement in the columns of src/report/csv.ts, a figure a line: `seed` is empty where
 * a figure is of all runs, `source` of section latency is how the guest was waiting and the stage.
 */
import { CSV_COLUMNS, csvCell } from "../report/csv.ts";
import {
  type FineRow,
  LATENCY_FIGURES,
  type LatencyMeasurement,
  type LatencyRun,
  type WakeSummary,
} from "./measurement.ts";

type Line = readonly [
  seed: number | null,
  section: string,
  source: string,
  figure: string,
  unit: string,
  value: number | null,
];

const COUNTS = ["raised", "delivered", "coalesced", "pending", "dropped", "lost"] as const;

export function measurementCsv(measured: LatencyMeasurement): string {
  const lines = [...measured.wakes.flatMap(wakeLines), ...measured.runs.flatMap(runLines)];
  const rows = lines.map(([seed, section, source, figure, unit, value]) => {
    const cells = ["latency", measured.settings.engine, seed, section, "", source, figure, unit];
    return [...cells, value].map(csvCell).join(",");
  });
  return `${[CSV_COLUMNS.join(","), ...rows].join("\r\n")}\r\n`;
}

function rowLines(seed: number | null, source: string, row: FineRow): Line[] {
  return [
    [seed, "latency", source, "count", "interrupts", row.count],
    ...LATENCY_FIGURES.map((figure): Line => {
      return [seed, "latency", source, figure, "ns", row[figure]];
    }),
  ];
}

function wakeLines({ wake, stages, everyArrival, floorNs, intervals }: WakeSummary): Line[] {
  const all = everyArrival === null ? stages : [...stages, everyArrival];
  return [
    ...all.flatMap((row) => rowLines(null, `${wake} ${row.stage}`, row)),
    [null, "latency", `${wake} floor`, "p50", "ns", floorNs],
    ...LATENCY_FIGURES.flatMap((figure): Line[] => {
      const { mean, low, high } = intervals[figure];
      const line = (what: string, value: number | null): Line => {
        return [null, "latency", `${wake} total`, `${figure}.${what}`, "ns", value];
      };
      return [line("mean", mean), line("low", low), line("high", high)];
    }),
  ];
}

function runLines(run: LatencyRun): Line[] {
  const { seed, totals, floor, perSecond, utilisation } = run;
  return [
    ...COUNTS.map((what): Line => [seed, "ledger", "", what, "interrupts", run[what]]),
    [seed, "run", "", "rate", "1/s", perSecond],
    [seed, "run", "host worker", "busy", "share", utilisation?.host ?? null],
    ...Object.entries(totals).flatMap(([wake, row]) => rowLines(seed, `${wake} total`, row)),
    [seed, "latency", "floor", "spin", "ns", floor?.spinOneWayNs ?? null],
    [seed, "latency", "floor", "park", "ns", floor?.parkOneWayNs ?? null],
    [seed, "latency", "floor", "drift", "share", floor?.drift ?? null],
  ];
}
