/** Which orders flip when a cost changes, on made-up runs and on a queue that makes them up. */
import { describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { runGrid } from "../../../../src/sweep/compare.ts";
import { placesOf } from "../../../../src/sweep/comparison.ts";
import { gridCells, loadGridBase } from "../../../../src/sweep/grid.ts";
import type { RunFigures, RunJob } from "../../../../src/sweep/job.ts";
import { SerialQueue } from "../../../../src/sweep/job-queue.ts";
import { METRICS } from "../../../../src/sweep/metrics.ts";
import { parsePolicies } from "../../../../src/sweep/policies.ts";
import {
  flipsOf,
  parseCostNames,
  runSensitivity,
  summaryOf,
} from "../../../../src/sweep/sensitivity.ts";
import { parseTopologies } from "../../../../src/sweep/topologies.ts";
import { parseVmms } from "../../../../src/sweep/vmms.ts";
import { DEFAULT_COSTS } from "../../../../src/time/costs.ts";
import { syntheticCell } from "../../../support/synthetic-cells.ts";

const places = (cache: readonly number[], bounded: readonly number[]) =>
  placesOf([
    syntheticCell({ policy: "cache", figures: { rearmP50: cache } }),
    syntheticCell({ policy: "bounded", figures: { rearmP50: bounded } }),
  ]);

describe("an order flips", () => {
  it("from less to more, and from equal to either", () => {
    const [flip, ...others] = flipsOf(places([1, 1, 1], [2, 2, 2]), places([3, 3, 3], [2, 2, 2]));
    expect(flip).toMatchObject({ a: "cache", b: "bounded", before: "less", after: "more" });
    expect(flip!.metric.key).toBe("rearmP50");
    expect(others).toEqual([]);
    expect(flipsOf(places([1, 1, 1], [1, 1, 1]), places([1, 1, 1], [2, 2, 2]))).toHaveLength(1);
  });

  it("not if it can only not be told any more, nor for trifles", () => {
    expect(flipsOf(places([1, 1, 1], [2, 2, 2]), places([1, 3, 2], [2, 1, 3]))).toEqual([]);
    const same = places([1000, 1000, 1000], [1000, 1000, 1000]);
    expect(flipsOf(same, places([1000, 1000, 1000], [1001, 1001, 1001]))).toEqual([]);
  });
});

describe("costs to vary", () => {
  it("are those of a list, or all", () => {
    expect(parseCostNames("irqFree,iecFlush")).toEqual(["irqFree", "iecFlush"]);
    expect(parseCostNames(true)).toEqual(Object.keys(DEFAULT_COSTS));
  });

  it("have to be there", () => {
    expect(() => parseCostNames("irqFre")).toThrow(UsageError);
  });
});

/** Freeing costs bounded a re-arm; keeping costs cache a config access each. */
async function madeUp({ scenario }: RunJob): Promise<RunFigures> {
  const { irqFree, configAccess } = { ...DEFAULT_COSTS, ...scenario.costs };
  const isCache = scenario.host.retention === "cache";
  const rearmP50 = isCache ? 2 * configAccess : irqFree;
  const figures = { ...syntheticCell({ policy: "p" }).runs[0]!.figures, rearmP50 };
  return { ...syntheticCell({ policy: "p" }).runs[0]!, figures };
}

it("runs the grid with each cost halved and doubled, and tells what flips", async () => {
  const cells = gridCells(loadGridBase("retention-pressure", []), {
    policies: parsePolicies("cache,bounded"),
    vmms: parseVmms("minimal"),
    topologies: parseTopologies("vtd"),
  });
  const queue = new SerialQueue(madeUp);
  const options = { seeds: [1, 2, 3, 4], jitterNs: 0, lateNs: 1, costs: {} };
  const base = await runGrid(cells, queue, options);
  const totals = new Set<number>();
  const { rows, summary, isInterrupted } = await runSensitivity(cells, base.cells, queue, {
    ...options,
    names: ["irqFree", "syscall"],
    onProgress: (_, total) => totals.add(total),
  });
  expect(isInterrupted).toBe(false);
  // 2 costs, 2 changes, 2 cells, 3 seeds.
  expect([...totals]).toEqual([24]);
  // 1500 against 1200: half of it is less, twice is more still.
  expect(rows.map(({ cost, change, flips }) => [cost, change, flips])).toEqual([
    ["irqFree", "halved", true],
    ["irqFree", "doubled", false],
    ["syscall", "halved", false],
    ["syscall", "doubled", false],
  ]);
  expect(rows[0]!.verdict).toBe(
    "1 of 13 orders change: re-arm latency, p50, under minimal on vtd: bounded against cache was " +
      "more, is less",
  );
  expect(rows[1]!.verdict).toBe("all 13 orders stand");
  expect(summary).toBe(
    "Halving and doubling 2 costs, one at a time, changes at most 1 of 13 orders of two " +
      "policies, none of them in who is refused irqs.",
  );
});

describe("all rows in a sentence", () => {
  const [place] = placesOf([syntheticCell({ policy: "a" }), syntheticCell({ policy: "b" })]);
  const flip = (key: string) => {
    const metric = METRICS.find((one) => one.key === key)!;
    return { metric, place: place!, a: "a", b: "b", before: "less", after: "more" } as const;
  };

  it("says so where nothing changes, and nothing where there is nothing to change", () => {
    expect(summaryOf([{ change: "irqAlloc halved", flips: [] }], 1, 26)).toBe(
      "Halving and doubling 1 cost, one at a time, changes none of 26 orders of two policies.",
    );
    expect(summaryOf([], 1, 0)).toBeNull();
  });

  it("names the changes that change who is refused irqs", () => {
    const changed = [
      { change: "irqAlloc halved", flips: [flip("rearmP50"), flip("peak")] },
      { change: "guestIsr doubled", flips: [flip("failuresCaused")] },
    ];
    expect(summaryOf(changed, 2, 26)).toBe(
      "Halving and doubling 2 costs, one at a time, changes at most 2 of 26 orders of two " +
        "policies, some in who is refused irqs (guestIsr doubled).",
    );
  });
});
