/** e1000e's interrupt registers, value by value as recorded (h90-e1000e-real). */
import { expect, test } from "vitest";
import { createDevice } from "../../../../host/device/registry.ts";
import { RecordingSink } from "../../src/pci/recording-sink.ts";
import { spec } from "./fixtures.ts";

const ICR = 0xc0;
const ICS = 0xc8;
const IMS = 0xd0;
const IMC = 0xd8;
const IVAR = 0xe4;
const MSI_CTRL = 0xd2;
const MSIX_CTRL = 0xa2;

function makeNic() {
  const nic = createDevice(spec("e1000e", 5, 1), { behindRootPort: true });
  const sink = new RecordingSink();
  nic.fn.sink = sink;
  nic.fn.configWrite(4, 2, 0x6);
  const read = (at: number): number => Number(nic.barRead(0, at, 4));
  const write = (at: number, value: number): void => nic.barWrite(0, at, 4, BigInt(value));
  const msix = (on: boolean): void => {
    nic.fn.msix!.setControl(on);
    for (let vector = 0; vector < 5; vector++) nic.fn.msix!.setVectorMask(vector, !on);
  };
  return { nic, sink, read, write, msix };
}

test("the whole recorded session: MSI-X, PM reset, MSI, INTx", () => {
  const { nic, sink, read, write, msix } = makeNic();
  msix(true);
  write(IVAR, 0x000b0000);
  write(IMS, 0x01000000);
  write(ICS, 0x01000000);
  expect(sink.take()).toEqual(["msix 3"]);
  expect(read(ICR)).toBe(0x81000000);
  nic.reset();
  write(IVAR, 0x0000000a);
  write(IMS, 0x00100000);
  write(ICS, 0x00100000);
  expect(sink.take()).toEqual(["msix 2"]);
  expect(read(ICR)).toBe(0x81100000);
  msix(false);
  nic.fn.configWrite(MSI_CTRL, 2, 1);
  write(IMS, 0x4);
  expect(sink.take()).toEqual([]);
  write(ICS, 0x4);
  expect(sink.take()).toEqual(["msi 0"]);
  expect(read(ICR)).toBe(0x81100004);
  nic.fn.configWrite(MSI_CTRL, 2, 0);
  write(IMS, 0x4);
  write(ICS, 0x4);
  expect(sink.take()).toEqual(["wire high"]);
  expect(nic.fn.takeIntx()).toBe(true);
  expect(read(ICR)).toBe(0x80000004);
  expect(sink.take()).toEqual(["wire low"]);
  write(ICS, 0x4);
  expect(sink.take()).toEqual(["wire high"]);
});

test("reading ICR clears it unless MSI-X is on and a cause is unmasked", () => {
  const { read, write, msix } = makeNic();
  write(ICS, 0x4);
  expect([read(ICR), read(ICR)]).toEqual([0x80000004, 0]);
  msix(true);
  write(ICS, 0x00100000);
  expect([read(ICR), read(ICR)]).toEqual([0x80100000, 0]);
  write(IMS, 0x00200000);
  write(ICS, 0x00100000);
  expect([read(ICR), read(ICR)]).toEqual([0x80100000, 0x80100000]);
});

test("writing ones to ICR clears causes, and the wire falls with the last unmasked one", () => {
  const { nic, sink, read, write } = makeNic();
  write(IMS, 0x4);
  write(ICS, 0x14);
  nic.fn.takeIntx();
  write(ICR, 0x10);
  expect(nic.fn.intxAsserted).toBe(true);
  write(ICR, 0x4);
  expect(sink.take()).toEqual(["wire high", "wire low"]);
  expect(read(ICS)).toBe(0);
});

test("masking the cause lowers the wire, unmasking raises it again", () => {
  const { nic, sink, write } = makeNic();
  write(ICS, 0x4);
  expect(sink.take()).toEqual([]);
  write(IMS, 0x4);
  nic.fn.takeIntx();
  write(IMC, 0x4);
  write(IMS, 0x4);
  expect(sink.take()).toEqual(["wire high", "wire low", "wire high"]);
});

test("MSI-X reports link changes as other causes", () => {
  const { sink, read, write, msix } = makeNic();
  msix(true);
  write(IVAR, 0x00090000);
  write(IMS, 0x01000000);
  write(ICS, 0x4);
  expect(sink.take()).toEqual(["msix 1"]);
  expect(read(ICS) >>> 0).toBe(0x81000004);
});

test("an IVAR entry that is not valid sends nothing", () => {
  const { sink, write, msix } = makeNic();
  msix(true);
  write(IVAR, 0x00030000);
  write(IMS, 0x01000000);
  write(ICS, 0x01000000);
  expect(sink.take()).toEqual([]);
});

test("only causes that exist can be unmasked", () => {
  const { read, write } = makeNic();
  write(IMS, 0xffffffff);
  expect(read(IMS)).toBe(0x01f782d7);
});

test("a message is sent again only after its cause went away", () => {
  const { nic, sink, write } = makeNic();
  nic.fn.configWrite(MSI_CTRL, 2, 1);
  write(IMS, 0x4);
  write(ICS, 0x4);
  write(ICS, 0x4);
  expect(sink.take()).toEqual(["msi 0"]);
  write(ICR, 0x4);
  write(ICS, 0x4);
  expect(sink.take()).toEqual(["msi 0"]);
  expect(nic.fn.configRead(MSIX_CTRL, 2)).toBe(0x0004);
});
