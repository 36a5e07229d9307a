import { describe, expect, it } from "vitest";
import { GsiRouting, msiTarget } from "../../../../host/kvm/routing.ts";
import type { KvmRoute } from "../../../../src/uapi/kvm.ts";

const EINVAL = -22;
const IOAPIC = 2;
const msi = (gsi: number, addressLo = 0xfee01000, data = 0x41): KvmRoute => ({
  gsi,
  type: "msi",
  addressLo,
  addressHi: 0,
  data,
});
const chip = (gsi: number, irqchip: number, pin: number): KvmRoute => ({
  gsi,
  type: "irqchip",
  irqchip,
  pin,
});

describe("GsiRouting", () => {
  it("starts with GSI n at IOAPIC pin n, as kvm_setup_default_irq_routing", () => {
    const routing = new GsiRouting();
    expect(routing.target(23)).toEqual({ kind: "ioapic", pin: 23 });
    expect(routing.target(24)).toBeNull();
  });

  it("reads destination and vector where the SDM has them (vol. 3, 11.11)", () => {
    expect(msiTarget(0xfee05000, 0x4031)).toMatchObject({ kind: "msi", vcpu: 5, vector: 0x31 });
  });

  it("replaces the whole table", () => {
    const routing = new GsiRouting();
    expect(routing.replace([msi(30)])).toBe(0);
    expect(routing.target(30)).toMatchObject({ kind: "msi", vcpu: 1, vector: 0x41 });
    expect(routing.target(23)).toBeNull();
  });

  it("allows a GSI on two chips, but an MSI only alone", () => {
    const routing = new GsiRouting();
    expect(routing.replace([chip(5, 0, 5), chip(5, IOAPIC, 5)])).toBe(0);
    expect(routing.gsisOfPin(5)).toEqual([5]);
    expect(routing.replace([msi(5), msi(5)])).toBe(EINVAL);
    expect(routing.replace([chip(5, IOAPIC, 5), msi(5)])).toBe(EINVAL);
    expect(routing.replace([chip(5, IOAPIC, 5), chip(5, IOAPIC, 6)])).toBe(EINVAL);
  });

  it("refuses GSIs, chips and pins that do not exist, and then changes nothing", () => {
    const routing = new GsiRouting();
    for (const bad of [msi(4096), chip(1, 3, 1), chip(1, IOAPIC, 24)]) {
      expect(routing.replace([msi(30), bad])).toBe(EINVAL);
    }
    expect(routing.target(30)).toBeNull();
    expect(routing.target(7)).toEqual({ kind: "ioapic", pin: 7 });
  });
});
