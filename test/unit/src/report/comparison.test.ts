/** Two results side by side: what differs, by how much, and whether chance explains it. */
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { LatencyHistogram } from "../../../../src/measure/histogram.ts";
import { comparisonText, comparisonWords } from "../../../../src/report/compare-text.ts";
import { type Comparison, compareRuns } from "../../../../src/report/comparison.ts";
import { comparePage } from "../../../../src/report/html/compare-page.ts";
import type { RunResult } from "../../../../src/run/result.ts";
import { FULL, hostile, TOTALS } from "../../../support/full-result.ts";

interface Change {
  readonly seed?: number;
  readonly raised?: number;
  readonly engine?: "threads" | "virtual";
  readonly retention?: string;
}

function run({ seed = 1, raised = 24_400, engine = "virtual", retention }: Change = {}): RunResult {
  const { provenance, ledger } = FULL;
  const options = { ...provenance.options, ...(retention === undefined ? {} : { retention }) };
  return {
    ...FULL,
    provenance: { ...provenance, seed, engine, options },
    ledger: { ...ledger, raised },
  };
}

function compared(a: readonly RunResult[], b: readonly RunResult[]): Comparison {
  return compareRuns({ label: "before", runs: a }, { label: "after", runs: b });
}

function figureOf(comparison: Comparison, name: string) {
  return comparison.figures.find((figure) => figure.name === name)!;
}

describe("a comparison", () => {
  it("of the same thing finds nothing", () => {
    const comparison = compared([run()], [run()]);
    expect(comparison.unlike).toEqual([]);
    expect(comparison.figures.every(({ difference }) => difference === 0)).toBe(true);
    expect(comparisonWords(comparison)[0]).toMatch(/^All \d+ figures are the same\.$/);
  });

  it("gives both values, the difference and its share", () => {
    expect(
      figureOf(compared([run({ raised: 200 })], [run({ raised: 150 })]), "raised"),
    ).toMatchObject({
      a: 200,
      b: 150,
      difference: -50,
      share: -0.25,
      better: "neither",
      basis: "exact",
    });
  });

  it("says so when scenario, seeds or settings differ, the gravest first", () => {
    const comparison = compared(
      [run({ seed: 1 })],
      [run({ seed: 2, engine: "threads", retention: "free-on-unset" })],
    );
    expect(comparison.unlike).toEqual([
      { what: "engine", a: "virtual", b: "threads", grave: true },
      { what: "seed", a: "1", b: "2", grave: true },
      { what: "option retention", a: "cache", b: "free-on-unset", grave: false },
    ]);
    expect(comparison.warnings[0]!.text).toContain("but engine, seed");
    expect(comparisonText(comparison)).toContain("free-on-unset");
  });

  it("cannot tell chance from cause with one run each, and says what to do", () => {
    const comparison = compared([run({ raised: 200 })], [run({ raised: 210, seed: 2 })]);
    expect(figureOf(comparison, "raised").beyondNoise).toBeNull();
    expect(comparison.warnings.map(({ advice }) => advice).join()).toContain("several runs");
  });

  it("takes what a call or fate that did not occur counts for zero", () => {
    const without = { ...run(), ioctls: {} };
    expect(figureOf(compared([without], [run()]), "calls.KVM_IRQFD")).toMatchObject({
      a: 0,
      b: 146,
      share: null,
    });
  });
});

describe("noise", () => {
  const seeds = [1, 2, 3, 4, 5];
  const spread = seeds.map((seed) => run({ seed, raised: 10_000 + 900 * (seed % 3) }));

  it("of seeds cancels when each has its partner", () => {
    const shifted = spread.map((one) =>
      run({ seed: one.provenance.seed, raised: one.ledger.raised + 20 }),
    );
    const figure = figureOf(compared(spread, [...shifted].reverse()), "raised");
    expect(figure).toMatchObject({ basis: "pairs", beyondNoise: true, difference: 20 });
    expect(figure.interval).toEqual({ low: 20, high: 20 });
  });

  it("hides the same shift between runs of other seeds", () => {
    const others = spread.map((one, i) => run({ seed: 100 + i, raised: one.ledger.raised + 20 }));
    const figure = figureOf(compared(spread, others), "raised");
    expect(figure).toMatchObject({ basis: "runs", beyondNoise: false });
    expect(figure.interval!.low).toBeLessThan(0);
    expect(figure.effect!).toBeLessThan(0.1);
  });

  it("does not hide a large one, which is told with its size", () => {
    const others = spread.map((one, i) =>
      run({ seed: 100 + i, raised: one.ledger.raised + 5_000 }),
    );
    const comparison = compared(spread, others);
    expect(figureOf(comparison, "raised")).toMatchObject({ beyondNoise: true });
    expect(figureOf(comparison, "raised").effect!).toBeGreaterThan(3);
    expect(comparisonWords(comparison)[0]).toContain("1 by more than chance explains: raised");
  });

  it("within one run each is that of its samples, for percentiles", () => {
    const histogram = new LatencyHistogram();
    for (const ns of TOTALS) histogram.record(2 * ns);
    const p50 = histogram.percentile(50);
    const slow: RunResult = {
      ...run({ engine: "threads" }),
      latency: {
        ...FULL.latency,
        stages: FULL.latency.stages.map((row) => (row.stage === "total" ? { ...row, p50 } : row)),
        histograms: { ...FULL.latency.histograms, total: histogram.toJSON() },
      },
    };
    const comparison = compared([run({ engine: "threads" })], [slow]);
    expect(figureOf(comparison, "latency.p50")).toMatchObject({
      basis: "samples",
      beyondNoise: true,
      better: "less",
      unit: "ns",
    });
    expect(figureOf(comparison, "latency.p99").basis).toBe("samples");
    expect(figureOf(comparison, "raised").basis).toBe("none");
  });
});

describe("the pages of a comparison", () => {
  const comparison = compared([run({ raised: 200 })], [run({ raised: 150, seed: 2 })]);

  it("in text fit 110 columns and end with what it came to", () => {
    const lines = comparisonText(comparison).split("\n");
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(110);
    expect(lines.at(-2)).toContain("figures differ");
    expect(lines[0]).toBe("A  before: a run of nvme-reboot, virtual, seed 1");
    expect(lines.some((line) => /raised +200 +150 +-50 +-25\.0 %$/.test(line))).toBe(true);
  });

  it("in HTML have both percentile lines", () => {
    const { document } = parseHTML(comparePage(comparison, { a: [run()], b: [run()] }));
    const legend = [...document.querySelectorAll(".legend li")].map((item) => item.textContent);
    expect(legend).toEqual(["A", "B"]);
    expect(document.querySelector("#figures tbody tr")!.textContent).toContain("raised200150");
  });

  it("show hostile names as text", () => {
    const runs = { a: [hostile()], b: [run()] };
    const page = comparePage(compared(runs.a, runs.b), runs);
    expect(page).not.toMatch(/<script|<img|\u202e/);
  });
});
