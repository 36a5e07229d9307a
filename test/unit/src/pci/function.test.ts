/** INTx, bus mastering, power states, and what a reset takes away (PCI 3.0, 2.2.6, 6.2; PM 1.2). */
import { expect, test } from "vitest";
import { PciFunction } from "../../../../src/pci/function.ts";
import { RecordingSink } from "./recording-sink.ts";

function makeFunction({ pm = true, command = 0x0103 } = {}) {
  const fn = new PciFunction({
    name: "f",
    vendorId: 0x1b36,
    deviceId: 0x0010,
    classCode: 0x010802,
    revisionId: 2,
    interruptPin: 1,
    interruptLine: 0x0b,
    command,
    bars: [{ index: 0, kind: "mem64", size: 0x4000 }],
    capabilities: [
      {
        kind: "msix",
        offset: 0x40,
        vectors: 4,
        table: { bar: 0, offset: 0x2000 },
        pba: { bar: 0, offset: 0x3000 },
      },
      { kind: "pcie", offset: 0x80, version: 2, flr: true, rootComplexIntegrated: false },
      ...(pm ? [{ kind: "pm" as const, offset: 0x60, noSoftReset: true, pme: false }] : []),
      { kind: "msi", offset: 0x50, vectors: 1, a64: true, perVectorMask: false },
    ],
  });
  const sink = new RecordingSink();
  fn.sink = sink;
  return { fn, sink };
}

test("the header tells who the function is", () => {
  const { fn } = makeFunction();
  expect(fn.configRead(0x00, 4)).toBe(0x00101b36);
  expect(fn.configRead(0x08, 4)).toBe(0x01080202);
  expect(fn.configRead(0x3c, 2)).toBe(0x010b);
  expect(fn.configRead(0x04, 4)).toBe(0x00100103);
});

test("identity, pin and header type cannot be written, the interrupt line can", () => {
  const { fn } = makeFunction();
  for (let at = 0; at < 0x40; at += 4) if (at !== 0x04) fn.configWrite(at, 4, 0xffffffff);
  expect(fn.configRead(0x00, 4)).toBe(0x00101b36);
  expect(fn.configRead(0x0e, 1)).toBe(0);
  expect(fn.configRead(0x3c, 2)).toBe(0x01ff);
});

test("of the command register I/O, memory, master, SERR and DisINTx can be written", () => {
  const { fn } = makeFunction();
  fn.configWrite(0x04, 2, 0xffff);
  expect(fn.configRead(0x04, 2)).toBe(0x0507);
});

test("asserting INTx raises the wire once and shows in the status register", () => {
  const { fn, sink } = makeFunction();
  fn.raise("intx", 0);
  expect(sink.take()).toEqual(["wire high"]);
  expect(fn.configRead(0x06, 2)).toBe(0x0018);
  fn.raise("intx", 0);
  expect(sink.take()).toEqual(["intx 0 coalesced-line"]);
});

test("an interrupt nobody took is withdrawn with the wire", () => {
  const { fn, sink } = makeFunction();
  fn.raise("intx", 0);
  sink.take();
  fn.deassertIntx();
  expect(sink.take()).toEqual(["intx 0 dropped-withdrawn", "wire low"]);
  expect(fn.configRead(0x06, 2)).toBe(0x0010);
  fn.deassertIntx();
  expect(sink.take()).toEqual([]);
});

test("a taken interrupt ends elsewhere, and the next one waits on the same high wire", () => {
  const { fn, sink } = makeFunction();
  fn.raise("intx", 0);
  expect(fn.takeIntx()).toBe(true);
  expect(fn.takeIntx()).toBe(false);
  fn.raise("intx", 0);
  expect(fn.intxWaiting).toBe(true);
  fn.raise("intx", 0);
  expect(fn.takeIntx()).toBe(true);
  fn.deassertIntx();
  expect(sink.take()).toEqual(["wire high", "intx 0 coalesced-line", "wire low"]);
});

test("DisINTx keeps the wire low, the status register still tells the level", () => {
  const { fn, sink } = makeFunction();
  fn.setIntxDisable(true);
  expect(fn.configRead(0x04, 2)).toBe(0x0503);
  fn.raise("intx", 0);
  expect(sink.take()).toEqual([]);
  expect(fn.intxAsserted).toBe(true);
  expect(fn.configRead(0x06, 2) & 0x8).toBe(0x8);
  fn.configWrite(0x04, 2, 0x0103);
  expect(sink.take()).toEqual(["wire high"]);
  fn.configWrite(0x04, 2, 0x0503);
  expect(sink.take()).toEqual(["wire low"]);
});

test("without bus mastering messages are lost", () => {
  const { fn, sink } = makeFunction();
  fn.msix!.setControl(true);
  fn.msix!.setVectorMask(1, false);
  fn.raise("msix", 1);
  expect(sink.take()).toEqual(["msix 1 dropped-bus-master"]);
  fn.configWrite(0x04, 2, 0x0107);
  fn.raise("msix", 1);
  expect(sink.take()).toEqual(["msix 1"]);
});

test("INTx needs no bus mastering", () => {
  const { fn, sink } = makeFunction({ command: 0 });
  fn.raise("intx", 0);
  expect(sink.take()).toEqual(["wire high"]);
});

