import { expect, test } from "vitest";
import { floorOf, floorReference, referenceNs } from "../../../../src/measure/calibration.ts";

const FLOOR = floorOf({
  spinOneWaysNs: [205, 145, 175],
  parkOneWaysNs: [4_045, 80_000, 5_045],
  clockNs: [40, 50, 45],
});

test("a hand-over is the median way from stamp to stamp, less a reading of the clock", () => {
  expect(FLOOR).toEqual({ spinOneWayNs: 130, parkOneWayNs: 5_000, clockNs: 45 });
});

test("a probe that did not complete leaves no figure", () => {
  const floor = floorOf({ spinOneWaysNs: [], parkOneWaysNs: [100], clockNs: [40] });
  expect(referenceNs(floor, "spin")).toBeNull();
  expect(referenceNs(floor, "park")).toBe(60);
});

test("what is no longer than a reading of the clock is no figure", () => {
  const floor = floorOf({ spinOneWaysNs: [40], parkOneWaysNs: [41], clockNs: [40] });
  expect(floor).toEqual({ spinOneWayNs: null, parkOneWayNs: 1, clockNs: 40 });
});

test("spinning runs are compared with the spinning floor, parked runs with the parked one", () => {
  expect(referenceNs(FLOOR, floorReference("spin", { spin: 0, park: 9 }))).toBe(130);
  expect(referenceNs(FLOOR, floorReference("park", { spin: 9, park: 0 }))).toBe(5_000);
});

test("an adaptive run is compared with the floor of the way most of its waits ended", () => {
  expect(floorReference("adaptive", { spin: 10, park: 2 })).toBe("spin");
  expect(floorReference("adaptive", { spin: 2, park: 10 })).toBe("park");
});
