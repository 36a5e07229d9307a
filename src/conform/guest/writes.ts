/** What a recorded guest wrote: which of it is compared, and which is not, and why. */
import {
  PCI_BASE_ADDRESS_0,
  PCI_CAP_MSIX_SIZEOF,
  PCI_COMMAND,
  PCI_INTERRUPT_LINE,
  PCI_STD_HEADER_SIZEOF,
} from "../../uapi/pci-regs.ts";
import { numberOf, type RecordedLine } from "../vmm/recording.ts";

const PCI_ROM_ADDRESS = 0x30;
/** Words of a table entry, as recordings name them, at their offsets. */
export const TABLE_FIELDS = ["addr_lo", "addr_hi", "data", "ctrl"] as const;

/** A write to configuration space. */
export interface ConfigWrite {
  readonly kind: "config";
  readonly offset: number;
  readonly size: number;
  readonly value: number;
}

/** A write to one word of the MSI-X table. */
export interface TableWrite {
  readonly kind: "table";
  readonly vector: number;
  /** Offset in the entry: 0, 4, 8 or 12. */
  readonly field: number;
  readonly value: number;
}

export type GuestWrite = ConfigWrite | TableWrite;

/** A write with its place in the recording. */
export type RecordedWrite = GuestWrite & { readonly line: number };

/** The write of a line; null if it is none. */
export function writeOf(line: RecordedLine): RecordedWrite | null {
  const value = numberOf(line.val);
  if (line.op === "g_tblw") {
    const field = 4 * TABLE_FIELDS.indexOf(String(line.field) as (typeof TABLE_FIELDS)[number]);
    return { kind: "table", vector: numberOf(line.vector), field, value, line: line.i };
  }
  if (line.op !== "g_cfgw") return null;
  const [offset, size] = [numberOf(line.off), numberOf(line.len)];
  return { kind: "config", offset, size, value, line: line.i };
}

export function sameWrite(a: GuestWrite, b: GuestWrite): boolean {
  return samePlace(a, b) && a.value === b.value;
}

/** True for writes to the same register, whatever they wrote. */
export function samePlace(a: GuestWrite, b: GuestWrite): boolean {
  if (a.kind === "table") return b.kind === "table" && a.vector === b.vector && a.field === b.field;
  return b.kind === "config" && a.offset === b.offset && a.size === b.size;
}

/** `entry 3 addr_lo = 0xfee01000`, `config 0x4/2 = 0x507`. */
export function writeText(write: GuestWrite): string {
  const value = `0x${write.value.toString(16)}`;
  return write.kind === "table"
    ? `entry ${write.vector} ${TABLE_FIELDS[write.field / 4]} = ${value}`
    : `config 0x${write.offset.toString(16)}/${write.size} = ${value}`;
}

/** Where a function's interrupt capabilities are; null: it has none. */
export interface InterruptCaps {
  readonly msi: { readonly offset: number; readonly bytes: number } | null;
  readonly msix: { readonly offset: number } | null;
}

/** Why a write is not compared; null for one that is. */
export function exclusion(write: GuestWrite, { msi, msix }: InterruptCaps): string | null {
  if (write.kind === "table") return null;
  const { offset } = write;
  if (offset === PCI_COMMAND) return null;
  const within = (at: number, bytes: number): boolean => offset >= at && offset < at + bytes;
  if (msi !== null && within(msi.offset, msi.bytes)) return null;
  if (msix !== null && within(msix.offset, PCI_CAP_MSIX_SIZEOF)) return null;
  if (within(PCI_BASE_ADDRESS_0, 24) || offset === PCI_ROM_ADDRESS) {
    return "BARs: where firmware and kernel put them is not about interrupts";
  }
  if (offset === PCI_INTERRUPT_LINE)
    return "interrupt line: firmware's choice, which Linux ignores";
  if (offset < PCI_STD_HEADER_SIZEOF) return "header: latency timer and cache line";
  return "other capabilities: PCI Express, error reporting, power, and the device's own";
}
