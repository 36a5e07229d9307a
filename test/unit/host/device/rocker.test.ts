/** rocker's test registers (docs/specs/rocker.rst; recording h17-msix-real). */
import { expect, test } from "vitest";
import { createDevice } from "../../../../host/device/registry.ts";
import { RecordingSink } from "../../src/pci/recording-sink.ts";
import { spec } from "./fixtures.ts";

function makeRocker() {
  const rocker = createDevice(spec("rocker", 16));
  const sink = new RecordingSink();
  rocker.fn.sink = sink;
  rocker.fn.configWrite(4, 2, 0x6);
  const sendIrq = (vector: number): void => rocker.barWrite(0, 0x20, 4, BigInt(vector));
  return { rocker, sink, sendIrq };
}

test("writing N to the interrupt test register sends MSI-X vector N", () => {
  const { rocker, sink, sendIrq } = makeRocker();
  rocker.fn.msix!.setControl(true);
  rocker.fn.msix!.setVectorMask(3, false);
  sendIrq(3);
  expect(sink.take()).toEqual(["msix 3"]);
});

test("vectors without a live entry show in the PBA, as recorded", () => {
  const { rocker, sendIrq } = makeRocker();
  rocker.fn.msix!.setControl(true);
  for (const vector of [5, 10, 3]) sendIrq(vector);
  expect(rocker.barRead(1, 0x1000, 4)).toBe(0x428n);
});

test("raised with MSI-X off, a vector is sent once after the next enable", () => {
  const { rocker, sink, sendIrq } = makeRocker();
  sendIrq(0);
  rocker.fn.msix!.setControl(true, true);
  rocker.fn.msix!.setControl(true, false);
  rocker.fn.msix!.setVectorMask(0, false);
  expect(sink.take()).toEqual(["msix 0"]);
});

test("vectors beyond the table are ignored", () => {
  const { rocker, sink, sendIrq } = makeRocker();
  sendIrq(16);
  sendIrq(0xffffffff);
  expect(rocker.fn.msix!.anyPending).toBe(false);
  expect(sink.take()).toEqual([]);
});

test("the test register reads back twice what was written, until a reset", () => {
  const { rocker } = makeRocker();
  rocker.barWrite(0, 0x10, 4, 21n);
  expect(rocker.barRead(0, 0x10, 4)).toBe(42n);
  expect(rocker.barRead(1, 0x100, 4)).toBe(0n);
  rocker.reset();
  expect(rocker.barRead(0, 0x10, 4)).toBe(0n);
});
