/**
 * What PCI/MSI asks of the interrupt domains beneath it (include/linux/msi.h: msi_parent_ops,
 * msi_domain_ops; kernel/irq/msi.c).
 */
import type { ClientIrqs } from "./irq-desc.ts";

/** Address and data a function writes to raise one vector. */
export interface MsiMessage {
  readonly address: number;
  readonly data: number;
}

/** A table and its free entries. */
export interface SharedEntryTable {
  /** As a Shortage names it. */
  readonly name: string;
  readonly free: number;
  readonly size: number;
}

export interface MsiParent {
  /** MSI_FLAG_MULTI_PCI_MSI: without it a function gets one MSI. */
  readonly multiMsi: boolean;
  /** MSI_FLAG_PCI_MSIX_ALLOC_DYN: MSI-X vectors can be added while MSI-X is on. */
  readonly dynamicMsix: boolean;
  /** What a vector more, or less, costs in the domain's tables, ns. */
  readonly vectorNs: number;

  /** pci_setup_msi(x)_device_domain before an enable: 0 or a negative errno. */
  setupDeviceDomain(irqs: ClientIrqs, kind: "msi" | "msix"): number;
  /** msi_domain_prepare_irqs for `count` vectors: 0 or a negative errno. */
  prepare(irqs: ClientIrqs, kind: "msi" | "msix", count: number): number;
  /** The function's driver is gone, and its domain with it; it holds no irq any more. */
  removeDeviceDomain(irqs: ClientIrqs): void;

  /** True if `count` in a row are to be had now, as far as the table beneath goes. */
  fits(irqs: ClientIrqs, count: number): boolean;
  /** The table that MSI-X of the function is served from; the same object where it is shared. */
  tableOf(irqs: ClientIrqs): SharedEntryTable | null;
  /** Indexes first..first+count-1 as one descriptor: 0, or -ENOSPC and nothing is held. */
  allocDesc(irqs: ClientIrqs, first: number, count: number): number;
  freeDesc(irqs: ClientIrqs, first: number, count: number): void;
  /** What activation takes for an irq that has `irqs.vectors` at -1: 0 or -ENOSPC. */
  assignVector(irqs: ClientIrqs, index: number): number;
  returnVector(irqs: ClientIrqs, index: number): void;
  /** irq_chip_compose_msi_msg for the descriptor that begins at `index`. */
  composeMessage(irqs: ClientIrqs, index: number): MsiMessage;
}

/** A power of two that holds `count`: roundup_pow_of_two, 1 for nothing. */
export function roundUpPowerOfTwo(count: number): number {
  return count <= 1 ? 1 : 2 ** (32 - Math.clz32(count - 1));
}
