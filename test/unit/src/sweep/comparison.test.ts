/** Places of a comparison: equal policies, the best of them, what is missing. */
import { describe, expect, it } from "vitest";
import { placesOf } from "../../../../src/sweep/comparison.ts";
import { policyMatrix } from "../../../../src/sweep/matrix.ts";
import { runsCsv } from "../../../../src/sweep/runs-csv.ts";
import { comparisonPage } from "../../../../src/sweep/text.ts";
import { type SyntheticCell, syntheticCell } from "../../../support/synthetic-cells.ts";

const cells = (all: readonly SyntheticCell[]) => all.map(syntheticCell);
const placeOf = (all: readonly SyntheticCell[]) => placesOf(cells(all))[0]!;

describe("a place", () => {
  it("puts policies together that are equal in every figure and seed", () => {
    const place = placeOf([
      { policy: "a", figures: { lost: [1, 2, 3] } },
      { policy: "b", figures: { lost: [1, 2, 4] } },
      { policy: "c", figures: { lost: [1, 2, 3] } },
    ]);
    expect(place.groups()).toEqual([["a", "c"], ["b"]]);
  });

  it("has its best policies: the least, and what cannot be told from it", () => {
    const place = placeOf([
      { policy: "a", figures: { lost: [1, 2, 3] } },
      { policy: "b", figures: { lost: [2, 1, 3] } },
      { policy: "c", figures: { lost: [11, 12, 13] } },
    ]);
    expect(place.best("lost")).toEqual(["a", "b"]);
    expect(place.best("frees")).toEqual([]);
  });

  it("has no best where a figure is not to be had", () => {
    const place = placeOf([
      { policy: "a", figures: { rearmP50: [null] } },
      { policy: "b", figures: { rearmP50: [null] } },
    ]);
    expect(place.estimate("rearmP50", "a")).toBeNull();
    expect(place.best("rearmP50")).toEqual([]);
    expect(place.groups()).toEqual([["a", "b"]]);
  });

  it("is known once each policy has a run", () => {
    expect(placeOf([{ policy: "a" }, { policy: "b", missing: [0, 2] }]).isKnown).toBe(true);
    expect(placeOf([{ policy: "a" }, { policy: "b", missing: [0, 1, 2] }]).isKnown).toBe(false);
  });
});

const INPUT = {
  scenario: "s",
  about: {},
  moreShort: [],
  seeds: [5, 6, 7],
  jitterNs: 0,
  lateNs: 100_000,
  isInterrupted: false,
  sensitivity: null,
  moreLimits: [],
  provenance: { kernel: "linux-6.12" },
};

describe("a comparison as a matrix", () => {
  it("has a mean and an interval for each figure, and names equals", () => {
    const matrix = policyMatrix({
      ...INPUT,
      cells: cells([
        { policy: "cache", figures: { lost: [1, 2, 3] } },
        { policy: "bounded", figures: { lost: [1, 2, 3] } },
      ]),
    });
    expect(matrix.cells.map(({ note }) => note)).toEqual([undefined, "equal to cache"]);
    expect(matrix.cells[0]!.figures.lost).toMatchObject({ mean: 2 });
    expect(matrix.cells[0]!.figures.lost!.low).toBeLessThan(1);
    expect(matrix.warnings).toEqual([]);
  });

  it("warns of each cell that lacks runs, and keeps what it has", () => {
    const matrix = policyMatrix({
      ...INPUT,
      cells: cells([
        { policy: "cache", figures: { lost: [4, 4, 4] }, missing: [1], troubles: ["seed 6: dead"] },
        { policy: "bounded" },
      ]),
    });
    expect(matrix.cells[0]).toMatchObject({ figures: { lost: { mean: 4 } }, note: "seed 6: dead" });
    expect(matrix.warnings!.map(({ text }) => text)).toEqual([
      "1 of 2 cells lacks runs",
      "cache under qemu on vtd: seed 6: dead",
    ]);
  });
});

describe("a comparison as a page", () => {
  const all = cells([
    { policy: "cache", figures: { lost: [1, 1, 1], rearmP50: [10_000] } },
    { policy: "free-on-unset", figures: { lost: [1, 1, 1], rearmP50: [10_000] } },
    { policy: "bounded", figures: { lost: [9, 10, 11], rearmP50: [12_300] } },
    { policy: "cache", vmm: "minimal" },
    { policy: "free-on-unset", vmm: "minimal" },
    { policy: "bounded", vmm: "minimal" },
  ]);
  const page = (width: number): string[] => {
    const matrix = policyMatrix({ ...INPUT, cells: all });
    return comparisonPage({ matrix, cells: all, about: { vtd: "one table" } }, width).split("\n");
  };

  it("has a row for each group of equals, with the best marked", () => {
    const lines = page(140);
    const cache = lines.find((line) => line.startsWith("  qemu"))!;
    expect(cache.trim().split(/\s+/)).toEqual("qemu cache 0 0 0 0 1* 0 0 0 10* 0 0 0 0".split(" "));
    expect(lines[lines.indexOf(cache) + 1]!.trim()).toBe("= free-on-unset");
    const bounded = lines[lines.indexOf(cache) + 2]!;
    // t(2) = 4.303, standard error 1/sqrt(3).
    expect(bounded.trim().split(/\s+/)).toEqual(
      "bounded 0 0 0 0 10~2.48 0 0 0 12.3 0 0 0 0".split(" "),
    );
    expect(lines.find((line) => line.startsWith("  minimal"))).toContain("all equal");
  });

  it("has several tables where one is too wide, and no line beyond the page", () => {
    for (const [width, tables] of [
      [80, 3],
      [100, 2],
    ] as const) {
      const lines = page(width);
      expect(lines.filter((line) => line.startsWith("  qemu"))).toHaveLength(tables);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    }
  });
});

it("every run is a line of CSV", () => {
  const all = cells([{ policy: "cache", figures: { lost: [1, 2, 3] }, missing: [1] }]);
  const lines = runsCsv([5, 6, 7], all).split("\r\n");
  expect(lines[0]).toMatch(/^topology,vmm,policy,seed,failuresCaused,/);
  expect(lines.slice(1)).toEqual([
    "vtd,qemu,cache,5,0,0,0,0,1,0,0,0,0,0,0,0,0",
    "vtd,qemu,cache,7,0,0,0,0,3,0,0,0,0,0,0,0,0",
    "",
  ]);
});
