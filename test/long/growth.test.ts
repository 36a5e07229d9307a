/** A static MSI-X that grows to all the vectors there can be; smaller ones: must-show.test.ts. */
import { expect, it } from "vitest";
import { lostOf } from "../../src/scenario/fate-sums.ts";
import { grow } from "../support/growth.ts";

it("linux-6.1: 2,048 vectors are 2,098,176 allocations, and lose", () => {
  const { allocations, fates, injected, raised } = grow("linux-6.1", "7.2", 2_048, "2k/s");
  expect(allocations).toBe((2_048 * 2_049) / 2);
  expect(allocations).toBe(2_098_176);
  expect(lostOf(fates)).toBeGreaterThan(0);
  expect(Object.keys(fates)).toContain("dropped-disabled");
  expect(lostOf(fates) + injected).toBeLessThanOrEqual(raised);
}, 150_000);
