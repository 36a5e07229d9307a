/** PCI Local Bus Specification 3.0, chapter 6: configuration space. */
import { expect, test } from "vitest";
import { ConfigSpace } from "../../../../src/pci/config-space.ts";

test("registers are little endian and can be read in parts", () => {
  const config = new ConfigSpace(256);
  config.set(0x00, 4, 0x00101b36);
  expect(config.read(0x00, 2)).toBe(0x1b36);
  expect(config.read(0x02, 2)).toBe(0x0010);
  expect(config.read(0x00, 4)).toBe(0x00101b36);
  expect(config.read(0x01, 1)).toBe(0x1b);
});

test("a read of four bytes with the top bit set is a positive number", () => {
  const config = new ConfigSpace(256);
  config.set(0x40, 4, 0xfeedbeef);
  expect(config.read(0x40, 4)).toBe(0xfeedbeef);
});

test("software changes only the bits it may write", () => {
  const config = new ConfigSpace(256);
  config.set(0x04, 2, 0x0003);
  config.allow(0x04, 2, 0x0406);
  config.write(0x04, 2, 0xffff);
  expect(config.read(0x04, 2)).toBe(0x0407);
  config.write(0x04, 2, 0);
  expect(config.read(0x04, 2)).toBe(0x0001);
});

test("a byte write leaves the neighbours alone", () => {
  const config = new ConfigSpace(256);
  config.allow(0x3c, 4, 0xffffffff);
  config.write(0x3c, 4, 0x11223344);
  config.write(0x3d, 1, 0xaa);
  expect(config.read(0x3c, 4)).toBe(0x1122aa44);
});

test("a written 1 clears a status bit, a written 0 keeps it", () => {
  const config = new ConfigSpace(256);
  config.set(0x06, 2, 0xf900);
  config.allowClear(0x06, 2, 0xf900);
  config.write(0x06, 2, 0x8000);
  expect(config.read(0x06, 2)).toBe(0x7900);
  config.write(0x06, 2, 0x0000);
  expect(config.read(0x06, 2)).toBe(0x7900);
});

test("behind its end the space reads all ones and takes nothing", () => {
  const config = new ConfigSpace(256);
  config.write(256, 4, 0x12345678);
  expect(config.read(256, 4)).toBe(0xffffffff);
  expect(config.read(4096, 1)).toBe(0xff);
});

test("writing all ones to a 32-bit memory BAR reads back its size", () => {
  const config = new ConfigSpace(256);
  config.addBar({ index: 0, kind: "mem32", size: 0x100000 });
  config.write(0x10, 4, 0xffffffff);
  expect(config.read(0x10, 4)).toBe(0xfff00000);
  config.write(0x10, 4, 0xfea12345);
  expect(config.read(0x10, 4)).toBe(0xfea00000);
});

test("an I/O BAR keeps bit 0 and sizes by its address bits", () => {
  const config = new ConfigSpace(256);
  config.addBar({ index: 2, kind: "io", size: 32 });
  config.write(0x18, 4, 0xffffffff);
  expect(config.read(0x18, 4)).toBe(0xffffffe1);
});

test("a 64-bit BAR tells its type in bits 2:1 and has an upper half", () => {
  const config = new ConfigSpace(256);
  config.addBar({ index: 0, kind: "mem64", size: 0x4000, prefetchable: true });
  config.write(0x10, 4, 0xffffffff);
  config.write(0x14, 4, 0xffffffff);
  expect(config.read(0x10, 4)).toBe(0xffffc00c);
  expect(config.read(0x14, 4)).toBe(0xffffffff);
});

test("a BAR of 8 GiB sizes in its upper half", () => {
  const config = new ConfigSpace(256);
  config.addBar({ index: 0, kind: "mem64", size: 2 ** 33 });
  config.write(0x10, 4, 0xffffffff);
  config.write(0x14, 4, 0xffffffff);
  expect(config.read(0x10, 4)).toBe(0x00000004);
  expect(config.read(0x14, 4)).toBe(0xfffffffe);
});

test("a BAR that is not there reads zero after all ones", () => {
  const config = new ConfigSpace(256);
  config.write(0x24, 4, 0xffffffff);
  expect(config.read(0x24, 4)).toBe(0);
});

test("capabilities are linked in the order they are added, wherever they lie", () => {
  const config = new ConfigSpace(256);
  expect(config.read(0x06, 2) & 0x10).toBe(0);
  config.addCapability(0x11, 0x40, 12);
  config.addCapability(0x10, 0x80, 60);
  config.addCapability(0x01, 0x60, 8);
  expect(config.read(0x06, 2) & 0x10).toBe(0x10);
  expect(config.read(0x34, 1)).toBe(0x40);
  expect(config.read(0x40, 2)).toBe(0x8011);
  expect(config.read(0x80, 2)).toBe(0x6010);
  expect(config.read(0x60, 2)).toBe(0x0001);
  expect(config.findCapability(0x01)).toBe(0x60);
  expect(config.findCapability(0x05)).toBe(0);
});

test("a BAR that is no power of two, or a capability inside the header, is refused", () => {
  const config = new ConfigSpace(256);
  expect(() => config.addBar({ index: 0, kind: "mem32", size: 3000 })).toThrow("BAR 0");
  expect(() => config.addCapability(5, 0x3c, 4)).toThrow("capability 5");
});
