/** The PCI function a VMM shows its guest: what it emulates itself, made from the physical one. */
import type { BarSpec } from "../../../src/pci/config-space.ts";
import { type CapabilitySpec, PciFunction } from "../../../src/pci/function.ts";
import type { BarPlace, MsixCapability } from "../../../src/pci/msix.ts";
import {
  PCI_BASE_ADDRESS_0,
  PCI_BASE_ADDRESS_MEM_PREFETCH,
  PCI_BASE_ADDRESS_MEM_TYPE_64,
  PCI_BASE_ADDRESS_SPACE_IO,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_PM,
  PCI_CAP_LIST_ID,
  PCI_CAP_LIST_NEXT,
  PCI_CAP_MSIX_SIZEOF,
  PCI_CAPABILITY_LIST,
  PCI_CFG_SPACE_SIZE,
  PCI_CLASS_REVISION,
  PCI_DEVICE_ID,
  PCI_EXP_DEVCAP,
  PCI_EXP_DEVCAP_FLR,
  PCI_INTERRUPT_LINE,
  PCI_INTERRUPT_PIN,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_64BIT,
  PCI_MSI_FLAGS_MASKBIT,
  PCI_MSI_FLAGS_QMASK,
  PCI_MSIX_ENTRY_SIZE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_QSIZE,
  PCI_MSIX_PBA,
  PCI_MSIX_TABLE,
  PCI_MSIX_TABLE_BIR,
  PCI_PM_CTRL,
  PCI_PM_CTRL_NO_SOFT_RESET,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
  PCI_STD_HEADER_SIZEOF,
  PCI_STD_NUM_BARS,
  PCI_SUBSYSTEM_ID,
  PCI_SUBSYSTEM_VENDOR_ID,
  PCI_VENDOR_ID,
} from "../../../src/uapi/pci-regs.ts";

/** A list that is longer than config space has room for is a loop. */
const CAPABILITIES_MAX = 48;

