import { expect, test } from "vitest";
import { floorOf, floorReference, referenceNs } from "../../../../src/measure/calibration.ts";

const FLOOR = floorOf({
  spinRoundTripsNs: [300, 200, 260],
  parkRoundTripsNs: [9_000, 80_000, 10_000],
  clockNs: [40, 50, 45],
});

test("a one-way trip is half the median round trip", () => {
  expect(FLOOR).toEqual({ spinOneWayNs: 130, parkOneWayNs: 5_000, clockNs: 45 });
});

test("a probe that did not complete leaves no figure", () => {
  const floor = floorOf({ spinRoundTripsNs: [], parkRoundTripsNs: [100], clockNs: [40] });
  expect(referenceNs(floor, "spin")).toBeNull();
  expect(referenceNs(floor, "park")).toBe(50);
});

test("spinning runs are compared with the spinning floor, parked runs with the parked one", () => {
  expect(referenceNs(FLOOR, floorReference("spin", { spin: 0, park: 9 }))).toBe(130);
  expect(referenceNs(FLOOR, floorReference("park", { spin: 9, park: 0 }))).toBe(5_000);
});

test("an adaptive run is compared with the floor of the way most of its waits ended", () => {
  expect(floorReference("adaptive", { spin: 10, park: 2 })).toBe("spin");
  expect(floorReference("adaptive", { spin: 2, park: 10 })).toBe("park");
});
