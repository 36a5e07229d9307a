/** Rows of the three layers as a page: columns as wide as the terminal allows, nothing beyond. */
import { foldRows, type LayerRow } from "../conform/layers.ts";
import { PLAIN, type Style } from "../report/style.ts";
import { clip, wrap } from "../report/table.ts";

export interface LayersPage {
  readonly width: number;
  readonly style?: Style;
  /** A column for what was recorded, beside the model's answers. */
  readonly showsRecorded?: boolean;
  /** What the pool's shared entries are called. */
  readonly entryName?: string;
  /** Every call on a row of its own. */
  readonly unfolded?: boolean;
}

const NS_PER_S = 1e9;
const GAP = "  ";
const HANGING = "  ";
/** Part of the free width by which what the VMM asks stands to the right of what the guest does. */
const GUEST_SHARE = 0.32;
const GUEST_MIN = 10;
const VMM_MIN = 20;
const TIME_MIN = 8;
const LINE_MIN = 4;
/** Lines that one text may take. */
const LINES_MAX = 12;
/** Whatever would move the cursor: a log may hold anything. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

interface Columns {
  readonly line: number;
  readonly time: number;
  readonly decimals: number;
  readonly guest: number;
  readonly vmm: number;
  readonly recorded: number;
  readonly answer: number;
  readonly pool: readonly [number, number, number];
  readonly width: number;
}

/** Lines of the whole page, each with its end. */
export function layersText(all: readonly LayerRow[], page: LayersPage): string {
  const rows = page.unfolded === true ? all : foldRows(all);
  const columns = columnsOf(rows, page);
  const style = page.style ?? PLAIN;
  const lines = [style.bold(titleLine(columns, page))];
  let pool = "";
  for (const row of rows) {
    lines.push(...rowLines(row, columns, style, pool));
    if (row.pool !== null) pool = JSON.stringify(row.pool);
  }
  return lines.map((line) => `${line}\n`).join("");
}

function widest(texts: Iterable<string>, least: number): number {
  let width = least;
  for (const { length } of texts) width = Math.max(width, length);
  return width;
}

/** Each column as wide as its texts are; guest and VMM share what is left of the page. */
function columnsOf(rows: readonly LayerRow[], page: LayersPage): Columns {
  const widestOf = (least: number, text: (row: LayerRow) => string): number =>
    widest(rows.map(text), least);
  const last = rows.reduce((most, { timeNs }) => Math.max(most, timeNs ?? 0), 0) / NS_PER_S;
  const decimals = last < 100 ? 6 : last < 10_000 ? 4 : 3;
  const hasTime = rows.some(({ timeNs }) => timeNs !== null);
  const time = hasTime ? widest([last.toFixed(decimals)], TIME_MIN) : 0;
  const line = widestOf(LINE_MIN, (row) => String(row.line));
  const answer = widestOf("kernel".length, (row) => row.answer);
  const recorded =
    page.showsRecorded === true ? widestOf("recorded".length, (row) => row.recorded) : 0;
  const pool = [
    widestOf("irqs".length, (row) => String(row.pool?.irqs ?? "")),
    widestOf(entriesName(page).length, (row) => String(row.pool?.irtes ?? "")),
    widestOf("vectors".length, (row) => String(row.pool?.vectors ?? "")),
  ] as const;
  const used = [line, time, recorded, answer, ...pool].filter((width) => width > 0);
  let free = page.width - used.reduce((sum, width) => sum + width + GAP.length, 0);
  const guestText = widestOf(0, (row) => row.guest);
  const share = Math.max(GUEST_MIN, Math.floor(free * GUEST_SHARE));
  const guest = guestText === 0 ? 0 : Math.min(guestText + GAP.length, share);
  // Order matters more than time does.
  const isNarrow = free - guest < VMM_MIN;
  if (isNarrow && time > 0) free += time + GAP.length;
  const vmmText = widestOf("VMM asks".length, (row) => row.vmm);
  const vmm = Math.max(VMM_MIN, Math.min(vmmText, free - guest));
  const shownTime = isNarrow ? 0 : time;
  return { line, time: shownTime, decimals, guest, vmm, recorded, answer, pool, width: page.width };
}

function entriesName(page: LayersPage): string {
  return page.entryName ?? "IRTEs";
}

