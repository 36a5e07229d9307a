/** Where a guest irq is programmed: an MSI-X table entry, the MSI capability, or an IOAPIC pin. */
import type { Process } from "../../src/time/process.ts";
import type { PciDevice } from "./pci-device.ts";
import {
  MSI_ADDRESS_BASE,
  MSI_ADDRESS_DEST_SHIFT,
  MSI_ADDRESS_INDEX_HIGH,
  MSI_ADDRESS_REMAPPABLE,
  MSI_ADDRESS_SUBHANDLE,
  MSI_INDEX_HIGH_SHIFT,
  MSI_INDEX_LOW,
  MSI_INDEX_LOW_SHIFT,
  PCI_MSI_ADDRESS_HI,
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_DATA_32,
  PCI_MSI_DATA_64,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_64BIT,
  PCI_MSI_FLAGS_MASKBIT,
  PCI_MSI_FLAGS_QSIZE,
  PCI_MSI_FLAGS_QSIZE_SHIFT,
  PCI_MSI_MASK_32,
  PCI_MSI_MASK_64,
  PCI_MSIX_ENTRY_CTRL_MASKBIT,
  PCI_MSIX_ENTRY_DATA,
  PCI_MSIX_ENTRY_LOWER_ADDR,
  PCI_MSIX_ENTRY_SIZE,
  PCI_MSIX_ENTRY_UPPER_ADDR,
  PCI_MSIX_ENTRY_VECTOR_CTRL,
} from "./pci-regs.ts";
import { SHUTDOWN_VECTOR, type Slot } from "./vector-matrix.ts";

/** The slot that a message of zeros stands for: the irq is deactivated. */
export const NO_SLOT: Slot = -1;
/** Allocated, but not requested: vCPU 0, the shutdown vector. */
export const SHUTDOWN_SLOT: Slot = SHUTDOWN_VECTOR;

/** What a function writes to interrupt; the upper address is 0 on a guest's x86. */
export interface Message {
  readonly address: number;
  readonly data: number;
}

const NO_MESSAGE: Message = { address: 0, data: 0 };

/** __irq_msi_compose_msg: physical destination, fixed delivery. */
export function compatibleMessage(slot: Slot): Message {
  if (slot === NO_SLOT) return NO_MESSAGE;
  const address = MSI_ADDRESS_BASE + (slot >> 8) * 2 ** MSI_ADDRESS_DEST_SHIFT;
  return { address, data: slot & 0xff };
}

/** fill_msi_msg of drivers/iommu/intel/irq_remapping.c: the message of entry `index`. */
export function remappableMessage(index: number): Message {
  const low = (index & MSI_INDEX_LOW) << MSI_INDEX_LOW_SHIFT;
  const high = (index >> MSI_INDEX_HIGH_SHIFT) & 1 ? MSI_ADDRESS_INDEX_HIGH : 0;
  const format = MSI_ADDRESS_REMAPPABLE | MSI_ADDRESS_SUBHANDLE;
  return { address: MSI_ADDRESS_BASE + (low | high | format), data: 0 };
}

export interface IrqChip {
  /** Level-triggered: the vCPU's EOI leaves the guest. */
  readonly level: boolean;
  /** It can be masked, so its vector need not be assigned before it is requested. */
  readonly maskable: boolean;
  /** Points the irq at a vCPU and vector. */
  write(vector: number, slot: Slot, message: Message): Process;
  mask(vector: number): Process;
  unmask(vector: number): Process;
}

/** drivers/pci/msi/msi.c: pci_write_msg_msix, pci_msix_mask; `bar` and `base` place the table. */
export class MsixTable implements IrqChip {
  readonly level = false;
  readonly maskable = true;
  readonly #dev: PciDevice;
  readonly #bar: number;
  readonly #base: number;

  constructor(dev: PciDevice, bar: number, base: number) {
    this.#dev = dev;
    this.#bar = bar;
    this.#base = base;
  }

  *write(vector: number, _slot: Slot, { address, data }: Message): Process {
    yield* this.#put(vector, PCI_MSIX_ENTRY_LOWER_ADDR, address);
    yield* this.#put(vector, PCI_MSIX_ENTRY_UPPER_ADDR, 0);
    yield* this.#put(vector, PCI_MSIX_ENTRY_DATA, data);
  }

  *mask(vector: number): Process {
    yield* this.#put(vector, PCI_MSIX_ENTRY_VECTOR_CTRL, PCI_MSIX_ENTRY_CTRL_MASKBIT);
  }

