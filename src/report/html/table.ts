/** Tables of a page: first column left, the others right, wide ones scroll within themselves. */
import { html, type Markup, type Value } from "./markup.ts";

export type Row = readonly Value[];

export interface TableOptions {
  /** Columns, from 0, that are aligned left. Default: the first. */
  readonly left?: readonly number[];
  /** Rows shown at once; the others fold away behind a line that counts them. Default: all. */
  readonly shown?: number;
  /** What a row is, for that line: `guests`. */
  readonly rowsAre?: string;
  /** The last row is a sum. */
  readonly total?: boolean;
}

function cells(tag: "td" | "th", row: Row, left: readonly number[]): Markup {
  return html`<tr>${row.map((cell, i) => {
    const align = left.includes(i) ? html` class="l"` : null;
    return tag === "th"
      ? html`<th scope="col"${align}>${cell}</th>`
      : html`<td${align}>${cell}</td>`;
  })}</tr>`;
}

function bare(head: Row, rows: readonly Row[], left: readonly number[], total: boolean): Markup {
  const body = rows.slice(0, total ? -1 : undefined);
  const foot = total ? html`<tfoot>${cells("td", rows.at(-1)!, left)}</tfoot>` : null;
  const top = head.length === 0 ? null : html`<thead>${cells("th", head, left)}</thead>`;
  return html`<div class="scroll"><table>${top}<tbody>${body.map((row) =>
    cells("td", row, left),
  )}</tbody>${foot}</table></div>`;
}

export function table(head: Row, rows: readonly Row[], options: TableOptions = {}): Markup {
  const { left = [0], shown = Number.POSITIVE_INFINITY, rowsAre = "rows", total } = options;
  if (rows.length <= shown + 1) return bare(head, rows, left, total === true);
  const sum = total === true ? rows.slice(-1) : [];
  const some = [...rows.slice(0, shown), ...sum];
  const rest = rows.slice(shown, total === true ? -1 : undefined);
  const folded = bare(head, rest, left, false);
  return html`${bare(head, some, left, total === true)}
<details><summary>${rest.length} more ${rowsAre}</summary>${folded}</details>`;
}