test("a pending vector that is unmasked without bus mastering is lost, not kept", () => {
  const { fn, sink } = makeFunction();
  fn.msix!.setControl(true);
  fn.raise("msix", 0);
  fn.msix!.setVectorMask(0, false);
  expect(sink.take()).toEqual(["msix 0 dropped-bus-master"]);
  expect(fn.msix!.isPending(0)).toBe(false);
});

test("D3hot is written and read in PMCSR, and lets no message out", () => {
  const { fn, sink } = makeFunction({ command: 0x0006 });
  expect(fn.configRead(0x64, 2)).toBe(0x0008);
  fn.msix!.setControl(true);
  fn.msix!.setVectorMask(0, false);
  fn.configWrite(0x64, 2, 0x000b);
  expect(fn.configRead(0x64, 2)).toBe(0x000b);
  expect(fn.powerState).toBe(3);
  fn.raise("msix", 0);
  expect(sink.take()).toEqual(["msix 0 dropped-bus-master"]);
  fn.configWrite(0x64, 2, 0x0008);
  fn.raise("msix", 0);
  expect(sink.take()).toEqual(["msix 0"]);
});

test("a function without a PM capability is always in D0", () => {
  const { fn } = makeFunction({ pm: false });
  fn.setPowerState(3);
  expect(fn.powerState).toBe(0);
});

test("a PCI Express function has 4096 bytes of configuration space and tells FLR", () => {
  const { fn } = makeFunction();
  expect(fn.config.size).toBe(4096);
  expect(fn.configRead(0x100, 4)).toBe(0);
  expect(fn.configRead(0x84, 4) & 0x10000000).toBe(0x10000000);
  expect(fn.flr).toBe(true);
});

test("initiate FLR reads back as zero", () => {
  const { fn } = makeFunction();
  fn.configWrite(0x88, 2, 0x8000);
  expect(fn.configRead(0x88, 2)).toBe(0);
});

test("a reset clears command, BARs and interrupt line, and withdraws INTx", () => {
  const { fn, sink } = makeFunction();
  fn.configWrite(0x10, 4, 0xfe000000);
  fn.configWrite(0x64, 2, 0x000b);
  fn.raise("intx", 0);
  fn.reset();
  expect(sink.take()).toEqual(["wire high", "intx 0 dropped-withdrawn", "wire low"]);
  expect(fn.configRead(0x04, 4)).toBe(0x00100000);
  expect(fn.configRead(0x10, 4)).toBe(0x00000004);
  expect(fn.configRead(0x3c, 2)).toBe(0x0100);
  expect(fn.configRead(0x64, 2)).toBe(0x0008);
});

test("state saved before a reset comes back, with DisINTx set where MSI-X is on", () => {
  const { fn, sink } = makeFunction({ command: 0x0006 });
  fn.configWrite(0x10, 4, 0xfe000000);
  fn.msix!.setControl(true, false);
  fn.msix!.writeMessage(2, 0xfee00000, 0, 0x41);
  fn.msix!.setVectorMask(2, false);
  fn.raise("msix", 3);
  const saved = fn.saveState();
  fn.reset();
  fn.restoreState(saved);
  expect(sink.take()).toEqual(["msix 3 dropped-withdrawn"]);
  expect(fn.configRead(0x04, 2)).toBe(0x0406);
  expect(fn.configRead(0x10, 4)).toBe(0xfe000004);
  expect(fn.configRead(0x3c, 1)).toBe(0x0b);
  expect(fn.configRead(0x42, 2)).toBe(0x8003);
  expect(fn.msix!.data(2)).toBe(0x41);
  expect(fn.msix!.isVectorMasked(3)).toBe(true);
  fn.raise("msix", 2);
  expect(sink.take()).toEqual(["msix 2"]);
});

test("a restored function without message interrupts has the DisINTx it was saved with", () => {
  const { fn } = makeFunction();
  fn.restoreState(fn.saveState());
  expect(fn.configRead(0x04, 2)).toBe(0x0103);
  fn.setIntxDisable(true);
  const masked = fn.saveState();
  fn.reset();
  fn.restoreState(masked);
  expect(fn.intxDisabled).toBe(true);
});

test("a reset from D3hot leaves D0, which the restore keeps", () => {
  const { fn } = makeFunction();
  fn.configWrite(0x64, 2, 0x000b);
  const saved = fn.saveState();
  fn.reset();
  fn.restoreState(saved);
  expect(fn.configRead(0x64, 2)).toBe(0x0008);
});

test("a function with nobody above it loses its interrupts quietly", () => {
  const { fn } = makeFunction();
  fn.sink = null;
  fn.raise("intx", 0);
  fn.raise("msi", 0);
  fn.deassertIntx();
  expect(fn.intxWaiting).toBe(false);
});

test("a self test starts where there is one, and clears its start bit", () => {
  for (const bist of [true, false]) {
    const fn = new PciFunction({
      name: "f",
      vendorId: 0x1234,
      deviceId: 0x11e8,
      classCode: 0x00ff00,
      interruptPin: 1,
      bars: [],
      capabilities: [],
      bist,
    });
    let tests = 0;
    fn.onSelfTest = () => tests++;
    expect(fn.configRead(0x0f, 1)).toBe(bist ? 0x80 : 0);
    fn.configWrite(0x0f, 1, 0x40);
    fn.configWrite(0x0c, 4, 0x00000010);
    expect(tests).toBe(bist ? 1 : 0);
    expect(fn.configRead(0x0f, 1)).toBe(bist ? 0x80 : 0);
  }
});
