/** Interrupt remapping of QEMU's intel-iommu (hw/i386/intel_iommu.c; VT-d spec., chapter 5). */
import type { RemappingEntry } from "../types.ts";
import type { MsiMessage } from "./kvm-irqchip.ts";

/** Remappable format (VT-d, 5.1.2.2): index in address bits 19:5 and 2, subhandle in the data. */
const FORMAT_REMAPPABLE = 1 << 4;
const SUBHANDLE_VALID = 1 << 3;
const INDEX_HIGH = 1 << 2;
const INDEX_LOW_SHIFT = 5;
const INDEX_LOW_MASK = 0x7fff;
const INDEX_HIGH_SHIFT = 15;
/** Where messages to local APICs go (SDM vol. 3, 11.11). */
const APIC_ADDRESS = 0xfee00000;
const DESTINATION_SHIFT = 12;

/** The entries of the guest's table that are present. */
export class InterruptRemapping {
  readonly #entries = new Map<number, RemappingEntry>();

  /** The guest wrote entry `index` and has invalidated it; null: no longer present. */
  write(index: number, entry: RemappingEntry | null): void {
    if (entry === null) this.#entries.delete(index);
    else this.#entries.set(index, entry);
  }

  /**
   * vtd_interrupt_remap_msi: the message that reaches the local APICs, or null where the table has
   * no entry for it. One in compatibility format passes as it is.
   */
  remap(message: MsiMessage): MsiMessage | null {
    const { addressLo, data } = message;
    if ((addressLo & FORMAT_REMAPPABLE) === 0) return message;
    const low = (addressLo >>> INDEX_LOW_SHIFT) & INDEX_LOW_MASK;
    const high = (addressLo & INDEX_HIGH) === 0 ? 0 : 1;
    const subhandle = (addressLo & SUBHANDLE_VALID) === 0 ? 0 : data & 0xffff;
    const entry = this.#entries.get(low + (high << INDEX_HIGH_SHIFT) + subhandle);
    if (entry === undefined) return null;
    const address = APIC_ADDRESS + entry.vcpu * 2 ** DESTINATION_SHIFT;
    return { addressLo: address, addressHi: 0, data: entry.vector };
  }

  /** Reset of the vIOMMU: no table. */
  reset(): void {
    this.#entries.clear();
  }
}
