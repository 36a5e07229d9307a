/** AMD-Vi interrupt remapping: a table for each requester ID (drivers/iommu/amd/iommu.c). */
import { ENOSPC } from "../../src/base/errno.ts";
import type { TableInspection } from "../../src/run/contract.ts";
import type { Tracer } from "../../src/trace/trace.ts";
import { type MsiMessage, roundUpPowerOfTwo } from "./msi-parent.ts";
import { type EntryKind, EntryTable, type IrqRemapping, type Requester } from "./remapping.ts";
import { BOOT_HOLDER, type Shortages } from "./shortage.ts";

/** MAX_IRQS_PER_TABLE; later kernels make tables of 2K where the IOMMU can (NumIntRemapSup). */
export const IRQS_PER_TABLE = 512;
export const IRQS_PER_TABLE_2K = 2048;

/** The IO-APIC's table begins with entries for its own redirection table. */
const IOAPIC_RESERVED = 32;
const MSI_ADDRESS_BASE = 0xfee00000;
/** Destination mode bit of the address, always set with tables of 2K. */
const DEST_MODE_LOGICAL = 0x4;

/**
 * A device's first interrupt makes its table, which then stays. Devices behind one PCIe-to-PCI
 * bridge have one requester ID and so share one; nobody else's fill is anybody's loss.
 */
export class AmdIrqRemapping implements IrqRemapping {
  /** AVIC posts in its own way: see host/kvm/posted.ts. */
  readonly canPost = false;
  readonly entriesPerTable: number;
  readonly #tracer: Tracer;
  readonly #shortages: Shortages;
  readonly #tables = new Map<string, EntryTable>();
  readonly #ioApic: EntryTable;
  #used: number;

  /** `boot` entries are the machine's own: IO-APIC pins, and its ports' MSI-X. */
  constructor(entriesPerTable: number, boot: number, tracer: Tracer, shortages: Shortages) {
    this.entriesPerTable = entriesPerTable;
    this.#tracer = tracer;
    this.#shortages = shortages;
    this.#ioApic = new EntryTable("IO-APIC", IOAPIC_RESERVED + IRQS_PER_TABLE);
    this.#ioApic.take(0, IOAPIC_RESERVED + boot, BOOT_HOLDER);
    this.#used = boot;
  }

  /** Interrupts' entries: those that the IO-APIC has reserved are none. */
  get used(): number {
    return this.#used;
  }

  get size(): number {
    return this.#ioApic.size - IOAPIC_RESERVED + this.#tables.size * this.entriesPerTable;
  }

  fits(count: number, holder: Requester, kind: EntryKind): boolean {
    const table = this.table(holder, kind);
    if (table === null) return count <= this.entriesPerTable;
    return table.bitmap.findZeroArea(count, alignOf(count, kind)) >= 0;
  }

  entriesFor(count: number): number {
    return count;
  }

  table({ requester }: Requester, kind: EntryKind): EntryTable | null {
    return kind === "line" ? this.#ioApic : (this.#tables.get(requester) ?? null);
  }

  /**
   * alloc_irq_index: the first of `count` entries in a row, or -ENOSPC. MSI begins at a multiple of
   * `count` rounded up to a power of two, and takes no more than `count` all the same.
   */
  alloc(count: number, holder: Requester, kind: EntryKind): number {
    const table = this.#tableOf(holder, kind);
    const index = table.bitmap.findZeroArea(count, alignOf(count, kind));
    if (index < 0) {
      this.#tracer.emit("printk", { text: "AMD-Vi: Failed to allocate IRTE" });
      this.#shortages.note("irte_alloc_failed", table.shortage(count, holder.name));
      return -ENOSPC;
    }
    table.take(index, count, holder);
    this.#used += count;
    return index;
  }

  release(index: number, count: number, holder: Requester, kind: EntryKind): void {
    this.#tableOf(holder, kind).giveBack(index, count, holder);
    this.#used -= count;
  }

  /** fill_msi_msg: the data is the index in the device's table. */
  message(index: number): MsiMessage {
    const mode = this.entriesPerTable > IRQS_PER_TABLE ? DEST_MODE_LOGICAL : 0;
    return { address: (MSI_ADDRESS_BASE | mode) >>> 0, data: index };
  }

  inspect(): TableInspection[] {
    return [this.#ioApic, ...this.#tables.values()].map((table) => table.inspect());
  }

  #tableOf({ requester }: Requester, kind: EntryKind): EntryTable {
    if (kind === "line") return this.#ioApic;
    let table = this.#tables.get(requester);
    if (table === undefined) {
      table = new EntryTable(requester, this.entriesPerTable);
      this.#tables.set(requester, table);
    }
    return table;
  }
}

/** MSI's index is a part of its data. */
function alignOf(count: number, kind: EntryKind): number {
  return kind === "msi" ? roundUpPowerOfTwo(count) : 1;
}