function titleLine(columns: Columns, page: LayersPage): string {
  const { line, time, guest, vmm, recorded, answer, pool, width } = columns;
  const [irqs, irtes, vectors] = pool;
  const cells = ["line".padStart(line)];
  if (time > 0) cells.push("s".padStart(time));
  cells.push("guest".slice(0, guest).padEnd(guest) + "VMM asks".padEnd(vmm));
  if (recorded > 0) cells.push("recorded".padEnd(recorded), "model".padEnd(answer));
  else cells.push("kernel".padEnd(answer));
  cells.push("irqs".padStart(irqs), entriesName(page).padStart(irtes));
  cells.push("vectors".padStart(vectors));
  return clip(cells.join(GAP), width);
}

/** Line and time; blanks of the same width go before what belongs to the same row. */
function headOf(row: LayerRow, { line, time, decimals }: Columns): string {
  const cells = [String(row.line).padStart(line)];
  const seconds = row.timeNs === null ? "" : (row.timeNs / NS_PER_S).toFixed(decimals);
  if (time > 0) cells.push(seconds.padStart(time));
  return cells.join(GAP) + GAP;
}

function rowLines(row: LayerRow, columns: Columns, style: Style, poolBefore: string): string[] {
  const head = headOf(row, columns);
  const blank = " ".repeat(head.length);
  const room = columns.width - head.length;
  if (row.note !== "") return [style.warn(clip(`${head}-- ${printable(row.note)}`, columns.width))];
  const isWrong = row.differences.length > 0;
  if (row.guest !== "") {
    const texts = broken(row.guest, room).map((text, i) => `${i === 0 ? head : blank}${text}`);
    const wrong = differenceLines(row, room).map((text) => clip(blank + text, columns.width));
    return isWrong ? [...texts, ...wrong].map(style.bad) : texts;
  }
  const indent = " ".repeat(columns.guest);
  const asked = broken(row.vmm, columns.vmm).map((text, i) => {
    const start = `${i === 0 ? head : blank}${indent}`;
    if (i > 0) return start + text;
    const [answers, pool] = answersOf(row, columns);
    const whole = `${start}${text.padEnd(columns.vmm)}${answers}${pool}`;
    const isNew = pool !== "" && !isWrong && poolBefore !== JSON.stringify(row.pool);
    if (whole.length > columns.width) return clip(whole, columns.width);
    return isNew ? whole.slice(0, -pool.length) + style.bold(pool) : whole;
  });
  const wrong = differenceLines(row, Math.max(VMM_MIN, room - columns.guest));
  return [
    ...asked.map((text) => (isWrong ? style.bad(text.trimEnd()) : text.trimEnd())),
    ...wrong.map((text) => style.bad(clip(blank + indent + text, columns.width))),
  ];
}

/** What was expected and what came, in one line if it is short, in `width` columns. */
function differenceLines({ differences }: LayerRow, width: number): string[] {
  return differences.flatMap(({ field, expected, got }) => {
    const short = `!! ${field}: expected ${expected}, got ${got}`;
    if (short.length <= width) return [printable(short)];
    const blanks = " ".repeat(field.length + 5);
    return [
      ...broken(`!! ${field}: expected ${expected}`, width),
      ...broken(`got ${got}`, width - blanks.length).map((text) => blanks + text),
    ];
  });
}

/** The right half of a call's row: what was answered, and what the pool lends then. */
function answersOf(row: LayerRow, columns: Columns): [string, string] {
  const { recorded, answer, pool: widths } = columns;
  const cells: string[] = [];
  if (recorded > 0) cells.push(row.recorded.padEnd(recorded));
  cells.push(row.answer.padEnd(answer));
  const answers = GAP + cells.join(GAP);
  if (row.pool === null) return [answers, ""];
  const { irqs, irtes, vectors } = row.pool;
  const numbers = [irqs, irtes, vectors].map((n, i) => String(n).padStart(widths[i]!));
  return [answers, GAP + numbers.join(GAP)];
}

/** `text` without characters that move the cursor. */
export function printable(text: string): string {
  return text.replace(CONTROL, "?");
}

/** Lines of at most `width` columns, those after the first indented; long words are broken. */
function broken(text: string, width: number): string[] {
  const room = Math.max(8, width - HANGING.length);
  const words = printable(text)
    .split(" ")
    .map((word) => word.replace(new RegExp(`.{${room}}(?=.)`, "gu"), "$& "))
    .join(" ");
  const [first = "", ...rest] = words.length <= width ? [words] : wrap(words, room);
  const lines = [first, ...rest.map((line) => HANGING + line)];
  if (lines.length <= LINES_MAX) return lines;
  return [...lines.slice(0, LINES_MAX - 1), `${HANGING}...`];
}
