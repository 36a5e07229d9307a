import { describe, expect, test } from "vitest";
import { arrivalGap } from "../../../../guest/workload/arrivals.ts";
import { Prng } from "../../../../src/base/prng.ts";

const workload = (arrivals: "poisson" | "fixed" | "closed" | "none", rate: number) => ({
  arrivals,
  rate,
  per: "device" as const,
  depth: 1,
});

describe("open-loop gaps", () => {
  test("fixed arrivals are evenly spaced", () => {
    const gap = arrivalGap(workload("fixed", 20_000), Prng.stream(1, "t"))!;
    expect([gap(), gap()]).toEqual([50_000, 50_000]);
  });

  test("Poisson gaps have the rate's mean", () => {
    const gap = arrivalGap(workload("poisson", 1e6), Prng.stream(1, "t"))!;
    let sum = 0;
    for (let i = 0; i < 10_000; i++) sum += gap();
    expect(sum / 10_000).toBeGreaterThan(970);
    expect(sum / 10_000).toBeLessThan(1_030);
  });

  test("no rate or no arrivals is no workload", () => {
    expect(arrivalGap(workload("none", 5), Prng.stream(1, "t"))).toBeNull();
    expect(arrivalGap(workload("poisson", 0), Prng.stream(1, "t"))).toBeNull();
  });
});
