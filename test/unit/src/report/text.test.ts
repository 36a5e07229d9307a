/** The page for people, held against a golden file; and what it says when things go wrong. */
import { describe, expect, it } from "vitest";
import { COLOURED } from "../../../../src/report/style.ts";
import { textReport } from "../../../../src/report/text.ts";
import { stateBar } from "../../../../src/report/timeline.ts";
import type { RunResult } from "../../../../src/run/result.ts";
import { SAMPLE } from "../../../support/sample-result.ts";

const GOLDEN = new URL("../../../golden/report.txt", import.meta.url);

describe("the text report", () => {
  it("is the golden page", async () => {
    await expect(textReport(SAMPLE)).toMatchFileSnapshot(GOLDEN.pathname);
  });

  it("fits 100 columns, has no trailing blanks and ends with a line break", () => {
    const page = textReport(SAMPLE);
    expect(page.split("\n").filter((line) => line.length > 100 || /\s$/.test(line))).toEqual([]);
    expect(page).toMatch(/[^\n]\n$/);
  });

  it("is the same with colours, but for the colours", () => {
    const coloured = textReport(SAMPLE, COLOURED);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: SGR sequences begin with ESC.
    expect(coloured.replace(/\u001b\[\d+m/g, "")).toBe(textReport(SAMPLE));
    expect(coloured).not.toBe(textReport(SAMPLE));
  });

  it("says what kind of end it was", () => {
    const passed = SAMPLE.expectations.slice(1);
    const end = (change: Partial<RunResult>): string => textReport({ ...SAMPLE, ...change });
    expect(end({})).toContain("FAILED: 1 of 3 expectations, after 2.50 s");
    expect(end({ expectations: passed })).toContain("PASSED: 2 checks and 2 expectations");
    expect(end({ partial: "interrupted" })).toContain("PARTIAL: ended after 2.50 s: interrupted");
    const broken = { check: "leaks", ok: false, detail: "3 irqs" };
    expect(end({ checks: [broken] })).toContain("INVARIANT VIOLATED after 2.50 s");
  });

  it("copes with a run in which nothing happened", () => {
    const page = textReport({
      ...SAMPLE,
      guests: [],
      leaked: null,
      ledger: { rows: [], raised: 0, totals: {}, violations: [] },
      latency: { stages: [], guests: [], floor: null, ratio: null },
      checks: [],
      expectations: [],
      warnings: [],
    });
    expect(page).toContain("no device raised an interrupt");
    expect(page).toContain("no interrupt reached an ISR");
  });

  it("shows so many guests and events, and counts the rest", () => {
    const guests = Array.from({ length: 64 }, (_, i) => ({ ...SAMPLE.guests[0]!, name: `g${i}` }));
    const page = textReport({ ...SAMPLE, guests });
    expect(page).toContain("and 48 more, 964,800 interrupts taken");
    expect(page).toContain("and 344 more (-o json has them all)");
    expect(page.split("\n").length).toBeLessThan(130);
  });
});

describe("the bar of a guest", () => {
  it("shows what it was at the end of each cell", () => {
    expect(stateBar(SAMPLE.guests[0]!, 2.5e9, 10)).toBe("XXIIIIXXXX");
  });

  it("shows a crash however short it was", () => {
    const timeline = [
      { at: 0, event: "guest_mode", detail: "mode msix" },
      { at: 50, event: "guest_crash", detail: "" },
      { at: 51, event: "guest_mode", detail: "mode msix" },
    ];
    expect(stateBar({ ...SAMPLE.guests[0]!, timeline }, 100, 10)).toBe("XXXXX!XXXX");
  });
});
