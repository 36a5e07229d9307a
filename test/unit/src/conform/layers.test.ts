/** Rows that repeat each other are told once. */
import { describe, expect, it } from "vitest";
import { EMPTY_ROW, fdsText, foldRows, type LayerRow } from "../../../../src/conform/layers.ts";

describe("a list of eventfds", () => {
  it.each([
    [[], ""],
    [["e1"], "e1"],
    [["e1", "e2"], "e1 e2"],
    [["e1", "e2", "e3", "e4"], "e1..e4"],
    [[-1, -1, -1], "-1 x3"],
    [[-1, -1], "-1 -1"],
    [["e7", "e8", "e9", -1, -1, -1, -1, "e1", "30", "31", "32"], "e7..e9 -1 x4 e1 30..32"],
    [["e3", "e2", "e1"], "e3 e2 e1"],
    [["e1", "f2", "e3"], "e1 f2 e3"],
  ] as const)("%j is %j", (fds, text) => {
    expect(fdsText(fds)).toBe(text);
  });
});

const call = (line: number, vector: number, more: Partial<LayerRow> = {}): LayerRow => ({
  ...EMPTY_ROW,
  line,
  timeNs: line,
  vmm: `X ${vector} [e${vector}]`,
  answer: "0",
  pool: { irqs: line, irtes: 0, vectors: 0 },
  fold: {
    kind: "x",
    vector,
    fds: [`e${vector}`],
    text: (vectors, fds) => `X ${vectors} [${fds}]`,
  },
  ...more,
});

describe("calls", () => {
  it("vector by vector are one row, with the pool after the last", () => {
    const rows = foldRows([call(1, 0), call(2, 1), call(3, 2), call(4, 3)]);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ line: 1, vmm: "X 0..3 [e0..e3] (4 calls)", pool: { irqs: 4 } });
  });

  it("word by word are one row", () => {
    expect(foldRows([call(1, 5), call(2, 5), call(3, 5)]).map(({ vmm }) => vmm)).toEqual([
      "X 5 [e5] (3 calls)",
    ]);
  });

  it("of which there are two stay two, and what lies between parts them", () => {
    expect(foldRows([call(1, 0), call(2, 1)])).toHaveLength(2);
    const note = { ...EMPTY_ROW, line: 3, timeNs: null, note: "x" };
    expect(foldRows([call(1, 0), call(2, 1), note, call(4, 2), call(5, 3)])).toHaveLength(5);
  });

  it("with other answers or divergences do not join", () => {
    const wrong = { differences: [{ field: "ret", expected: "0", got: "-EINVAL" }] };
    const rows = [call(1, 0), call(2, 1), call(3, 2, wrong), call(4, 3), call(5, 4)];
    expect(foldRows(rows)).toHaveLength(5);
    const other = { answer: "-ENOSPC" };
    expect(foldRows([call(1, 0), call(2, 1, other), call(3, 2)])).toHaveLength(3);
    expect(foldRows([call(1, 0, wrong), call(2, 1, wrong), call(3, 2, wrong)])).toHaveLength(1);
  });
});

const write = (line: number, vector: number, field: string, value: string): LayerRow => ({
  ...EMPTY_ROW,
  line,
  timeNs: null,
  guest: `entry ${vector} ${field} = ${value}`,
  write: { device: "", vector, field, value },
});

describe("writes of the table", () => {
  it("of the same word of entry after entry are one row", () => {
    const rows = foldRows(Array.from({ length: 64 }, (_, i) => write(i, i, "ctrl", "0x1")));
    expect(rows.map(({ guest }) => guest)).toEqual(["entries 0..63 ctrl = 0x1"]);
  });

  it("of word after word of one entry are one row; a word that comes again begins another", () => {
    const rows = foldRows([
      write(1, 7, "addr_lo", "0xfee00000"),
      write(2, 7, "data", "0x23"),
      write(3, 7, "data", "0x24"),
      write(4, 8, "ctrl", "0x0"),
    ]);
    expect(rows.map(({ guest }) => guest)).toEqual([
      "entry 7 addr_lo 0xfee00000, data 0x23",
      "entry 7 data = 0x24",
      "entry 8 ctrl = 0x0",
    ]);
  });
});
