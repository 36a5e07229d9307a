/** The xHCI model: capability registers, run/stop, no interrupts (xHCI 1.1, 5.3 and 5.4). */
import { expect, test } from "vitest";
import { createDevice } from "../../../../host/device/registry.ts";
import { spec } from "./fixtures.ts";

test("it tells its registers' place and version, and as many interrupters as vectors", () => {
  const xhci = createDevice(spec("nec-usb-xhci", 16, 16));
  expect(xhci.barRead(0, 0, 4)).toBe(0x01000040n);
  expect(xhci.barRead(0, 0, 1)).toBe(0x40n);
  expect((xhci.barRead(0, 4, 4) >> 8n) & 0x7ffn).toBe(16n);
});

test("HCHalted follows Run/Stop, a controller reset stops", () => {
  const xhci = createDevice(spec("nec-usb-xhci", 16, 16));
  expect(xhci.barRead(0, 0x44, 4)).toBe(1n);
  xhci.barWrite(0, 0x40, 4, 1n);
  expect(xhci.barRead(0, 0x44, 4)).toBe(0n);
  xhci.barWrite(0, 0x40, 4, 2n);
  expect([xhci.barRead(0, 0x40, 4), xhci.barRead(0, 0x44, 4)]).toEqual([0n, 1n]);
});
