/** PCI Local Bus Specification 3.0, 6.8.2 and 6.8.3: MSI-X capability, table and PBA. */
import { expect, test } from "vitest";
import { PciFunction } from "../../../../src/pci/function.ts";
import { RecordingSink } from "./recording-sink.ts";

const CONTROL = 0x42;
const ENABLE = 0x8000;
const MASKALL = 0x4000;

function msixFunction(vectors: number) {
  const fn = new PciFunction({
    name: "f",
    vendorId: 0x1b36,
    deviceId: 0x0010,
    classCode: 0x010802,
    interruptPin: 1,
    command: 0x0006,
    bars: [{ index: 0, kind: "mem64", size: 0x10000 }],
    capabilities: [
      {
        kind: "msix",
        offset: 0x40,
        vectors,
        table: { bar: 0, offset: 0x2000 },
        pba: { bar: 0, offset: 0xa000 },
      },
    ],
  });
  const sink = new RecordingSink();
  fn.sink = sink;
  return { fn, sink, msix: fn.msix! };
}

/** Enabled, every vector unmasked. */
function liveFunction(vectors: number) {
  const made = msixFunction(vectors);
  made.fn.configWrite(CONTROL, 2, ENABLE);
  for (let vector = 0; vector < vectors; vector++) made.fn.tableWrite(16 * vector + 12, 4, 0);
  return made;
}

test("the capability tells table size minus one, and where table and PBA are", () => {
  const { fn } = msixFunction(2048);
  expect(fn.configRead(0x40, 4)).toBe(0x07ff0011);
  expect(fn.configRead(0x44, 4)).toBe(0x00002000);
  expect(fn.configRead(0x48, 4)).toBe(0x0000a000);
});

test("software writes only enable and function mask of the control word", () => {
  const { fn } = msixFunction(8);
  fn.configWrite(CONTROL, 2, 0xffff);
  expect(fn.configRead(CONTROL, 2)).toBe(0xc007);
  fn.configWrite(CONTROL, 2, 0);
  expect(fn.configRead(CONTROL, 2)).toBe(0x0007);
});

test("every entry is masked after power-on", () => {
  const { fn } = msixFunction(3);
  for (const vector of [0, 1, 2]) expect(fn.tableRead(16 * vector + 12, 4)).toBe(1);
});

test("an entry is address, upper address, data and control", () => {
  const { fn, msix } = msixFunction(3);
  fn.tableWrite(0x20, 4, 0xfee00000);
  fn.tableWrite(0x24, 4, 0x1);
  fn.tableWrite(0x28, 4, 0x4041);
  expect([msix.addressLo(2), msix.addressHi(2), msix.data(2)]).toEqual([0xfee00000, 1, 0x4041]);
  msix.writeMessage(1, 0xfee01000, 2, 0x33);
  expect([0x10, 0x14, 0x18, 0x1c].map((at) => fn.tableRead(at, 4))).toEqual([
    0xfee01000, 2, 0x33, 1,
  ]);
});

test("parts of an entry can be read and written", () => {
  const { fn } = msixFunction(1);
  fn.tableWrite(8, 4, 0x11223344);
  fn.tableWrite(9, 1, 0xaa);
  fn.tableWrite(10, 2, 0xbbcc);
  expect(fn.tableRead(8, 4)).toBe(0xbbccaa44);
  expect(fn.tableRead(9, 2)).toBe(0xccaa);
  expect(fn.tableRead(11, 1)).toBe(0xbb);
});

test("behind the table's end nothing is read or written", () => {
  const { fn } = msixFunction(1);
  fn.tableWrite(16, 4, 0xffffffff);
  expect(fn.tableRead(16, 4)).toBe(0);
  expect(fn.pbaRead(8, 4)).toBe(0);
});

test("an enabled and unmasked vector is sent", () => {
  const { fn, sink } = liveFunction(4);
  fn.raise("msix", 3);
  fn.raise("msix", 0);
  expect(sink.take()).toEqual(["msix 3", "msix 0"]);
  expect(fn.pbaRead(0, 4)).toBe(0);
});

test("a masked vector becomes pending, a second one merges, unmasking sends one", () => {
  const { fn, sink, msix } = liveFunction(4);
  fn.tableWrite(16 * 2 + 12, 4, 1);
  fn.raise("msix", 2);
  expect(msix.isPending(2)).toBe(true);
  fn.raise("msix", 2);
  expect(fn.pbaRead(0, 4)).toBe(0b100);
  expect(sink.take()).toEqual(["msix 2 coalesced-pba"]);
  fn.tableWrite(16 * 2 + 12, 4, 0);
  expect(sink.take()).toEqual(["msix 2"]);
  expect(fn.pbaRead(0, 4)).toBe(0);
  expect(msix.anyPending).toBe(false);
});

