/** The page of the three layers: whatever the terminal's width, no line is wider. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { layersText } from "../../../../src/cli/layers-text.ts";
import { EMPTY_ROW, type LayerRow } from "../../../../src/conform/layers.ts";
import { COLOURED } from "../../../../src/report/style.ts";

const row = (line: number, more: Partial<LayerRow>): LayerRow => ({
  ...EMPTY_ROW,
  line,
  timeNs: line * 1e6,
  ...more,
});

const ROWS: readonly LayerRow[] = [
  row(1, { note: "boot" }),
  row(2, { guest: "MSI-X on (0x803f)" }),
  row(3, {
    vmm: "MSIX 0 1 EVENTFD|TRIGGER [e9]",
    recorded: "0",
    answer: "0",
    pool: { irqs: 1, irtes: 22, vectors: 11 },
  }),
  row(4, {
    vmm: "MSIX 0 0 NONE|TRIGGER",
    recorded: "0",
    answer: "-EINVAL",
    pool: { irqs: 1, irtes: 22, vectors: 11 },
    differences: [{ field: "ret", expected: "0", got: "-EINVAL" }],
  }),
];

describe("the page", () => {
  it("has guest, VMM, kernel and pool in columns, and a divergence under its call", () => {
    expect(layersText(ROWS, { width: 100 })).toBe(
      `line         s  guest           VMM asks                       kernel   irqs  IRTEs  vectors
   1  0.001000  -- boot
   2  0.002000  MSI-X on (0x803f)
   3  0.003000                  MSIX 0 1 EVENTFD|TRIGGER [e9]  0           1     22       11
   4  0.004000                  MSIX 0 0 NONE|TRIGGER          -EINVAL     1     22       11
                                !! ret: expected 0, got -EINVAL
`,
    );
  });

  it("has what was recorded beside what the model answers, where that is asked for", () => {
    const [title, , , third] = layersText(ROWS, {
      width: 100,
      showsRecorded: true,
      entryName: "LPIs",
    }).split("\n");
    expect(title).toMatch(/VMM asks +recorded {2}model +irqs {2}LPIs {2}vectors$/);
    expect(third).toMatch(/\[e9\] {2}0 {9}0 {11}1 {4}22 {7}11$/);
  });

  it("leaves out columns that nobody fills", () => {
    const [title] = layersText([row(1, { timeNs: null, vmm: "reset", answer: "0" })], {
      width: 80,
    }).split("\n");
    expect(title).not.toMatch(/guest| s /);
  });

  it("has colours only if it is told so, and they do not move columns", () => {
    const plain = layersText(ROWS, { width: 90 });
    const coloured = layersText(ROWS, { width: 90, style: COLOURED });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: ECMA-48
    expect(coloured.replace(/\u001b\[\d+m/g, "")).toBe(plain);
    expect(coloured).not.toBe(plain);
    expect(plain).not.toContain("\u001b");
  });
});

const text = fc.oneof(
  fc.string({ unit: "grapheme-ascii", maxLength: 300 }),
  fc.string({ unit: "binary-ascii", maxLength: 40 }),
);
const pool = fc.record({ irqs: fc.nat(70_000), irtes: fc.nat(70_000), vectors: fc.nat(999) });
const anyRow: fc.Arbitrary<LayerRow> = fc
  .record({
    line: fc.nat(99_999),
    timeNs: fc.option(fc.nat(2 ** 40)),
    kind: fc.constantFrom("note", "guest", "vmm"),
    text,
    pool: fc.option(pool),
    differences: fc.array(fc.record({ field: fc.constant("ret"), expected: text, got: text }), {
      maxLength: 2,
    }),
  })
  .map(({ kind, text, differences, ...rest }) => ({
    ...EMPTY_ROW,
    ...rest,
    [kind]: text,
    answer: "-EINVAL",
    recorded: "0",
    differences: kind === "vmm" ? differences : [],
  }));

it("no line is wider than the terminal, and nothing moves its cursor", () => {
  fc.assert(
    fc.property(
      fc.array(anyRow, { maxLength: 12 }),
      fc.integer({ min: 60, max: 200 }),
      (rows, width) => {
        for (const line of layersText(rows, { width, showsRecorded: true }).split("\n")) {
          expect(line.length).toBeLessThanOrEqual(width);
          expect([...line].every((char) => char >= " " && char !== "\u007f")).toBe(true);
        }
      },
    ),
    { numRuns: 150 },
  );
});
