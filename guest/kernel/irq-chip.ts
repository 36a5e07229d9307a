/** Where a guest irq is programmed: an MSI-X table entry, the MSI capability, or an IOAPIC pin. */
import type { Process } from "../../src/time/process.ts";
import type { PciDevice } from "./pci-device.ts";
import {
  MSI_ADDRESS_BASE,
  MSI_ADDRESS_DEST_SHIFT,
  PCI_MSI_ADDRESS_HI,
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_DATA_32,
  PCI_MSI_DATA_64,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_64BIT,
  PCI_MSI_FLAGS_MASKBIT,
  PCI_MSI_FLAGS_QSIZE,
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

export interface IrqChip {
  /** Level-triggered: the vCPU's EOI leaves the guest. */
  readonly level: boolean;
  /** Points the irq at a vCPU and vector. */
  write(vector: number, slot: Slot): Process;
  mask(vector: number): Process;
  unmask(vector: number): Process;
}

function addressOf(slot: Slot): number {
  return slot === NO_SLOT ? 0 : MSI_ADDRESS_BASE + ((slot >> 8) << MSI_ADDRESS_DEST_SHIFT);
}

function dataOf(slot: Slot): number {
  return slot === NO_SLOT ? 0 : slot & 0xff;
}

/** drivers/pci/msi/msi.c: pci_write_msg_msix, pci_msix_mask; `bar` and `base` place the table. */
export class MsixTable implements IrqChip {
  readonly level = false;
  readonly #dev: PciDevice;
  readonly #bar: number;
  readonly #base: number;

  constructor(dev: PciDevice, bar: number, base: number) {
    this.#dev = dev;
    this.#bar = bar;
    this.#base = base;
  }

  *write(vector: number, slot: Slot): Process {
    yield* this.#put(vector, PCI_MSIX_ENTRY_LOWER_ADDR, addressOf(slot));
    yield* this.#put(vector, PCI_MSIX_ENTRY_UPPER_ADDR, 0);
    yield* this.#put(vector, PCI_MSIX_ENTRY_DATA, dataOf(slot));
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

/** pci_write_msg_msi: one vector, since a guest without interrupt remapping gets no more. */
export class MsiCapability implements IrqChip {
  readonly level = false;
  readonly #dev: PciDevice;
  readonly #cap: number;
  readonly #wide: boolean;
  readonly #maskable: boolean;

  /** `flags` is the capability's message control. */
  constructor(dev: PciDevice, cap: number, flags: number) {
    this.#dev = dev;
    this.#cap = cap;
    this.#wide = (flags & PCI_MSI_FLAGS_64BIT) !== 0;
    this.#maskable = (flags & PCI_MSI_FLAGS_MASKBIT) !== 0;
  }

  *write(_vector: number, slot: Slot): Process {
    const dev = this.#dev;
    const flags = yield* dev.read(this.#cap + PCI_MSI_FLAGS, 2);
    yield* dev.write(this.#cap + PCI_MSI_FLAGS, 2, flags & ~PCI_MSI_FLAGS_QSIZE);
    yield* dev.write(this.#cap + PCI_MSI_ADDRESS_LO, 4, addressOf(slot));
    if (this.#wide) yield* dev.write(this.#cap + PCI_MSI_ADDRESS_HI, 4, 0);
    const data = this.#wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32;
    yield* dev.write(this.#cap + data, 2, dataOf(slot));
  }

  *mask(_vector: number): Process {
    yield* this.#setMask(1);
  }

  *unmask(_vector: number): Process {
    yield* this.#setMask(0);
  }

  *#setMask(bits: number): Process {
    if (!this.#maskable) return;
    const mask = this.#wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32;
    yield* this.#dev.write(this.#cap + mask, 4, bits);
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
