/** edu's registers and interrupts (docs/specs/edu.rst; recordings h12, h15, h16, h26). */
import { expect, test } from "vitest";
import { createDevice } from "../../../../host/device/registry.ts";
import { RecordingSink } from "../../src/pci/recording-sink.ts";
import { spec, World } from "./fixtures.ts";

function makeEdu() {
  const world = new World();
  const edu = createDevice(spec("edu", 0, 1), { env: world });
  const sink = new RecordingSink();
  edu.fn.sink = sink;
  const read = (at: number): number => Number(edu.barRead(0, at, 4));
  const write = (at: number, value: number): void => edu.barWrite(0, at, 4, BigInt(value));
  return { world, edu, sink, read, write };
}

test("the identification register reads 0x010000ed", () => {
  expect(makeEdu().read(0)).toBe(0x010000ed);
});

test("the liveness register reads back inverted", () => {
  const { read, write } = makeEdu();
  write(4, 0x00ff1234);
  expect(read(4)).toBe(0xff00edcb);
});

test("raising asserts INTx, acknowledging every cause lowers it", () => {
  const { sink, read, write } = makeEdu();
  write(0x60, 1);
  write(0x60, 2);
  expect(read(0x24)).toBe(3);
  write(0x64, 1);
  expect(sink.take()).toEqual(["wire high", "intx 0 coalesced-line"]);
  write(0x64, 2);
  expect(read(0x24)).toBe(0);
  expect(sink.take()).toEqual(["intx 0 dropped-withdrawn", "wire low"]);
});

test("raising no cause while none is set does nothing", () => {
  const { sink, write } = makeEdu();
  write(0x60, 0);
  expect(sink.take()).toEqual([]);
});

test("with MSI on every write to the raise register sends, acknowledged or not", () => {
  const { edu, sink, write } = makeEdu();
  edu.fn.configWrite(4, 2, 0x6);
  edu.fn.configWrite(0x42, 2, 1);
  write(0x60, 1);
  write(0x60, 2);
  write(0x64, 3);
  expect(sink.take()).toEqual(["msi 0", "msi 0"]);
});

test("with MSI on and no bus mastering the message is lost", () => {
  const { edu, sink, write } = makeEdu();
  edu.fn.configWrite(0x42, 2, 1);
  write(0x60, 1);
  expect(sink.take()).toEqual(["msi 0 dropped-bus-master"]);
});

test("a wire that is high when MSI is turned on stays high over an acknowledgement", () => {
  const { edu, sink, write } = makeEdu();
  write(0x60, 1);
  edu.fn.configWrite(0x42, 2, 1);
  write(0x64, 1);
  expect(edu.fn.intxAsserted).toBe(true);
  edu.fn.configWrite(0x42, 2, 0);
  write(0x64, 1);
  expect(edu.fn.intxAsserted).toBe(false);
  expect(sink.take()).toEqual(["wire high", "intx 0 dropped-withdrawn", "wire low"]);
});

test("a factorial takes time, and interrupts if asked to", () => {
  const { world, sink, read, write } = makeEdu();
  write(0x20, 0x80);
  write(0x08, 10);
  expect(read(0x20)).toBe(0x81);
  write(0x08, 3);
  world.run();
  expect(read(0x20)).toBe(0x80);
  expect(read(0x08)).toBe(3_628_800);
  expect(read(0x24)).toBe(1);
  expect(sink.take()).toEqual(["wire high"]);
});

test("a factorial beyond 32 bits is what is left of it", () => {
  const { world, read, write } = makeEdu();
  write(0x08, 13);
  world.run();
  expect(read(0x08)).toBe(6_227_020_800 % 2 ** 32);
  write(0x08, 0xffffffff);
  world.run();
  expect(read(0x08)).toBe(0);
});

test("registers are 32 bits wide, anything else reads as ones and writes nothing", () => {
  const { edu, sink } = makeEdu();
  expect(edu.barRead(0, 0, 1)).toBe(0xffn);
  expect(edu.barRead(0, 0x40, 4)).toBe(0xffffffffn);
  edu.barWrite(0, 0x60, 1, 1n);
  expect(sink.take()).toEqual([]);
});

test("a bus reset forgets causes and withdraws the wire", () => {
  const { edu, sink, read, write } = makeEdu();
  write(0x60, 1);
  edu.reset();
  expect(read(0x24)).toBe(0);
  expect(sink.take()).toEqual(["wire high", "intx 0 dropped-withdrawn", "wire low"]);
});
