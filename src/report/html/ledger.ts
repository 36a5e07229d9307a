/** The ledger: what became of every interrupt, by fate, by guest, by source; and host calls. */
import { formatCount } from "../../base/units.ts";
import { FATES, type Fate } from "../../measure/fates.ts";
import type { FateTotals, LedgerRow, RunResult } from "../../run/result.ts";
import { classOf, lostOf } from "../../scenario/fate-sums.ts";
import { fatesByGuest, percent } from "../interrupts.ts";
import { html, type Markup } from "./markup.ts";
import type { Section } from "./page.ts";
import { type Row, table } from "./table.ts";

const GUESTS_SHOWN = 16;
/** More sources than anybody reads would make the page slow; files have them all. */
const SOURCES_SHOWN = 1_500;

const KINDS = ["delivered", "coalesced", "pending", "dropped"] as const;

function classCells(name: string, raised: number, totals: FateTotals): Row {
  const counts = KINDS.map((kind) => formatCount(classOf(totals, kind)));
  return [name, formatCount(raised), ...counts, formatCount(lostOf(totals))];
}

function byGuest(result: RunResult): Markup {
  const guests = fatesByGuest(result);
  const rows = guests.map(({ name, raised, totals }) => classCells(name, raised, totals));
  const { raised, totals } = result.ledger;
  const several = guests.length > 1;
  if (several) rows.push(classCells("all", raised, totals));
  const head = ["", "raised", ...KINDS, "of these lost"];
  const options = { shown: GUESTS_SHOWN, rowsAre: "guests", total: several };
  return html`<h3>By guest</h3>${table(head, rows, options)}`;
}

function byFate({ ledger: { totals, raised } }: RunResult): Markup {
  const fates = FATES.filter((fate) => (totals[fate] ?? 0) > 0);
  const rows = fates.map((fate): Row => {
    const n = totals[fate] ?? 0;
    const width = Math.max(1, Math.round((100 * n) / raised));
    return [
      fate,
      formatCount(n),
      percent(n, raised),
      html`<span class="bar" style="width:${width}px"></span>`,
    ];
  });
  return html`<h3>By fate</h3>${table(["", "interrupts", "share", ""], rows, { left: [0, 3] })}`;
}

/** Sources with a column for each fate that occurs among them. */
export function sourceTable(rows: readonly LedgerRow[]): Markup {
  const fates = FATES.filter((fate) => rows.some((row) => (row.fates[fate] ?? 0) > 0));
  const cells = ({ source, raised, fates: counts }: LedgerRow): Row => [
    source,
    formatCount(raised),
    ...fates.map((fate: Fate) => (counts[fate] === undefined ? "" : formatCount(counts[fate]))),
  ];
  return table(["", "raised", ...fates], rows.map(cells));
}

function bySource({ ledger }: RunResult): Markup {
  const shown = ledger.rows.slice(0, SOURCES_SHOWN);
  const guests = [...new Set(shown.map(({ guest }) => guest))];
  const folds = guests.map((guest) => {
    const rows = shown.filter((row) => row.guest === guest);
    const summary = html`${guest}: ${formatCount(rows.length)} sources`;
    const open = guests.length === 1 && rows.length <= 24 ? html` open` : null;
    return html`<details${open}><summary>${summary}</summary>${sourceTable(rows)}</details>`;
  });
  const more = ledger.rows.length - shown.length;
  const where = `${formatCount(more)} more sources are in result.json, and in -o csv.`;
  const note = more > 0 ? html`<p class="note">${where}</p>` : null;
  return html`<h3>By source</h3>${folds}${note}`;
}

export function ledgerSection(result: RunResult): Section {
  const title = "Ledger of interrupts";
  if (result.ledger.raised === 0) {
    return {
      id: "ledger",
      title,
      short: "Ledger",
      body: html`<p>No device raised an interrupt.</p>`,
    };
  }
  return {
    id: "ledger",
    title,
    short: "Ledger",
    body: html`${byGuest(result)}${byFate(result)}${bySource(result)}`,
  };
}

export function callsSection({ ioctls }: RunResult): Section | null {
  const calls = Object.entries(ioctls).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  if (calls.length === 0) return null;
  const total = calls.reduce((sum, [, n]) => sum + n, 0);
  const rows = calls.map(
    ([name, n]): Row => [html`<code>${name}</code>`, formatCount(n), percent(n, total)],
  );
  rows.push(["all", formatCount(total), ""]);
  const body = table(["", "calls", "share"], rows, { total: true });
  return { id: "calls", title: "Calls to the host", short: "Calls", body };
}