test("the function mask holds every vector back, and keeps the vectors' own masks", () => {
  const { fn, sink, msix } = liveFunction(4);
  fn.tableWrite(12, 4, 1);
  fn.configWrite(CONTROL, 2, ENABLE | MASKALL);
  fn.raise("msix", 3);
  fn.raise("msix", 1);
  fn.raise("msix", 0);
  expect(sink.take()).toEqual([]);
  fn.configWrite(CONTROL, 2, ENABLE);
  expect(sink.take()).toEqual(["msix 1", "msix 3"]);
  expect(msix.isPending(0)).toBe(true);
  expect(msix.isLive(0)).toBe(false);
  expect(msix.isLive(1)).toBe(true);
});

test("unmasking a vector sends nothing while the function is masked", () => {
  const { fn, sink } = liveFunction(2);
  fn.configWrite(CONTROL, 2, ENABLE | MASKALL);
  fn.tableWrite(12, 4, 1);
  fn.raise("msix", 0);
  fn.tableWrite(12, 4, 0);
  expect(sink.take()).toEqual([]);
  fn.configWrite(CONTROL, 2, ENABLE);
  expect(sink.take()).toEqual(["msix 0"]);
});

test("an interrupt raised with MSI-X off stays pending and is sent once after enabling", () => {
  const { fn, sink } = liveFunction(2);
  fn.configWrite(CONTROL, 2, 0);
  fn.raise("msix", 0);
  fn.raise("msix", 0);
  expect(fn.pbaRead(0, 4)).toBe(1);
  expect(sink.take()).toEqual(["msix 0 coalesced-pba"]);
  fn.configWrite(CONTROL, 2, ENABLE);
  expect(sink.take()).toEqual(["msix 0"]);
});

test("enabling with entries masked sends nothing until an entry is unmasked", () => {
  const { fn, sink, msix } = msixFunction(2);
  fn.raise("msix", 1);
  msix.setControl(true, true);
  msix.setControl(true, false);
  expect(sink.take()).toEqual([]);
  msix.setVectorMask(1, false);
  expect(sink.take()).toEqual(["msix 1"]);
});

test("other bits of vector control keep what is written and mask nothing", () => {
  const { fn, msix } = liveFunction(1);
  fn.tableWrite(12, 4, 0xfffffffe);
  expect(msix.isVectorMasked(0)).toBe(false);
  msix.setVectorMask(0, true);
  expect(fn.tableRead(12, 4)).toBe(0xffffffff);
});

test("pending bits are packed 64 to a quad word", () => {
  const { fn, msix } = msixFunction(100);
  for (const vector of [0, 31, 32, 63, 64, 99]) fn.raise("msix", vector);
  expect(msix.pbaBytes).toBe(16);
  expect([0, 4, 8, 12].map((at) => fn.pbaRead(at, 4))).toEqual([
    0x80000001, 0x80000001, 0x00000001, 0x00000008,
  ]);
  expect(fn.pbaRead(12, 1)).toBe(8);
});

test("a sink that masks the vector while it is replayed is not asked twice", () => {
  const { fn, msix } = liveFunction(2);
  msix.setControl(true, true);
  fn.raise("msix", 0);
  fn.raise("msix", 1);
  const seen: number[] = [];
  fn.sink = {
    message(_kind, vector) {
      seen.push(vector);
      msix.setVectorMask(1, true);
    },
    wire() {},
    ended() {},
  };
  msix.setControl(true, false);
  expect(seen).toEqual([0]);
  expect(msix.isPending(1)).toBe(true);
});

test("a reset masks every entry, clears the PBA and tells whose interrupts are withdrawn", () => {
  const { fn, sink, msix } = liveFunction(3);
  fn.configWrite(CONTROL, 2, ENABLE | MASKALL);
  fn.raise("msix", 2);
  fn.reset();
  expect(sink.take()).toEqual(["msix 2 dropped-withdrawn"]);
  expect(fn.pbaRead(0, 4)).toBe(0);
  expect(msix.enabled).toBe(false);
  expect(msix.functionMasked).toBe(false);
  for (const vector of [0, 1, 2]) expect(msix.isVectorMasked(vector)).toBe(true);
});