  *unmask(vector: number): Process {
    yield* this.#put(vector, PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
  }

  *#put(vector: number, field: number, value: number): Process {
    const { vm, fn } = this.#dev;
    const offset = this.#base + vector * PCI_MSIX_ENTRY_SIZE + field;
    yield* vm.mmioWrite(fn, this.#bar, offset, 4, value);
  }
}

/** pci_write_msg_msi. Several vectors share one message, whose low data bits tell them apart. */
export class MsiCapability implements IrqChip {
  readonly level = false;
  readonly maskable: boolean;
  readonly #dev: PciDevice;
  readonly #cap: number;
  readonly #wide: boolean;
  /** Multiple Message Enable: the power of two of vectors. */
  readonly #order: number;
  /** msi_mask: a bit a vector. */
  #masks = 0;

  /** `flags` is the capability's message control; `order` the power of two of vectors. */
  constructor(dev: PciDevice, cap: number, flags: number, order: number) {
    this.#dev = dev;
    this.#cap = cap;
    this.#wide = (flags & PCI_MSI_FLAGS_64BIT) !== 0;
    this.maskable = (flags & PCI_MSI_FLAGS_MASKBIT) !== 0;
    this.#order = order;
  }

  *write(vector: number, _slot: Slot, { address, data }: Message): Process {
    if (vector > 0) return;
    const dev = this.#dev;
    const flags = yield* dev.read(this.#cap + PCI_MSI_FLAGS, 2);
    const granted = this.#order << PCI_MSI_FLAGS_QSIZE_SHIFT;
    yield* dev.write(this.#cap + PCI_MSI_FLAGS, 2, (flags & ~PCI_MSI_FLAGS_QSIZE) | granted);
    yield* dev.write(this.#cap + PCI_MSI_ADDRESS_LO, 4, address);
    if (this.#wide) yield* dev.write(this.#cap + PCI_MSI_ADDRESS_HI, 4, 0);
    const at = this.#wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32;
    yield* dev.write(this.#cap + at, 2, data);
  }

  *mask(vector: number): Process {
    yield* this.#setMask(this.#masks | (1 << vector));
  }

  *unmask(vector: number): Process {
    yield* this.#setMask(this.#masks & ~(1 << vector));
  }

  /** msi_multi_mask: every vector that is granted. */
  *maskAll(isMasked: boolean): Process {
    const all = 2 ** (2 ** this.#order) - 1;
    yield* this.#setMask(isMasked ? all : 0);
  }

  /** pci_msi_update_mask: writes the bits as they are. */
  *restoreMask(): Process {
    yield* this.#setMask(this.#masks);
  }

  *#setMask(bits: number): Process {
    if (!this.maskable) return;
    this.#masks = bits;
    const mask = this.#wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32;
    yield* this.#dev.write(this.#cap + mask, 4, bits >>> 0);
  }
}

/** 82093AA redirection entry, low word. */
const IOAPIC_ACTIVE_LOW = 1 << 13;
const IOAPIC_LEVEL = 1 << 15;
const IOAPIC_MASKED = 1 << 16;
const IOAPIC_DEST_SHIFT = 24;

/** arch/x86/kernel/apic/io_apic.c: the pin a function's INTx arrives at. */
export class IoapicPin implements IrqChip {
  readonly level = true;
  readonly maskable = true;
  readonly #dev: PciDevice;
  #slot: Slot = NO_SLOT;

  constructor(dev: PciDevice) {
    this.#dev = dev;
  }

  *write(_vector: number, slot: Slot): Process {
    this.#slot = slot;
    yield* this.#entry(IOAPIC_MASKED);
  }

  *mask(_vector: number): Process {
    yield* this.#entry(IOAPIC_MASKED);
  }

  *unmask(_vector: number): Process {
    yield* this.#entry(0);
  }

  *#entry(masked: number): Process {
    const { vm, fn } = this.#dev;
    if (this.#slot === NO_SLOT) yield* vm.ioapicWrite(fn.intxPin, IOAPIC_MASKED, 0);
    else {
      const low = (this.#slot & 0xff) | IOAPIC_ACTIVE_LOW | IOAPIC_LEVEL | masked;
      yield* vm.ioapicWrite(fn.intxPin, low, (this.#slot >> 8) << IOAPIC_DEST_SHIFT);
    }
  }
}
