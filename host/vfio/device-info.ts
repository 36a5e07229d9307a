/** GET_INFO, GET_REGION_INFO, GET_IRQ_INFO (drivers/vfio/pci/vfio_pci_core.c). */
import { EFAULT, EINVAL } from "../../src/base/errno.ts";
import type { PciFunction } from "../../src/pci/function.ts";
import { PCI_CAP_ID_EXP } from "../../src/uapi/pci-regs.ts";
import {
  DEVICE_INFO_MINSZ,
  decodeDeviceInfo,
  decodeIrqInfo,
  decodeRegionInfo,
  encodeRegionInfo,
  IRQ_INFO_SIZE,
  packWords,
  REGION_INFO_SIZE,
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_IRQ_INFO_AUTOMASKED,
  VFIO_IRQ_INFO_EVENTFD,
  VFIO_IRQ_INFO_MASKABLE,
  VFIO_IRQ_INFO_NORESIZE,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_ERR_IRQ_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_NUM_IRQS,
  VFIO_PCI_NUM_REGIONS,
  VFIO_PCI_OFFSET_UNIT,
  VFIO_PCI_REQ_IRQ_INDEX,
  VFIO_PCI_VGA_REGION_INDEX,
  VFIO_REGION_INFO_FLAG_MMAP,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
} from "../../src/uapi/vfio.ts";
import type { CallResult } from "../process/system-calls.ts";

/** Smaller BARs share a page with others and are not mapped. */
const PAGE_SIZE = 4096;

export function isPciExpress(fn: PciFunction): boolean {
  return fn.config.findCapability(PCI_CAP_ID_EXP) !== 0;
}

/** vfio_pci_get_irq_count; `line` is the IO-APIC pin, or -1 without INTx. */
export function irqCount(fn: PciFunction, line: number, index: number): number {
  switch (index) {
    case VFIO_PCI_INTX_IRQ_INDEX:
      return line < 0 ? 0 : 1;
    case VFIO_PCI_MSI_IRQ_INDEX:
      return fn.msi?.vectors ?? 0;
    case VFIO_PCI_MSIX_IRQ_INDEX:
      return fn.msix?.vectors ?? 0;
    case VFIO_PCI_ERR_IRQ_INDEX:
      return isPciExpress(fn) ? 1 : 0;
    case VFIO_PCI_REQ_IRQ_INDEX:
      return 1;
    default:
      return 0;
  }
}

export function getInfo(arg: Uint8Array, resetWorks: boolean): CallResult {
  if (arg.length < DEVICE_INFO_MINSZ) return { ret: -EFAULT };
  const { argsz } = decodeDeviceInfo(arg);
  if (argsz < DEVICE_INFO_MINSZ) return { ret: -EINVAL };
  const flags = VFIO_DEVICE_FLAGS_PCI | (resetWorks ? VFIO_DEVICE_FLAGS_RESET : 0);
  return { ret: 0, data: packWords([argsz, flags, VFIO_PCI_NUM_REGIONS, VFIO_PCI_NUM_IRQS]) };
}

export function getIrqInfo(
  arg: Uint8Array,
  fn: PciFunction,
  line: number,
  hasDynMsix: boolean,
): CallResult {
  if (arg.length < IRQ_INFO_SIZE) return { ret: -EFAULT };
  const { argsz, index } = decodeIrqInfo(arg);
  if (argsz < IRQ_INFO_SIZE || index >= VFIO_PCI_NUM_IRQS) return { ret: -EINVAL };
  if (index === VFIO_PCI_ERR_IRQ_INDEX && !isPciExpress(fn)) return { ret: -EINVAL };
  let flags = VFIO_IRQ_INFO_EVENTFD;
  if (index === VFIO_PCI_INTX_IRQ_INDEX) flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
  else if (index !== VFIO_PCI_MSIX_IRQ_INDEX || !hasDynMsix) flags |= VFIO_IRQ_INFO_NORESIZE;
  return { ret: 0, data: packWords([argsz, flags, index, irqCount(fn, line, index)]) };
}

/**
 * Sizes and flags of a region. The capability that lets userspace map over the MSI-X table is not
 * offered: nothing is mapped here but doorbells.
 */
export function getRegionInfo(arg: Uint8Array, fn: PciFunction): CallResult {
  if (arg.length < REGION_INFO_SIZE) return { ret: -EFAULT };
  const { argsz, index } = decodeRegionInfo(arg);
  if (argsz < REGION_INFO_SIZE || index >= VFIO_PCI_NUM_REGIONS) return { ret: -EINVAL };
  if (index === VFIO_PCI_VGA_REGION_INDEX) return { ret: -EINVAL };
  const size =
    index === VFIO_PCI_CONFIG_REGION_INDEX ? fn.config.size : (fn.config.bar(index)?.size ?? 0);
  let flags = size === 0 ? 0 : VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
  if (fn.config.bar(index)?.kind !== "io" && index < 6 && size >= PAGE_SIZE) {
    flags |= VFIO_REGION_INFO_FLAG_MMAP;
  }
  const offset = index * VFIO_PCI_OFFSET_UNIT;
  return { ret: 0, data: encodeRegionInfo({ argsz, flags, index, size, offset }) };
}
