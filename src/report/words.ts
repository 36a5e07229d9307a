/** What happened in a run, in sentences, and its key figures; for summaries. */
import { formatCount, formatNs, formatRate } from "../base/units.ts";
import type { RunResult } from "../run/result.ts";
import { leakedOf } from "../scenario/expect-names.ts";
import { classOf, lostOf } from "../scenario/fate-sums.ts";
import { percent } from "./interrupts.ts";

function plural(n: number, one: string, many = `${one}s`): string {
  return `${formatCount(n)} ${n === 1 ? one : many}`;
}

function interruptWords({ ledger, guests }: RunResult): string {
  if (ledger.raised === 0) return "No device raised an interrupt.";
  const { raised, totals } = ledger;
  const dropped = classOf(totals, "dropped");
  const parts = [
    [classOf(totals, "delivered"), "reached their handler"],
    [classOf(totals, "coalesced"), "merged with an older one"],
    [classOf(totals, "pending"), "still waited at the end"],
    [dropped, "ended nowhere"],
  ] as const;
  const told = parts.filter(([n]) => n > 0).map(([n, text]) => `${formatCount(n)} ${text}`);
  const lost = lostOf(totals);
  const none = dropped > 0 ? "none that was still wanted was lost" : "none was lost";
  const end = lost === 0 ? none : `${formatCount(lost)} ${lost === 1 ? "was" : "were"} lost`;
  const whose = guests.length === 1 ? "its device" : "their devices";
  return `Of ${plural(raised, "interrupt")} that ${whose} raised, ${told.join(", ")}; ${end}.`;
}

function poolWords(result: RunResult): string {
  const { pool } = result;
  const leaked = leakedOf(result);
  const entries = pool.entries ?? "IRTEs";
  const peak =
    pool.irtesSize > 0
      ? `At most ${formatCount(pool.irtesPeak)} of ${formatCount(pool.irtesSize)} ${entries}`
      : `At most ${plural(pool.irqsPeak, "irq")}`;
  const end =
    leaked === null
      ? "what was left could not be counted"
      : leaked === 0
        ? "all were given back"
        : `${formatCount(leaked)} irqs, entries and vectors outlived the guests`;
  return `${peak} were in use at once; ${end}.`;
}

function shortageWords({ retention: { failures } }: RunResult): string[] {
  if (failures.total === 0) return [];
  const { total, causedByIdle } = failures;
  const cause =
    causedByIdle === 0
      ? "idle irqs of others were not the cause"
      : `idle irqs of others caused ${formatCount(causedByIdle)}`;
  return [`${plural(total, "request")} for irqs got less than asked for; ${cause}.`];
}

function latencyWords({ latency }: RunResult): string[] {
  const total = latency.stages.find(({ stage }) => stage === "total");
  if (total === undefined) return [];
  const { ratio, floor } = latency;
  const times = `${formatNs(total.p50)} at the median and ${formatNs(total.p99)} at p99`;
  const beside =
    floor === null
      ? ", by the cost model"
      : ratio === null
        ? ""
        : `, ${ratio.p50.toFixed(1)} and ${ratio.p99.toFixed(1)} times the machine's floor`;
  return [`From device to handler an interrupt took ${times}${beside}.`];
}

/** What a run came to, for people: a sentence each. */
export function summaryWords(result: RunResult): string[] {
  const { guests, durationNs, provenance } = result;
  const how = provenance.engine === "virtual" ? "in virtual time" : "on threads";
  const ran = `${plural(guests.length, "guest")} ran ${formatNs(durationNs)} ${how}.`;
  return [
    ran,
    interruptWords(result),
    poolWords(result),
    ...shortageWords(result),
    ...latencyWords(result),
  ];
}

export interface KeyFigure {
  readonly label: string;
  readonly value: string;
  /** What to compare it with, "" if nothing. */
  readonly beside: string;
  readonly bad: boolean;
}

/** The figures that a reader looks for first. */
export function keyFigures(result: RunResult): KeyFigure[] {
  const { ledger, pool, latency, durationNs, leaked } = result;
  const delivered = classOf(ledger.totals, "delivered");
  const lost = lostOf(ledger.totals);
  const leaks = leakedOf(result);
  const total = latency.stages.find(({ stage }) => stage === "total");
  const rate = durationNs > 0 ? formatRate(ledger.raised / (durationNs / 1e9)) : "";
  const figures: KeyFigure[] = [
    { label: "raised", value: formatCount(ledger.raised), beside: rate, bad: false },
    {
      label: "delivered",
      value: formatCount(delivered),
      beside: percent(delivered, ledger.raised),
      bad: false,
    },
    {
      label: "lost",
      value: formatCount(lost),
      beside: percent(lost, ledger.raised),
      bad: lost > 0,
    },
    {
      label: "leaked",
      value: leaks === null ? "?" : formatCount(leaks),
      beside: leaked === null ? "not counted" : "irqs, entries, vectors",
      bad: leaks === null || leaks > 0,
    },
    {
      label: `${pool.entries ?? "IRTEs"} at most`,
      value: formatCount(pool.irtesPeak),
      beside: pool.irtesSize > 0 ? `of ${formatCount(pool.irtesSize)}` : "no remapping",
      bad: false,
    },
  ];
  const { failures } = result.retention;
  if (failures.total > 0) {
    const beside = `${formatCount(failures.causedByIdle)} by idle irqs`;
    const value = formatCount(failures.total);
    figures.push({ label: "requests short", value, beside, bad: true });
  }
  if (total !== undefined) {
    const { ratio } = latency;
    const floors = (n: number | undefined): string =>
      n === undefined ? "by the cost model" : `${n.toFixed(1)} floors`;
    figures.push(
      { label: "latency p50", value: formatNs(total.p50), beside: floors(ratio?.p50), bad: false },
      { label: "latency p99", value: formatNs(total.p99), beside: floors(ratio?.p99), bad: false },
    );
  }
  return figures;
}
