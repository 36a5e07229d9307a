import { expect, test } from "vitest";
import {
  floorOf,
  floorRatio,
  floorReference,
  referenceNs,
} from "../../../../src/measure/calibration.ts";

const FLOOR = floorOf({
  spinRoundTripsNs: [300, 200, 260],
  parkRoundTripsNs: [9_000, 80_000, 10_000],
  clockNs: [40, 50, 45],
});

test("a one-way trip is half the median round trip", () => {
  expect(FLOOR).toEqual({ spinOneWayNs: 130, parkOneWayNs: 5_000, clockNs: 45 });
});

test("a probe that did not complete leaves no figure, and no ratio to it", () => {
  const floor = floorOf({ spinRoundTripsNs: [], parkRoundTripsNs: [100], clockNs: [40] });
  expect(floor.spinOneWayNs).toBeNull();
  expect(floorRatio(500, floor, "spin")).toBeNull();
  expect(floorRatio(500, floor, "park")).toBe(10);
});

test("spinning runs are compared with the spinning floor, parked runs with the parked one", () => {
  expect(referenceNs(FLOOR, "spin")).toBe(130);
  expect(referenceNs(FLOOR, "park")).toBe(5_000);
  expect(floorRatio(1_300, FLOOR, "spin")).toBe(10);
});

test("a run that may spin is compared with the floor that lies below both", () => {
  expect(floorReference("adaptive")).toBe("spin");
});
