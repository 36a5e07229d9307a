/** Legacy virtio registers (VIRTIO 1.2, 4.1.4.10) and QEMU's layout of many MSI-X vectors. */
import { expect, test } from "vitest";
import type { Device } from "../../../../host/device/device.ts";
import { createDevice } from "../../../../host/device/registry.ts";
import { spec } from "./fixtures.ts";

const make = (vectors = 400): Device => createDevice(spec("virtio-net", vectors));
const read = (net: Device, offset: number): number => Number(net.barRead(0, offset, 2));
const write = (net: Device, offset: number, value: number): void =>
  net.barWrite(0, offset, 2, BigInt(value));

test("it is 1af4:1000 with MSI-X and nothing else: no MSI, no reset, not express", () => {
  const { fn } = make();
  expect([fn.configRead(0, 2), fn.configRead(2, 2), fn.configRead(0x3d, 1)]).toEqual([
    0x1af4, 0x1000, 1,
  ]);
  expect(fn.configRead(0x34, 1)).toBe(0x40);
  expect([fn.configRead(0x40, 1), fn.configRead(0x41, 1)]).toEqual([17, 0]);
  expect([fn.msi, fn.canReset, fn.flr]).toEqual([null, false, false]);
});

test("400 vectors: table in BAR 1 from 0, PBA behind its 6,400 bytes", () => {
  const { fn } = make();
  expect(fn.configRead(0x42, 2) & 0x7ff).toBe(399);
  expect(fn.configRead(0x44, 4)).toBe(1);
  expect(fn.configRead(0x48, 4)).toBe(6400 | 1);
});

test("few vectors: the PBA begins in the middle of a page", () => {
  expect(make(3).fn.configRead(0x48, 4)).toBe(0x800 | 1);
});

test("vectors of queues are kept by queue, and those the table lacks read as none", () => {
  const net = make();
  for (const [queue, vector] of [
    [0, 1],
    [1, 399],
    [2, 400],
  ] as const) {
    write(net, 14, queue);
    write(net, 22, vector);
  }
  const vectors = [0, 1, 2, 3].map((queue) => {
    write(net, 14, queue);
    return read(net, 22);
  });
  expect(vectors).toEqual([1, 399, 0xffff, 0xffff]);
});

test("writing 0 to the status register resets the device", () => {
  const net = make();
  write(net, 18, 3);
  write(net, 20, 5);
  expect([read(net, 18), read(net, 20)]).toEqual([3, 5]);
  write(net, 18, 0);
  expect([read(net, 18), read(net, 20)]).toEqual([0, 0xffff]);
});
