/**
 * A result as one table for spreadsheets and data frames (RFC 4180), a figure a line.
 *
 *   scenario,engine,seed  which run, so that files of several can be put together
 *   section               run, pool, retention, ledger, latency, calls or expectations
 *   guest                 empty: all guests together
 *   source                ledger: `nvme0 msix[3]`; latency: the stage; calls: the call;
 *                         retention: `policy cache` or `device nvme0`
 *   figure                raised or a fate; count, min, p50, p90, p99, p999, max; ...
 *   unit                  interrupts, ns, irqs, entries, vectors, unit-seconds, calls, bool; or
 *                         empty: a count of what the figure says
 *   value                 a number; empty: the run has none
 */
import { FATES } from "../measure/fates.ts";
import type { Holdings, LatencyRow, RunResult } from "../run/result.ts";
import { sortedEntries } from "./natural-order.ts";

export const CSV_COLUMNS = [
  "scenario",
  "engine",
  "seed",
  "section",
  "guest",
  "source",
  "figure",
  "unit",
  "value",
] as const;

const LATENCY_FIGURES = ["count", "min", "p50", "p90", "p99", "p999", "max"] as const;

const HOLDINGS = [
  "armedIrqSeconds",
  "idleIrqSeconds",
  "armedIrteSeconds",
  "idleIrteSeconds",
  "armedVectorSeconds",
  "idleVectorSeconds",
  "allocations",
  "frees",
  "iecFlushes",
  "reused",
  "reclaimed",
  "failures",
  "failuresSuffered",
  "failuresCaused",
  "refusedAgain",
] as const;

/** One line without what is the same in all of them. */
type Line = readonly [
  section: string,
  guest: string,
  source: string,
  figure: string,
  unit: string,
  value: number | null,
];

/** Lines end in CRLF, the first has the columns' names. */
export function csvReport(result: RunResult): string {
  const { scenario, engine, seed } = result.provenance;
  const lines = [
    ...runLines(result),
    ...poolLines(result),
    ...retentionLines(result),
    ...ledgerLines(result),
    ...latencyLines(result),
    ...sortedEntries(result.ioctls).map(
      ([call, n]): Line => ["calls", "", call, "count", "calls", n],
    ),
    ...result.expectations.map(
      ({ text, ok }): Line => ["expectations", "", text, "ok", "bool", ok === null ? null : +ok],
    ),
  ];
  const head = [scenario, engine, seed].map(csvCell).join(",");
  const rows = lines.map((line) => `${head},${line.map(csvCell).join(",")}`);
  return `${[CSV_COLUMNS.join(","), ...rows].join("\r\n")}\r\n`;
}

/** A program that takes a cell that begins with one of these for a formula is not to have one. */
const FORMULA = /^[=+\-@\t\r]/;

export function csvCell(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return `${value}`;
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function runLines({ durationNs, guests }: RunResult): Line[] {
  return [
    ["run", "", "", "duration", "ns", durationNs],
    ...guests.map(({ name, interrupts }): Line => {
      return ["run", name, "", "interrupts", "interrupts", interrupts];
    }),
  ];
}

function poolLines({ pool, leaked }: RunResult): Line[] {
  const line = (source: string, figure: string, unit: string, value: number | null): Line => {
    return ["pool", "", source, figure, unit, value];
  };
  const resource = (
    source: string,
    unit: string,
    figures: Readonly<Record<string, number | null>>,
  ): Line[] => Object.entries(figures).map(([figure, value]) => line(source, figure, unit, value));
  return [
    ...resource("irqs", "irqs", {
      end: pool.irqsHeld,
      peak: pool.irqsPeak,
      leaked: leaked?.irqs ?? null,
    }),
    ...resource(pool.entries ?? "IRTEs", "entries", {
      boot: pool.irtesBoot,
      end: pool.irtesUsed,
      peak: pool.irtesPeak,
      size: pool.irtesSize,
      leaked: leaked?.irtes ?? null,
    }),
    ...resource("CPU vectors", "vectors", {
      boot: pool.vectorsBoot,
      end: pool.vectorsUsed,
      peak: pool.vectorsPeak,
      size: pool.vectorsSize,
      leaked: leaked?.vectors ?? null,
    }),
  ];
}

/** Holdings by policy, guest and device; figures are those of the result. */
function retentionLines({ retention }: RunResult): Line[] {
  const ofHoldings = (guest: string, source: string, held: Holdings): Line[] =>
    HOLDINGS.map((figure): Line => {
      // A result stored by an older version has no refusedAgain.
      const value = held[figure] ?? null;
      const unit = /^(armed|idle).*Seconds$/.exec(figure) === null ? "" : "unit-seconds";
      return ["retention", guest, source, figure, unit, value];
    });
  const idle = retention.policies.flatMap(({ policy, idle: spans }) =>
    (["p50", "p90", "p99", "p999", "max"] as const).map((figure): Line => {
      return ["retention", "", `policy ${policy}`, `idle.${figure}`, "ns", spans[figure]];
    }),
  );
  return [
    ...retention.policies.flatMap((held) => ofHoldings("", `policy ${held.policy}`, held)),
    ...idle,
    ...retention.guests.flatMap((held) => ofHoldings(held.name, "", held)),
    ...retention.devices.flatMap((held) => ofHoldings("", `device ${held.device}`, held)),
  ];
}

function ledgerLines({ ledger }: RunResult): Line[] {
  return ledger.rows.flatMap(({ guest, source, raised, fates }): Line[] => [
    ["ledger", guest, source, "raised", "interrupts", raised],
    ...FATES.filter((fate) => fates[fate] !== undefined).map((fate): Line => {
      return ["ledger", guest, source, fate, "interrupts", fates[fate]!];
    }),
  ]);
}

function latencyLines({ latency }: RunResult): Line[] {
  const ofRow = (guest: string, row: LatencyRow): Line[] =>
    LATENCY_FIGURES.map((figure) => {
      const unit = figure === "count" ? "interrupts" : "ns";
      return ["latency", guest, row.stage, figure, unit, row[figure]];
    });
  const { floor } = latency;
  return [
    ...latency.stages.flatMap((row) => ofRow("", row)),
    ...latency.guests.flatMap(({ name, stages }) => stages.flatMap((row) => ofRow(name, row))),
    ...(floor === null
      ? []
      : ([
          ["latency", "", "floor", "spin", "ns", floor.spinOneWayNs],
          ["latency", "", "floor", "park", "ns", floor.parkOneWayNs],
          ["latency", "", "floor", "clock", "ns", floor.clockNs],
        ] satisfies Line[])),
  ];
}
