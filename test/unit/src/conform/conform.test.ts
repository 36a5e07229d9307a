import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHost } from "../../../../host/host.ts";
import { UsageError } from "../../../../src/base/errors.ts";
import { conformFiles } from "../../../../src/conform/conform.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "conform-"));
  mkdirSync(join(root, "handwritten"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A recording of h99 as our host answers, so that every change of it must be found. */
const TRUE_ANSWERS = [
  { n: 1, op: "@edu open", ret: 0 },
  { n: 2, op: "auto on", st: { held: 0 } },
  { n: 3, op: "@edu set INTX 0 1 EVENTFD|TRIGGER e0", ret: 0, st: { held: 0, intx: 1 } },
  { n: 4, op: "@edu barw 0 0x60 4 1", ret: 4, ev: { 0: 1 } },
  { n: 5, op: "@edu barr 0 0x24 4", ret: 4, val: "0x1" },
  {
    n: 6,
    op: "@edu irqs",
    st: { held: 0, intx: 1 },
    irqfile: "23",
    hw: { intxdis: 1, msi_en: 0, msi_mme: 1 },
  },
  { n: 7, op: "@edu set INTX 0 2 NONE|TRIGGER", ret: -1, errno: "EINVAL" },
];

function record(answers: readonly object[], name = "h99.6.12.jsonl"): string {
  const path = join(root, "handwritten", name);
  writeFileSync(path, answers.map((answer) => `${JSON.stringify(answer)}\n`).join(""));
  return path;
}

const run = (path = root, kernel?: string) =>
  conformFiles([path], kernel === undefined ? { createHost } : { createHost, kernel });

describe("conformFiles", () => {
  it("finds no divergence in a true recording", () => {
    record(TRUE_ANSWERS);
    expect(run()).toEqual({ totals: { scripts: 1, ops: 7, divergences: 0 }, divergences: [] });
  });

  it.each([
    [3, "ret", 1],
    [3, "st", { held: 1, intx: 1 }],
    [4, "ev", { 0: 2 }],
    [5, "val", "0x3"],
    [6, "hw", { intxdis: 0, msi_en: 0, msi_mme: 1 }],
    [6, "irqfile", "22"],
    [7, "errno", "ENOTTY"],
  ])("finds a wrong answer on line %i in %s", (line, field, expected) => {
    const path = record(TRUE_ANSWERS.map((a) => (a.n === line ? { ...a, [field]: expected } : a)));
    const { divergences } = run();
    expect(divergences).toHaveLength(1);
    expect(divergences[0]).toMatchObject({ file: path, line, field, expected });
  });

  it("stops where unreliable.json says so, and forgives ev in a race", () => {
    record(TRUE_ANSWERS.map((a) => (a.n === 7 ? { ...a, ret: 5 } : a)));
    const list = join(root, "unreliable.json");
    writeFileSync(list, JSON.stringify({ "handwritten/h99.6.12.jsonl": { from: 7 } }));
    expect(run().totals).toMatchObject({ ops: 6, divergences: 0 });
    record(TRUE_ANSWERS.map((a) => (a.n === 4 ? { ...a, ev: { 0: 9 } } : a)));
    writeFileSync(list, JSON.stringify({ "handwritten/h99.6.12.jsonl": { race: [4] } }));
    expect(run().divergences).toEqual([]);
  });

  it("runs only the recordings of the kernel that was asked for", () => {
    record(TRUE_ANSWERS);
    record(TRUE_ANSWERS, "h99.6.1.jsonl");
    expect(run(root, "linux-6.1").totals.scripts).toBe(1);
    expect(run().totals.scripts).toBe(2);
  });

  it("refuses paths without recordings, devices it does not know, and a script cut short", () => {
    expect(() => run()).toThrow(UsageError);
    expect(() => run(join(root, "none"))).toThrow("no such file");
    const path = record([
      { n: 3, op: "@n8 open", ret: 0 },
      { n: 7, op: "@zz open", ret: 0 },
    ]);
    // The line of the recording, not that of the script.
    expect(() => run()).toThrow(
      expect.objectContaining({
        place: { file: path, line: 2 },
        hint: expect.stringContaining("this one has n8 e1000e"),
      }),
    );
    record(TRUE_ANSWERS);
    writeFileSync(join(root, "handwritten", "h99.script"), "@edu open\n");
    expect(() => run()).toThrow("goes on after the script's end");
  });

  it("names a script of the same boot that is not there", () => {
    mkdirSync(join(root, "pool"));
    const name = join(root, "pool", "q03-fill-whole.6.12-arm64.jsonl");
    writeFileSync(name, `${JSON.stringify({ n: 1, op: "@n8 open", ret: 0 })}\n`);
    const file = join(root, "pool", "q01-lpi-cost-msix.script");
    expect(() => run()).toThrow(
      expect.objectContaining({ place: { file }, hint: expect.stringContaining("same boot") }),
    );
  });
});
