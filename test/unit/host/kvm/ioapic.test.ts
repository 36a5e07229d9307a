import { describe, expect, it } from "vitest";
import { KvmIoapic } from "../../../../host/kvm/ioapic.ts";

/** Bits of a redirection entry, retyped from the 82093AA datasheet, 3.2.4. */
const LEVEL = 1 << 15;
const MASKED = 1 << 16;

function setUp() {
  const log: string[] = [];
  const ioapic: KvmIoapic = new KvmIoapic(
    (vcpu, vector, row) => log.push(`vcpu ${vcpu} vector ${vector} row ${row}`),
    (pin) => {
      log.push(`acked ${pin}`);
      ioapic.resample(pin);
    },
  );
  return { ioapic, log };
}

const METER = { merged: () => {}, dropped: () => {}, pending: () => {} } as never;

describe("KvmIoapic", () => {
  it("comes up with every pin masked", () => {
    const { ioapic, log } = setUp();
    ioapic.assert(20, 1, METER);
    expect(log).toEqual([]);
    expect(ioapic.waiting(20)).toBe(true);
  });

  it("delivers what waited on a level pin when it is unmasked", () => {
    const { ioapic, log } = setUp();
    ioapic.assert(20, 1, METER);
    ioapic.write(20, 0x41 | LEVEL, 2 << 24);
    expect(log).toEqual(["vcpu 2 vector 65 row 1"]);
  });

  it("delivers a level once until the EOI, which tells the resamplers", () => {
    const { ioapic, log } = setUp();
    ioapic.write(20, 0x41 | LEVEL, 0);
    ioapic.assert(20, 1, METER);
    ioapic.assert(20, 1, METER);
    expect(log).toEqual(["vcpu 0 vector 65 row 1"]);
    ioapic.eoi(0x41);
    ioapic.assert(20, 1, METER);
    expect(log.slice(1)).toEqual(["acked 20", "vcpu 0 vector 65 row 1"]);
  });

  it("ignores an EOI of a vector that no level pin has", () => {
    const { ioapic, log } = setUp();
    ioapic.write(20, 0x41, 0);
    ioapic.eoi(0x41);
    ioapic.eoi(0x42);
    expect(log).toEqual([]);
  });

  it("keeps the remote IRR out of software's reach", () => {
    const { ioapic, log } = setUp();
    ioapic.write(20, 0x41 | LEVEL, 0);
    ioapic.assert(20, 1, METER);
    // Software writes the entry back with a clear remote IRR: still in service.
    ioapic.write(20, 0x41 | LEVEL, 0);
    expect(log).toHaveLength(1);
    // A switch to edge and back does end it, as the kernel has it.
    ioapic.write(20, 0x41, 0);
    ioapic.write(20, 0x41 | LEVEL, 0);
    expect(log).toHaveLength(2);
  });

  it("ignores pins it does not have", () => {
    const { ioapic } = setUp();
    expect(() => ioapic.write(24, 0, 0)).not.toThrow();
    expect(() => ioapic.write(0xffffffff, MASKED, 0)).not.toThrow();
  });
});
