import { describe, expect, it } from "vitest";
import * as kvm from "../../../../src/uapi/kvm.ts";

function u32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);
}

describe("include/uapi/linux/kvm.h", () => {
  it("encodes direction, size, type and number in its ioctls", () => {
    const iow = (nr: number, size: number): number => (1 << 30) | (size << 16) | (0xae << 8) | nr;
    // struct kvm_irq_routing ends in a flexible array: its size is that of nr and flags.
    expect(kvm.KVM_SET_GSI_ROUTING).toBe(iow(0x6a, 8));
    expect(kvm.KVM_IRQFD).toBe(iow(0x76, 32));
    const ior = (nr: number, size: number): number => 2 ** 31 + (size << 16) + (0xae << 8) + nr;
    expect(kvm.KVM_SET_IRQCHIP).toBe(ior(0x63, 8 + 512));
    expect([kvm.KVM_IRQFD_FLAG_DEASSIGN, kvm.KVM_IRQFD_FLAG_RESAMPLE]).toEqual([1, 2]);
    expect([kvm.KVM_IRQ_ROUTING_IRQCHIP, kvm.KVM_IRQ_ROUTING_MSI]).toEqual([1, 2]);
    expect(kvm.KVM_MAX_IRQ_ROUTES).toBe(4096);
  });

  it("numbers its other ioctls and capabilities so, struct kvm_enable_cap has 104 bytes", () => {
    const io = (nr: number): number => (0xae << 8) | nr;
    expect([kvm.KVM_CHECK_EXTENSION, kvm.KVM_CREATE_IRQCHIP]).toEqual([io(0x03), io(0x60)]);
    expect(kvm.KVM_ENABLE_CAP).toBe((1 << 30) | (104 << 16) | io(0xa3));
    expect(kvm).toMatchObject({
      KVM_ENABLE_CAP_SIZE: 104,
      KVM_CAP_IRQCHIP: 0,
      KVM_CAP_IRQ_ROUTING: 25,
      KVM_CAP_IRQFD: 32,
      KVM_CAP_IRQFD_RESAMPLE: 82,
      KVM_CAP_SPLIT_IRQCHIP: 121,
      KVM_MSI_VALID_DEVID: 1,
      KVM_IRQCHIP_IOAPIC: 2,
    });
  });

  it("struct kvm_irqfd: fd 0, gsi 4, flags 8, resamplefd 12, pad to 32", () => {
    const irqfd = { fd: 9, gsi: 24, flags: 2, resamplefd: -1 };
    const bytes = kvm.encodeIrqfd(irqfd);
    expect(bytes.length).toBe(32);
    expect([0, 4, 8, 12].map((at) => u32(bytes, at))).toEqual([9, 24, 2, 0xffff_ffff]);
    expect(bytes.subarray(16).every((byte) => byte === 0)).toBe(true);
    expect(kvm.decodeIrqfd(bytes)).toEqual(irqfd);
  });

  it("struct kvm_irqchip of an IOAPIC: chip_id 0, irr 24, redirtbl 32; 520 bytes", () => {
    const redirtbl = Array.from({ length: 24 }, (_, pin) => ({ low: 0x10000 + pin, high: pin }));
    const bytes = kvm.encodeIoapic({ irr: 0x20_0400, redirtbl });
    expect(bytes.length).toBe(520);
    expect([0, 24, 32, 36 + 8 * 23].map((at) => u32(bytes, at))).toEqual([
      2, 0x20_0400, 0x10000, 23,
    ]);
    expect(kvm.decodeIoapic(bytes, 24)).toEqual({ irr: 0x20_0400, redirtbl });
    bytes[0] = 0;
    expect(kvm.decodeIoapic(bytes, 24)).toBe(null);
  });

  it("struct kvm_irq_routing_entry: gsi 0, type 4, flags 8, union at 16; 48 bytes each", () => {
    const routes: kvm.KvmRoute[] = [
      { gsi: 5, type: "irqchip", irqchip: 2, pin: 21 },
      { gsi: 25, type: "msi", addressLo: 0xfee0_1000, addressHi: 1, data: 0x4041 },
    ];
    const bytes = kvm.encodeRouting(routes);
    expect(bytes.length).toBe(8 + 2 * 48);
    expect([u32(bytes, 0), u32(bytes, 4)]).toEqual([2, 0]);
    expect([8, 12, 16, 24, 28].map((at) => u32(bytes, at))).toEqual([5, 1, 0, 2, 21]);
    const msi = [56, 60, 64, 72, 76, 80].map((at) => u32(bytes, at));
    expect(msi).toEqual([25, 2, 0, 0xfee0_1000, 1, 0x4041]);
    expect(kvm.decodeRouting(bytes)).toEqual(routes);
    expect(kvm.decodeRouting(kvm.encodeRouting([]))).toEqual([]);
  });

  it("refuses the tables that KVM refuses, and those whose bytes are missing", () => {
    const good = kvm.encodeRouting([{ gsi: 1, type: "irqchip", irqchip: 0, pin: 1 }]);
    const changed = (offset: number, value: number): Uint8Array => {
      const bytes = good.slice();
      new DataView(bytes.buffer).setUint32(offset, value, true);
      return bytes;
    };
    expect(kvm.decodeRouting(good)).not.toBeNull();
    expect(kvm.decodeRouting(changed(4, 1)), "flags of the table").toBeNull();
    expect(kvm.decodeRouting(changed(0, 4097)), "too many").toBeNull();
    expect(kvm.decodeRouting(changed(0, 2)), "more than there are").toBeNull();
    expect(kvm.decodeRouting(changed(8, 4096)), "gsi").toBeNull();
    expect(kvm.decodeRouting(changed(12, 3)), "type").toBeNull();
    expect(kvm.decodeRouting(changed(16, 1)), "flags of an irqchip entry").toBeNull();
    for (let length = 0; length < good.length; length++) {
      expect(kvm.decodeRouting(good.subarray(0, length))).toBeNull();
    }
  });

  it("takes the device flag of an MSI route", () => {
    const bytes = kvm.encodeRouting([{ gsi: 1, type: "msi", addressLo: 0, addressHi: 0, data: 0 }]);
    bytes[16] = kvm.KVM_MSI_VALID_DEVID;
    expect(kvm.decodeRouting(bytes)).not.toBeNull();
    bytes[16] = 2;
    expect(kvm.decodeRouting(bytes)).toBeNull();
  });
});
