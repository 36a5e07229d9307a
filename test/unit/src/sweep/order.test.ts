/** Orders of two series of paired runs, and means with their intervals. */
import { describe, expect, it } from "vitest";
import { estimateOf, orderOf } from "../../../../src/sweep/order.ts";

describe("two series of runs with the same seeds", () => {
  it("are equal only if they are so in every seed", () => {
    expect(orderOf([3, 5, 4], [3, 5, 4])).toBe("equal");
    expect(orderOf([3, 5, 4], [5, 3, 4])).toBe("unclear");
  });

  it("differ if the interval of their paired differences excludes zero", () => {
    // Each pair differs by about one, whatever the seeds do.
    expect(orderOf([10, 20, 30], [11, 21.1, 30.9])).toBe("less");
    expect(orderOf([11, 21.1, 30.9], [10, 20, 30])).toBe("more");
  });

  it("cannot be told apart where seeds differ more than they do", () => {
    expect(orderOf([10, 20, 30], [20, 12, 31])).toBe("unclear");
  });

  it("follow Student's t: with two seeds 12.706 standard errors", () => {
    // Differences of 1 and 1.17: mean 1.085, standard error 0.085: 12.76 errors; with 1.18, 12.11.
    expect(orderOf([0, 0], [1, 1.17])).toBe("less");
    expect(orderOf([0, 0], [1, 1.18])).toBe("unclear");
  });

  it("need a second seed", () => {
    expect(orderOf([1], [2])).toBe("unclear");
    expect(orderOf([2], [2])).toBe("equal");
  });

  it("are compared in the seeds that both have", () => {
    expect(orderOf([1, undefined, 3], [1, 2, undefined])).toBe("equal");
    expect(orderOf([undefined], [1])).toBe("unknown");
  });

  it("without a figure are equal, and with it on one side only unknown", () => {
    expect(orderOf([null, null], [null, null])).toBe("equal");
    expect(orderOf([null, null], [1, 2])).toBe("unknown");
  });
});

describe("a mean", () => {
  it("has an interval from Student's t", () => {
    const { mean, low, high, runs } = estimateOf([1, 2, 3])!;
    expect([mean, runs]).toEqual([2, 3]);
    // t(2) = 4.303, standard error 1/sqrt(3).
    expect(high - mean).toBeCloseTo(4.303 / Math.sqrt(3), 3);
    expect(mean - low).toBeCloseTo(high - mean, 12);
  });

  it("of equal runs is exact, and of one has no interval", () => {
    expect(estimateOf([0.1, 0.1, 0.1])).toEqual({ mean: 0.1, low: 0.1, high: 0.1, runs: 3 });
    expect(estimateOf([7])).toEqual({ mean: 7, low: 7, high: 7, runs: 1 });
  });

  it("leaves out missing runs; of none there is none", () => {
    expect(estimateOf([undefined, 4, null])).toMatchObject({ mean: 4, runs: 1 });
    expect(estimateOf([undefined, null])).toBeNull();
  });
});
