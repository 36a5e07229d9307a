import { describe, expect, it } from "vitest";
import type { FloorResult } from "../../../../../src/run/result.ts";
import { floorResult, floorWarnings } from "../../../../../src/run/threads/calibrate.ts";

const SPUN = { spin: 10, park: 0 };
const floor = (spin: number | null, park: number | null, clockNs = 40) => ({
  spinOneWayNs: spin,
  parkOneWayNs: park,
  clockNs,
});

describe("the floor of a run", () => {
  it("is the mean of before and after, with its drift in the mode of the run", () => {
    const before = floor(100, 5_000);
    const after = floor(120, 9_000, 60);
    const result = floorResult(before, after, "spin", SPUN);
    expect(result).toMatchObject({ spinOneWayNs: 110, parkOneWayNs: 7_000, clockNs: 50 });
    expect(result).toMatchObject({ reference: "spin", before, after });
    expect(result.drift).toBeCloseTo(0.2);
    expect(floorResult(before, after, "park", SPUN).drift).toBeCloseTo(0.8);
  });

  it("is what was measured before, if nothing was after", () => {
    const result = floorResult(floor(100, 5_000), null, "adaptive", { spin: 1, park: 2 });
    expect(result).toEqual({
      ...floor(100, 5_000),
      reference: "park",
      wakeModes: { spin: 1, park: 2 },
    });
  });

  it("makes do with one of the two, and then has no drift", () => {
    const result = floorResult(floor(null, 5_000), floor(120, 5_000), "spin", SPUN);
    expect(result).toMatchObject({ spinOneWayNs: 120, drift: null });
  });
});

describe("warnings about the floor", () => {
  const drifted = (from: number, to: number): FloorResult =>
    floorResult(floor(from, null), floor(to, null), "spin", SPUN);

  it("are none within 25 %, either way", () => {
    expect(floorWarnings(drifted(100, 124), true)).toEqual([]);
    expect(floorWarnings(drifted(100, 76), true)).toEqual([]);
  });

  it("tell a rise and a fall beyond, and what to do", () => {
    expect(floorWarnings(drifted(100, 150), true)[0]!.text).toContain("(spin) rose by 50 %");
    const [warning] = floorWarnings(drifted(100, 60), true);
    expect(warning!.text).toContain("fell by 40 %");
    expect(warning!.advice).toContain("taskset");
  });

  it("tell that there is no floor, if one was wanted", () => {
    expect(floorWarnings(null, true)[0]!.text).toContain("could not be measured");
    expect(floorWarnings(floorResult(floor(null, 5_000), null, "spin", SPUN), true)).toHaveLength(
      1,
    );
    expect(floorWarnings(null, false)).toEqual([]);
  });
});
