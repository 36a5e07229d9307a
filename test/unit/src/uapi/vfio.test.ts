import { describe, expect, it } from "vitest";
import { EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE } from "../../../../src/uapi/eventfd.ts";
import * as vfio from "../../../../src/uapi/vfio.ts";

/** Bytes with the value of each u32 field of a struct at its offset in the header. */
function struct(size: number, fields: Readonly<Record<number, number>>): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const [offset, value] of Object.entries(fields)) {
    for (let i = 0; i < 4; i++) bytes[Number(offset) + i] = (value >>> (8 * i)) & 0xff;
  }
  return bytes;
}

describe("include/uapi/linux/vfio.h", () => {
  it("numbers its ioctls from 100 with type ';' and neither size nor direction", () => {
    const io = (nr: number): number => (";".charCodeAt(0) << 8) | nr;
    expect(vfio.VFIO_DEVICE_GET_INFO).toBe(io(100 + 7));
    expect(vfio.VFIO_DEVICE_GET_REGION_INFO).toBe(io(100 + 8));
    expect(vfio.VFIO_DEVICE_GET_IRQ_INFO).toBe(io(100 + 9));
    expect(vfio.VFIO_DEVICE_SET_IRQS).toBe(io(100 + 10));
    expect(vfio.VFIO_DEVICE_RESET).toBe(io(100 + 11));
    expect(vfio.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO).toBe(io(100 + 12));
    expect(vfio.VFIO_DEVICE_PCI_HOT_RESET).toBe(io(100 + 13));
    // argsz, flags, count; group_id, segment, bus and devfn of each dependent device.
    expect([vfio.HOT_RESET_MINSZ, vfio.HOT_RESET_DEVICE_SIZE]).toEqual([12, 8]);
  });

  it("has these flag values", () => {
    expect(vfio).toMatchObject({
      VFIO_DEVICE_FLAGS_RESET: 1,
      VFIO_DEVICE_FLAGS_PCI: 2,
      VFIO_REGION_INFO_FLAG_READ: 1,
      VFIO_REGION_INFO_FLAG_WRITE: 2,
      VFIO_REGION_INFO_FLAG_MMAP: 4,
      VFIO_REGION_INFO_FLAG_CAPS: 8,
      VFIO_IRQ_INFO_EVENTFD: 1,
      VFIO_IRQ_INFO_MASKABLE: 2,
      VFIO_IRQ_INFO_AUTOMASKED: 4,
      VFIO_IRQ_INFO_NORESIZE: 8,
      VFIO_IRQ_SET_DATA_NONE: 1,
      VFIO_IRQ_SET_DATA_BOOL: 2,
      VFIO_IRQ_SET_DATA_EVENTFD: 4,
      VFIO_IRQ_SET_ACTION_MASK: 8,
      VFIO_IRQ_SET_ACTION_UNMASK: 16,
      VFIO_IRQ_SET_ACTION_TRIGGER: 32,
      VFIO_IRQ_SET_DATA_TYPE_MASK: 1 + 2 + 4,
      VFIO_IRQ_SET_ACTION_TYPE_MASK: 8 + 16 + 32,
    });
  });

  it("has these indexes", () => {
    expect(vfio).toMatchObject({
      VFIO_PCI_BAR0_REGION_INDEX: 0,
      VFIO_PCI_ROM_REGION_INDEX: 6,
      VFIO_PCI_CONFIG_REGION_INDEX: 7,
      VFIO_PCI_VGA_REGION_INDEX: 8,
      VFIO_PCI_NUM_REGIONS: 9,
      VFIO_PCI_INTX_IRQ_INDEX: 0,
      VFIO_PCI_MSI_IRQ_INDEX: 1,
      VFIO_PCI_MSIX_IRQ_INDEX: 2,
      VFIO_PCI_ERR_IRQ_INDEX: 3,
      VFIO_PCI_REQ_IRQ_INDEX: 4,
      VFIO_PCI_NUM_IRQS: 5,
    });
    expect(vfio.VFIO_IRQ_INDEX_NAMES[vfio.VFIO_PCI_MSIX_IRQ_INDEX]).toBe("MSIX");
    expect(vfio.VFIO_PCI_OFFSET_UNIT).toBe(1_099_511_627_776);
  });

  it("struct vfio_irq_set: argsz 0, flags 4, index 8, start 12, count 16, data 20", () => {
    const header = { argsz: 28, flags: 0x24, index: 2, start: 3, count: 0xffff_fffe };
    const arg = vfio.encodeIrqSet(header, vfio.packFds([7, -1]));
    const words = struct(28, { 0: 28, 4: 0x24, 8: 2, 12: 3, 16: -2, 20: 7, 24: -1 });
    expect(arg).toEqual(words);
    expect(vfio.decodeIrqSetHeader(arg)).toEqual(header);
    expect([vfio.fdAt(arg, 0), vfio.fdAt(arg, 1)]).toEqual([7, -1]);
    expect(vfio.IRQ_SET_MINSZ).toBe(20);
  });

  it("struct vfio_irq_info: argsz 0, flags 4, index 8, count 12; 16 bytes", () => {
    expect(vfio.IRQ_INFO_SIZE).toBe(16);
    expect(vfio.decodeIrqInfo(struct(16, { 0: 16, 4: 9, 8: 2, 12: 2048 }))).toEqual({
      argsz: 16,
      flags: 9,
      index: 2,
      count: 2048,
    });
  });

  it("struct vfio_device_info: argsz 0, flags 4, num_regions 8, num_irqs 12; minsz 16", () => {
    expect(vfio.DEVICE_INFO_MINSZ).toBe(16);
    expect(vfio.decodeDeviceInfo(struct(20, { 0: 20, 4: 3, 8: 9, 12: 5 }))).toEqual({
      argsz: 20,
      flags: 3,
      numRegions: 9,
      numIrqs: 5,
    });
  });

  it("struct vfio_region_info: u64 size at 16, u64 offset at 24; 32 bytes", () => {
    expect(vfio.REGION_INFO_SIZE).toBe(32);
    const info = { argsz: 32, flags: 7, index: 7, size: 4096, offset: 7 * 2 ** 40 };
    const bytes = vfio.encodeRegionInfo(info);
    // 7 << 40 is 0x700 in the high word.
    expect(bytes).toEqual(struct(32, { 0: 32, 4: 7, 8: 7, 16: 4096, 28: 0x700 }));
    expect(vfio.decodeRegionInfo(bytes)).toEqual(info);
  });

  it("reads structs out of larger buffers at their own offset", () => {
    const outer = new Uint8Array(40);
    const inner = outer.subarray(20, 36);
    inner.set(struct(16, { 12: 0x8000_0001 }));
    expect(vfio.decodeIrqInfo(inner).count).toBe(0x8000_0001);
    expect(vfio.wordAt(inner, 12)).toBe(0x8000_0001);
  });
});

describe("include/uapi/linux/eventfd.h", () => {
  it("has the flag values of fcntl.h", () => {
    expect([EFD_SEMAPHORE, EFD_NONBLOCK, EFD_CLOEXEC]).toEqual([1, 0x800, 0x80000]);
  });
});
