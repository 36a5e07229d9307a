/** The pool and the fates of interrupts, as tables. */
import { formatCount } from "../base/units.ts";
import { FATES } from "../measure/fates.ts";
import type { PoolReport } from "../run/contract.ts";
import type { FateTotals, LeakResult, LedgerRow, RunResult } from "../run/result.ts";
import { classOf, lostOf } from "../scenario/fate-sums.ts";
import { clip, tableLines } from "./table.ts";

const GUESTS_SHOWN = 16;

/** `1.6 %`, or nothing where there is no whole; a little is never shown as none. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return "";
  const share = (100 * part) / whole;
  return part > 0 && share < 0.05 ? "<0.1 %" : `${share.toFixed(1)} %`;
}

/** What the run held of each limited resource. */
export function poolLines(pool: PoolReport, leaked: LeakResult | null): string[] {
  const left = (n: number | undefined): string => (n === undefined ? "?" : formatCount(n));
  return tableLines([
    ["", "at boot", "at end", "peak", "size", "peak/size", "leaked"],
    [
      "irqs",
      "0",
      formatCount(pool.irqsHeld),
      formatCount(pool.irqsPeak),
      "",
      "",
      left(leaked?.irqs),
    ],
    [
      pool.entries ?? "IRTEs",
      formatCount(pool.irtesBoot),
      formatCount(pool.irtesUsed),
      formatCount(pool.irtesPeak),
      formatCount(pool.irtesSize),
      percent(pool.irtesPeak, pool.irtesSize),
      left(leaked?.irtes),
    ],
    [
      "CPU vectors",
      formatCount(pool.vectorsBoot),
      formatCount(pool.vectorsUsed),
      formatCount(pool.vectorsPeak),
      formatCount(pool.vectorsSize),
      percent(pool.vectorsPeak, pool.vectorsSize),
      left(leaked?.vectors),
    ],
  ]);
}

export interface GuestFates {
  readonly name: string;
  readonly raised: number;
  readonly totals: FateTotals;
}

function sumRows(name: string, rows: readonly LedgerRow[]): GuestFates {
  const totals: Partial<Record<(typeof FATES)[number], number>> = {};
  let raised = 0;
  for (const row of rows) {
    raised += row.raised;
    for (const fate of FATES) {
      const n = row.fates[fate];
      if (n !== undefined) totals[fate] = (totals[fate] ?? 0) + n;
    }
  }
  return { name, raised, totals };
}

function classRow({ name, raised, totals }: GuestFates): string[] {
  const kinds = ["delivered", "coalesced", "pending", "dropped"];
  const counts = kinds.map((kind) => formatCount(classOf(totals, kind)));
  return [clip(name, 16), formatCount(raised), ...counts, formatCount(lostOf(totals))];
}

/** The ledger's rows added up by guest, in the order of the ledger. */
export function fatesByGuest({ ledger }: RunResult): GuestFates[] {
  const byGuest = new Map<string, LedgerRow[]>();
  for (const row of ledger.rows) {
    const rows = byGuest.get(row.guest);
    if (rows === undefined) byGuest.set(row.guest, [row]);
    else rows.push(row);
  }
  return [...byGuest].map(([name, rows]) => sumRows(name, rows));
}

/** A row a guest by class of fate, then every fate that occurred, with its share. */
export function fateLines(result: RunResult): string[] {
  const { ledger } = result;
  if (ledger.raised === 0) return ["  no device raised an interrupt"];
  const guests = fatesByGuest(result);
  const shown = guests.slice(0, GUESTS_SHOWN).map(classRow);
  const total = { name: "all", raised: ledger.raised, totals: ledger.totals };
  const head = ["", "raised", "delivered", "coalesced", "pending", "dropped", "of these lost"];
  const lines = tableLines([head, ...shown, ...(guests.length > 1 ? [classRow(total)] : [])]);
  if (guests.length > shown.length)
    lines.push(`  (${guests.length - shown.length} guests not shown)`);
  const fates = FATES.filter((fate) => (ledger.totals[fate] ?? 0) > 0).map((fate) => {
    const n = ledger.totals[fate] ?? 0;
    return [fate, formatCount(n), percent(n, ledger.raised)];
  });
  return [...lines, "", ...tableLines(fates)];
}
