/** Where devices sit and what their pins are wired to, as irqfile showed it in the recordings. */
import { describe, expect, it } from "vitest";
import { BusSlot } from "../../../host/bus-slot.ts";
import { createDevice } from "../../../host/device/registry.ts";
import { createIrqPool } from "../../../host/irq/platform.ts";
import type { DeviceSpec, Platform } from "../../../src/scenario/types.ts";
import { DEFAULT_COSTS } from "../../../src/time/costs.ts";
import { VirtualClock } from "../../../src/time/virtual-clock.ts";
import { PCI_INTERRUPT_LINE } from "../../../src/uapi/pci-regs.ts";
import { RECORDED_HOST } from "./irq/machine.ts";

const EDU = { name: "edu", model: "edu", msixVectors: 0, msiVectors: 1 } as const;

function slot(spec: Partial<DeviceSpec>, index = 0, platform: Platform = "x86-vtd"): BusSlot {
  const env = { clock: new VirtualClock(), costs: DEFAULT_COSTS, tracer: { emit: () => {} } };
  const pool = createIrqPool({ ...RECORDED_HOST, platform }, env);
  return new BusSlot(createDevice({ ...EDU, ...spec }), index, pool);
}

function placed(bdf: string, rootSlot: number, platform?: Platform): BusSlot {
  return slot({ place: { bdf, rootSlot } }, 0, platform);
}

describe("INTx lines of a q35", () => {
  it("take turns over four pins from slot to slot: edu in slot 7 has 23, a in slot 4 20", () => {
    expect([4, 5, 6, 7, 8].map((s) => placed(`0000:00:0${s}.0`, s).line)).toEqual([
      20, 21, 22, 23, 20,
    ]);
  });

  it("are those of the port a device is behind: n8 behind slot 1 has 21 (devices.json)", () => {
    expect(placed("0000:01:00.0", 1).line).toBe(21);
    expect(placed("0000:0b:00.0", 0x10).line).toBe(20);
    expect(placed("0000:23:00.0", 0x13).line).toBe(23);
  });

  it("are turned once more by a bridge with slots: v2 has 22, bx 20 behind slot 12 (b01)", () => {
    expect(placed("0000:04:02.0", 0x0c).line).toBe(22);
    expect(placed("0000:04:04.0", 0x0c).line).toBe(20);
  });

  it("do not take turns from slot 25 on: e2 and e3 share pin 16; slot 30 is the bridge's", () => {
    expect([25, 26, 29, 31].map((s) => placed(`0000:00:${s.toString(16)}.0`, s).line)).toEqual([
      16, 16, 16, 16,
    ]);
    expect(placed("0000:00:1e.0", 30).line).toBe(20);
  });

  it("take turns everywhere where there is no such firmware", () => {
    expect(placed("0000:00:19.0", 25, "arm64-its").line).toBe(21);
  });

  it("a function without a pin has none", () => {
    expect(slot({ model: "rocker", msixVectors: 16, msiVectors: 0 }).line).toBe(-1);
  });
});

describe("the interrupt line register", () => {
  it("holds what firmware gave the pin: 11 for edu (h-scripts), 10 for e2 (q01)", () => {
    const register = (s: BusSlot): number => s.fn.configRead(PCI_INTERRUPT_LINE, 1);
    expect(register(placed("0000:00:07.0", 7))).toBe(11);
    expect(register(placed("0000:00:19.0", 25))).toBe(10);
  });
});

describe("devices without a place of their own", () => {
  it("fill one bus after the other, from slot 1", () => {
    expect([0, 3, 30, 31, 32].map((index) => slot({}, index).bdf)).toEqual([
      "0000:00:01.0",
      "0000:00:04.0",
      "0000:00:1f.0",
      "0000:01:00.0",
      "0000:01:01.0",
    ]);
  });
});

describe("the requester that an IOMMU sees", () => {
  it("is the device, or the bridge it is behind", () => {
    expect(slot({}).requester).toBe("0000:00:01.0");
    expect(slot({ bridge: "pb" }).requester).toBe("bridge pb");
    expect(slot({ bridge: "pb" }, 5).requester).toBe("bridge pb");
  });
});
