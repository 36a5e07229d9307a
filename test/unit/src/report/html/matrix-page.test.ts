/** The page of a policy matrix: heat maps whose colours follow the figures. */
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { matrixPage } from "../../../../../src/report/html/matrix-page.ts";
import { figureText, intervalText } from "../../../../../src/report/matrix-figures.ts";
import { HEATS, heatOf } from "../../../../../src/report/plot/heat-map.ts";
import { MATRIX } from "../../../../support/sample-matrix.ts";

describe("the page of a policy matrix", () => {
  const { document } = parseHTML(matrixPage(MATRIX));

  it("has the answer first, then maps, what it rests on, figures, sensitivity, provenance", () => {
    const ids = [...document.querySelectorAll("section")].map(({ id }) => id);
    expect(ids).toEqual(["summary", "matrix", "detail", "figures", "sensitivity", "provenance"]);
    const summary = document.querySelector("#summary")!.textContent;
    expect(summary).toContain("Only minimal is harmed by cache.");
    const detail = document.querySelector("#detail")!.textContent;
    expect(detail).toContain("Under qemu the policies do not differ.");
    expect(detail).toContain("What this does not say");
    expect(summary).toContain("\u2192 give more: --seeds 20");
  });

  it("has a heat map of each metric, a cell of each combination, with its figure in it", () => {
    const figures = [...document.querySelectorAll("#matrix figure")];
    expect(figures.length).toBe(MATRIX.metrics.length);
    const cells = figures[0]!.querySelectorAll(".wide rect[fill^='var(--h']");
    expect(cells.length).toBe(MATRIX.cells.length);
    const texts = [...figures[2]!.querySelectorAll(".wide text")].map((text) => text.textContent);
    expect(texts).toEqual(expect.arrayContaining(["11.3 us", "22.6 us", "VT-d", "GICv3 ITS"]));
  });

  it("tells a figure that is not to be had from one that is zero", () => {
    const rows = [...document.querySelectorAll("#figures tr")].map((row) => row.textContent);
    expect(rows.some((row) => row.startsWith("qemucache") && row.includes("12.5"))).toBe(true);
    const fields = document.querySelectorAll("#matrix figure:nth-of-type(2) .wide rect");
    expect([...fields].filter((cell) => cell.getAttribute("fill") === "var(--panel)").length).toBe(
      9,
    );
  });

  it("names costs that flip the verdict", () => {
    const rows = [...document.querySelectorAll("#sensitivity tbody tr")].map((r) => r.textContent);
    expect(rows).toEqual([
      "irqAllochalvedstandsthe same",
      "iecFlushdoubledflipscache is cheaper for minimal",
    ]);
  });
});

describe("heat", () => {
  it("goes from best to worst, whichever way is good", () => {
    expect([0, 10, 1_000, 1_000_000].map((value) => heatOf(value, 0, 1_000_000))).toEqual([
      0,
      1,
      3,
      HEATS - 1,
    ]);
    expect([5, 1].map((value) => heatOf(value, 5, 1))).toEqual([0, HEATS - 1]);
    expect(heatOf(7, 7, 7)).toBe(0);
  });
});

describe("figures", () => {
  it("are written with the unit they have", () => {
    expect(figureText(11_300, "ns")).toBe("11.3 us");
    expect(figureText(0.25, "share")).toBe("25.0 %");
    expect(figureText(2_098_176, "count")).toBe("2,098,176");
    expect(figureText(0.0123, "irte-seconds")).toBe("0.012");
    expect(figureText(1.5, "seconds")).toBe("1.50 s");
  });

  it("have their interval beside them, if it says anything", () => {
    expect(intervalText({ mean: 12, low: 10, high: 15 }, "count")).toBe("12 (10 to 15)");
    expect(intervalText({ mean: 12, low: 12, high: 12 }, "count")).toBe("12");
    expect(intervalText(null, "count")).toBe("-");
  });
});
