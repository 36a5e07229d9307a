/** PCI Local Bus Specification 3.0, 6.8.1: the MSI capability. */
import { expect, test } from "vitest";
import { PciFunction } from "../../../../src/pci/function.ts";
import { RecordingSink } from "./recording-sink.ts";

function msiFunction(vectors: number, { a64 = true, perVectorMask = false } = {}) {
  const fn = new PciFunction({
    name: "f",
    vendorId: 0x1234,
    deviceId: 0x11e8,
    classCode: 0x00ff00,
    interruptPin: 1,
    command: 0x0006,
    bars: [],
    capabilities: [{ kind: "msi", offset: 0x40, vectors, a64, perVectorMask }],
  });
  const sink = new RecordingSink();
  fn.sink = sink;
  return { fn, sink, msi: fn.msi! };
}

test("Multiple Message Capable holds the base 2 logarithm of the offered vectors", () => {
  expect(msiFunction(1).fn.configRead(0x42, 2)).toBe(0x0080);
  expect(msiFunction(16).fn.configRead(0x42, 2)).toBe(0x0088);
  expect(msiFunction(32, { a64: false }).fn.configRead(0x42, 2)).toBe(0x000a);
  expect(msiFunction(4, { perVectorMask: true }).fn.configRead(0x42, 2)).toBe(0x0184);
});

test("software writes only enable and Multiple Message Enable of the control word", () => {
  const { fn } = msiFunction(16);
  fn.configWrite(0x42, 2, 0xffff);
  expect(fn.configRead(0x42, 2)).toBe(0x00f9);
});

test("a disabled MSI capability loses the interrupt", () => {
  const { fn, sink } = msiFunction(1);
  fn.raise("msi", 0);
  expect(sink.take()).toEqual(["msi 0 dropped-disabled"]);
  fn.configWrite(0x42, 2, 0x0001);
  expect(sink.take()).toEqual([]);
});

test("an enabled one sends every time", () => {
  const { fn, sink } = msiFunction(1);
  fn.configWrite(0x42, 2, 0x0001);
  fn.raise("msi", 0);
  fn.raise("msi", 0);
  expect(sink.take()).toEqual(["msi 0", "msi 0"]);
});

test("vectors beyond the granted ones cannot be sent", () => {
  const { fn, sink, msi } = msiFunction(16);
  fn.configWrite(0x42, 2, 0x0021);
  expect(msi.allotted).toBe(4);
  fn.raise("msi", 3);
  fn.raise("msi", 4);
  expect(sink.take()).toEqual(["msi 3", "msi 4 dropped-disabled"]);
});

test("more vectors granted than offered are as many as offered", () => {
  const { fn, msi } = msiFunction(2);
  fn.configWrite(0x42, 2, 0x0051);
  expect(msi.allotted).toBe(2);
});

test("address and data lie behind the control word, two bits of the address stay zero", () => {
  const { fn, msi } = msiFunction(1);
  fn.configWrite(0x44, 4, 0xfee0100f);
  fn.configWrite(0x48, 4, 0x00000001);
  fn.configWrite(0x4c, 2, 0x4021);
  expect([msi.addressLo, msi.addressHi, msi.data]).toEqual([0xfee0100c, 1, 0x4021]);
});

test("without a 64-bit address the data follow the low address", () => {
  const { fn, msi } = msiFunction(1, { a64: false });
  fn.configWrite(0x44, 4, 0xfee01000);
  fn.configWrite(0x48, 2, 0x4021);
  expect([msi.addressLo, msi.addressHi, msi.data]).toEqual([0xfee01000, 0, 0x4021]);
});

test("a masked vector becomes pending, once, and is sent when unmasked", () => {
  const { fn, sink } = msiFunction(4, { perVectorMask: true });
  fn.configWrite(0x42, 2, 0x0021);
  fn.configWrite(0x50, 4, 0b0110);
  fn.raise("msi", 1);
  fn.raise("msi", 1);
  fn.raise("msi", 0);
  expect(fn.configRead(0x54, 4)).toBe(0b0010);
  expect(sink.take()).toEqual(["msi 1 coalesced-pba", "msi 0"]);
  fn.configWrite(0x50, 4, 0b0100);
  expect(sink.take()).toEqual(["msi 1"]);
  expect(fn.configRead(0x54, 4)).toBe(0);
});

test("pending bits are read-only, mask bits exist only for offered vectors", () => {
  const { fn } = msiFunction(4, { perVectorMask: true });
  fn.configWrite(0x54, 4, 0xffffffff);
  fn.configWrite(0x50, 4, 0xffffffff);
  expect(fn.configRead(0x54, 4)).toBe(0);
  expect(fn.configRead(0x50, 4)).toBe(0xf);
});

test("masks of all 32 vectors work", () => {
  const { fn, sink, msi } = msiFunction(32, { perVectorMask: true });
  msi.setControl(true, 32);
  msi.setVectorMask(31, true);
  fn.raise("msi", 31);
  expect(msi.isPending(31)).toBe(true);
  expect(fn.configRead(0x54, 4)).toBe(0x80000000);
  msi.setVectorMask(31, false);
  expect(sink.take()).toEqual(["msi 31"]);
});

test("the host grants a power of two and keeps it when it only disables", () => {
  const { fn, msi } = msiFunction(16);
  msi.setControl(true, 5);
  expect(fn.configRead(0x42, 2)).toBe(0x00b9);
  msi.setControl(false);
  expect(fn.configRead(0x42, 2)).toBe(0x00b8);
});

test("a reset withdraws what is pending and clears the capability", () => {
  const { fn, sink } = msiFunction(4, { perVectorMask: true });
  fn.configWrite(0x42, 2, 0x0021);
  fn.configWrite(0x50, 4, 0xf);
  fn.raise("msi", 2);
  fn.reset();
  expect(sink.take()).toEqual(["msi 2 dropped-withdrawn"]);
  expect(fn.configRead(0x42, 2)).toBe(0x0184);
  expect(fn.configRead(0x50, 4)).toBe(0);
  expect(fn.configRead(0x54, 4)).toBe(0);
});