/** Config space as the device answered it at realize. */
class Snapshot {
  readonly #bytes: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(at: number): number {
    return this.#bytes.getUint8(at);
  }

  u16(at: number): number {
    return this.#bytes.getUint16(at, true);
  }

  u32(at: number): number {
    return this.#bytes.getUint32(at, true);
  }

  /** Offset of the capability `id`, or 0. */
  findCapability(id: number): number {
    if ((this.u16(PCI_STATUS) & PCI_STATUS_CAP_LIST) === 0) return 0;
    let at = this.u8(PCI_CAPABILITY_LIST) & ~3;
    for (let i = 0; i < CAPABILITIES_MAX && at >= PCI_STD_HEADER_SIZEOF; i++) {
      if (this.u8(at + PCI_CAP_LIST_ID) === id) return at;
      at = this.u8(at + PCI_CAP_LIST_NEXT) & ~3;
    }
    return 0;
  }

  bars(sizes: readonly number[]): BarSpec[] {
    const bars: BarSpec[] = [];
    for (let index = 0; index < PCI_STD_NUM_BARS; index++) {
      const size = sizes[index] ?? 0;
      if (size === 0) continue;
      const flags = this.u32(PCI_BASE_ADDRESS_0 + 4 * index);
      const io = (flags & PCI_BASE_ADDRESS_SPACE_IO) !== 0;
      const wide = !io && (flags & PCI_BASE_ADDRESS_MEM_TYPE_64) !== 0;
      const prefetchable = !io && (flags & PCI_BASE_ADDRESS_MEM_PREFETCH) !== 0;
      bars.push({ index, kind: io ? "io" : wide ? "mem64" : "mem32", size, prefetchable });
      if (wide) index++;
    }
    return bars;
  }

  /** vfio_msi_setup and vfio_msix_setup: the same capabilities at the same places. */
  capabilities(): CapabilitySpec[] {
    const capabilities: CapabilitySpec[] = [];
    const msi = this.findCapability(PCI_CAP_ID_MSI);
    const msix = this.findCapability(PCI_CAP_ID_MSIX);
    if (msi !== 0) {
      const flags = this.u16(msi + PCI_MSI_FLAGS);
      capabilities.push({
        kind: "msi",
        offset: msi,
        vectors: 1 << ((flags & PCI_MSI_FLAGS_QMASK) >> 1),
        a64: (flags & PCI_MSI_FLAGS_64BIT) !== 0,
        perVectorMask: (flags & PCI_MSI_FLAGS_MASKBIT) !== 0,
      });
    }
    if (msix !== 0) {
      capabilities.push({
        kind: "msix",
        offset: msix,
        vectors: (this.u16(msix + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1,
        table: this.#barPlace(msix + PCI_MSIX_TABLE),
        pba: this.#barPlace(msix + PCI_MSIX_PBA),
      });
    }
    return capabilities;
  }

  /** vfio_check_pcie_flr, vfio_check_pm_reset. */
  resetMeans(): ResetMeans {
    const express = this.findCapability(PCI_CAP_ID_EXP);
    const pm = this.findCapability(PCI_CAP_ID_PM);
    return {
      flr: express !== 0 && (this.u32(express + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR) !== 0,
      pm: pm !== 0 && (this.u16(pm + PCI_PM_CTRL) & PCI_PM_CTRL_NO_SOFT_RESET) === 0,
    };
  }

  #barPlace(at: number): BarPlace {
    const word = this.u32(at);
    return { bar: word & PCI_MSIX_TABLE_BIR, offset: (word & ~PCI_MSIX_TABLE_BIR) >>> 0 };
  }
}

/** How the device can be reset by itself. */
export interface ResetMeans {
  readonly flr: boolean;
  /** D3hot and back loses its state. */
  readonly pm: boolean;
}

/** What config space says about resets. */
export function resetMeans(config: Uint8Array): ResetMeans {
  return new Snapshot(config).resetMeans();
}

/** Builds the emulated function from the device's config space and BAR sizes in bytes. */
export function emulatedFunction(
  name: string,
  config: Uint8Array,
  barSizes: readonly number[],
): PciFunction {
  const physical = new Snapshot(config);
  return new PciFunction({
    name,
    vendorId: physical.u16(PCI_VENDOR_ID),
    deviceId: physical.u16(PCI_DEVICE_ID),
    classCode: physical.u32(PCI_CLASS_REVISION) >>> 8,
    revisionId: physical.u8(PCI_CLASS_REVISION),
    subsystemVendorId: physical.u16(PCI_SUBSYSTEM_VENDOR_ID),
    subsystemId: physical.u16(PCI_SUBSYSTEM_ID),
    interruptPin: physical.u8(PCI_INTERRUPT_PIN),
    bars: physical.bars(barSizes),
    capabilities: physical.capabilities(),
  });
}

function overlaps(at: number, size: number, start: number, length: number): boolean {
  return at < start + length && at + size > start;
}

/** True if a write of these bytes can change the emulated MSI capability. */
export function touchesMsi(fn: PciFunction, at: number, size: number): boolean {
  return fn.msi !== null && overlaps(at, size, fn.msi.offset, msiLength(fn));
}

export function touchesMsix(fn: PciFunction, at: number, size: number): boolean {
  return fn.msix !== null && overlaps(at, size, fn.msix.offset, PCI_CAP_MSIX_SIZEOF);
}

function msiLength(fn: PciFunction): number {
  return 10 + (fn.msi!.a64 ? 4 : 0) + (fn.msi!.maskable ? 10 : 0);
}

/**
 * True if QEMU answers for this byte itself: BARs, interrupt line and pin, MSI and MSI-X except for
 * their place in the capability list. All others are read from the device.
 */
export function emulatesByte(fn: PciFunction, at: number): boolean {
  if (at >= PCI_CFG_SPACE_SIZE) return false;
  if (overlaps(at, 1, PCI_BASE_ADDRESS_0, PCI_STD_NUM_BARS * 4)) return true;
  if (at === PCI_INTERRUPT_LINE || at === PCI_INTERRUPT_PIN) return true;
  const { msi, msix } = fn;
  if (msi !== null && overlaps(at, 1, msi.offset + 2, msiLength(fn) - 2)) return true;
  return msix !== null && overlaps(at, 1, msix.offset + 2, PCI_CAP_MSIX_SIZEOF - 2);
}

export function holdsTable(msix: MsixCapability | null, bar: number, at: number): boolean {
  if (msix === null || msix.table.bar !== bar) return false;
  return overlaps(at, 1, msix.table.offset, msix.tableBytes);
}

export function holdsPba(msix: MsixCapability | null, bar: number, at: number): boolean {
  return msix !== null && msix.pba.bar === bar && overlaps(at, 1, msix.pba.offset, msix.pbaBytes);
}

/** Vector whose table entry holds the offset in the table's BAR. */
export function vectorAt(msix: MsixCapability, at: number): number {
  return Math.floor((at - msix.table.offset) / PCI_MSIX_ENTRY_SIZE);
}
