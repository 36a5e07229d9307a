/** CSV, Markdown and .hgrm of a result: what other programs and people make of them. */
import fc from "fast-check";
import * as hdr from "hdr-histogram-js";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { CSV_COLUMNS, csvCell, csvReport } from "../../../../src/report/csv.ts";
import { FORMATS, renderMatrix, renderResult } from "../../../../src/report/formats.ts";
import { hgrmReport } from "../../../../src/report/hgrm.ts";
import { markdownReport, markdownText } from "../../../../src/report/markdown.ts";
import { FULL, HOSTILE, hostile, TOTALS } from "../../../support/full-result.ts";
import { MATRIX } from "../../../support/sample-matrix.ts";
import { SAMPLE } from "../../../support/sample-result.ts";

/** RFC 4180, as a reader has it: quoted cells may hold commas, quotes and line breaks. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const token = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    if (match === null) throw new Error(`not CSV: ${text.slice(row.length)}`);
    row.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
    if (match[3] === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

describe("CSV", () => {
  const [head, ...rows] = parseCsv(csvReport(FULL));

  it("has its columns' names first and as many cells in every line", () => {
    expect(head).toEqual([...CSV_COLUMNS]);
    expect(new Set(rows.map(({ length }) => length))).toEqual(new Set([CSV_COLUMNS.length]));
    expect(new Set(rows.map((row) => row[3]))).toEqual(
      new Set(["run", "pool", "retention", "ledger", "latency", "calls", "expectations"]),
    );
  });

  it("has every count of the ledger, so that sums can be made of it", () => {
    const ledger = rows.filter((row) => row[3] === "ledger");
    const sum = (figure: string): number =>
      ledger.filter((row) => row[6] === figure).reduce((total, row) => total + Number(row[8]), 0);
    expect(sum("raised")).toBe(FULL.ledger.raised);
    expect(sum("delivered")).toBe(FULL.ledger.totals.delivered);
    expect(sum("dropped-guest-reset")).toBe(97);
  });

  it("has percentiles of all guests together and of each, in ns", () => {
    expect(rows).toContainEqual([
      "nvme-reboot",
      "threads",
      "42",
      "latency",
      "",
      "total",
      "p99",
      "ns",
      "14200",
    ]);
    expect(rows).toContainEqual([
      "nvme-reboot",
      "threads",
      "42",
      "latency",
      "g1",
      "total",
      "p99",
      "ns",
      "14200",
    ]);
    expect(rows).toContainEqual([
      "nvme-reboot",
      "threads",
      "42",
      "latency",
      "",
      "floor",
      "park",
      "ns",
      "6100",
    ]);
  });

  it("gives any text back, but for what a spreadsheet would take for a formula", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string(), (one, other) => {
        const [row] = parseCsv(`${csvCell(one)},${csvCell(other)}\r\n`);
        const shown = (text: string) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
        expect(row).toEqual([shown(one), shown(other)]);
      }),
      { seed: 4 },
    );
    expect([csvCell("=1+1"), csvCell(-1), csvCell(null)]).toEqual(["'=1+1", "-1", ""]);
  });
});

describe("Markdown", () => {
  it("is a heading, the verdict, sentences, warnings with advice, and tables", () => {
    const page = markdownReport(FULL);
    expect(page).toMatch(
      /^### nvme-reboot\n\n\*\*FAILED: 1 of 3 expectations, after 2\.50 s\*\*\n/,
    );
    expect(page).toContain("- failed: lost == 0 (3 against 0)");
    expect(page).toContain("\u2192 use --wait park, fewer guests, or --engine virtual");
    expect(page).toContain("| total | 24,000 | 1.51 us | 3.05 us | 14.2 us | 131 us | 1.40 ms |");
    expect(page).toContain("| all | 24,400 | 24,000 | 300 | 0 | 100 | 3 |");
    expect(page).toMatch(/[^\n]\n$/);
  });

  it("has tables whose rows have as many cells as their heads", () => {
    const tables = markdownReport(FULL).match(/(?:^\|.*\|\n)+/gm)!;
    expect(tables.length).toBe(4);
    for (const table of tables) {
      const widths = table
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/(?<!\\)\|/).length);
      expect(new Set(widths).size).toBe(1);
    }
  });

  it("lets no name make markup, mention anybody or refer to an issue", () => {
    const page = markdownReport(hostile());
    expect(page).not.toContain("<script");
    expect(page).not.toContain("<img");
    expect(markdownText(HOSTILE)).not.toMatch(/[<>]|(?<!\\)\|/);
    expect(markdownText("@someone #12 https://x *a* _b_ `c` [d](e) $f$ www.g.h")).toBe(
      "&#64;someone &#35;12 https:&#47;/x \\*a\\* \\_b\\_ \\`c\\` \\[d\\](e) \\$f\\$ www\\.g.h",
    );
  });
});

describe("the percentile distribution", () => {
  it("is what HdrHistogram itself writes of the same values", () => {
    const oracle = hdr.build({
      lowestDiscernibleValue: 1,
      highestTrackableValue: 2 ** 40,
      numberOfSignificantValueDigits: 3,
      bitBucketSize: 64,
      useWebAssembly: false,
    });
    for (const value of TOTALS) oracle.recordValue(value);
    const columns = (text: string): string[] =>
      text
        .split("\n")
        .filter((line) => /^\s+[\d.]+ /.test(line))
        .map((line) => line.trim().split(/\s+/).slice(0, 3).join(" "));
    const ours = columns(hgrmReport(FULL));
    expect(ours.length).toBeGreaterThan(40);
    expect(ours).toEqual(columns(oracle.outputPercentileDistribution(5, 1_000)));
  });

  it("is to be had of each stage", () => {
    expect(hgrmReport(FULL, "signalled->woken")).not.toBe(hgrmReport(FULL));
    expect(() => hgrmReport(FULL, "toString")).toThrow(/no stage "toString"/);
    try {
      hgrmReport(FULL, "isr");
      expect.unreachable();
    } catch (error) {
      expect((error as UsageError).hint).toBe("stages: raised->handler, signalled->woken, total");
    }
  });

  it("is refused where there is none, with the reason", () => {
    expect(() => hgrmReport(SAMPLE)).toThrow(UsageError);
    expect(() => hgrmReport(SAMPLE)).toThrow(/no histogram/);
  });
});

describe("every form", () => {
  it("of a run ends with a line break and is the same each time", async () => {
    for (const format of FORMATS) {
      const text = await renderResult(FULL, format);
      expect(text, format).toMatch(/\n$/);
      expect(await renderResult(FULL, format), format).toBe(text);
    }
  });

  it("of a policy matrix, too, but that it has no histogram", async () => {
    for (const format of FORMATS.filter((name) => name !== "hgrm")) {
      const text = await renderMatrix(MATRIX, format);
      expect(text, format).toMatch(/\n$/);
      expect(text, format).not.toMatch(/NaN|undefined|\[object/);
    }
    await expect(renderMatrix(MATRIX, "hgrm")).rejects.toThrow(UsageError);
  });
});
