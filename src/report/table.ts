/** Aligned text tables: first column left, the others right, two blanks between. */

export interface TableOptions {
  /** Blanks before each line. */
  readonly indent?: number;
  /** Columns, from 0, that are aligned left. Default: the first. */
  readonly left?: readonly number[];
}

/** Lines of a table; `rows` may differ in length. */
export function tableLines(
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string[] {
  const left = options.left ?? [0];
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  const indent = " ".repeat(options.indent ?? 2);
  return rows.map((row) => {
    const cells = row.map((cell, i) =>
      left.includes(i) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!),
    );
    return (indent + cells.join("  ")).trimEnd();
  });
}

/** Cuts `text` to `width` columns, with an ellipsis where something is missing. */
export function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 3))}...`;
}

/** Breaks `text` into lines of at most `width` columns, between words; a no-break space stays. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/ +/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  if (line !== "") lines.push(line);
  return lines;
}
