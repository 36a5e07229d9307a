/** Every fate inside a function ends up in the ledger: raised = sum of fates. */
import { expect, test } from "vitest";
import { endedToMeter } from "../../../../host/device/ended.ts";
import { DeviceMeter } from "../../../../host/device/meter.ts";
import { createDevice } from "../../../../host/device/registry.ts";
import { FATE } from "../../../../src/measure/fates.ts";
import type { FunctionFate } from "../../../../src/pci/types.ts";
import { meterStorage } from "../../../support/meter.ts";
import { spec, World } from "./fixtures.ts";

function metered() {
  const world = new World();
  const rows = { device: "dev0", base: 0, msi: 1, msix: 16 };
  const storage = meterStorage(18, world.clock);
  const { fates, raised } = storage;
  return { meter: new DeviceMeter(rows, storage), fates, raised };
}

test.each<FunctionFate>([
  "coalesced-pba",
  "coalesced-line",
  "dropped-disabled",
  "dropped-bus-master",
  "dropped-withdrawn",
])("%s is counted once, in its row and column", (fate) => {
  const { meter, fates } = metered();
  endedToMeter(meter, "msix", 3, fate);
  expect(fates.get(1 + 1 + 3, FATE[fate])).toBe(1);
  expect(fates.sum(5)).toBe(1);
});

test("a device that belongs to nobody counts nothing", () => {
  expect(() => endedToMeter(null, "intx", 0, "dropped-withdrawn")).not.toThrow();
});

test("raises of a masked vector add up: merged, withdrawn", () => {
  const { meter, fates, raised } = metered();
  const rocker = createDevice(spec("rocker", 16));
  rocker.meter = meter;
  rocker.fn.sink = {
    message() {},
    wire() {},
    ended: (kind, vector, how) => endedToMeter(rocker.meter, kind, vector, how),
  };
  for (let i = 0; i < 5; i++) rocker.barWrite(0, 0x20, 4, 7n);
  rocker.reset();
  const row = 1 + 1 + 7;
  expect(raised[row]).toBe(5);
  expect(fates.get(row, FATE["coalesced-pba"])).toBe(4);
  expect(fates.get(row, FATE["dropped-withdrawn"])).toBe(1);
});
