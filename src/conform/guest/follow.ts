/**
 * Drivers that are not modelled: which function of the kernel they called next is read off the
 * first write that it made, and the rest of its writes have to follow from the kernel's rules.
 */

import type { Process } from "../../time/process.ts";
import {
  PCI_COMMAND,
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_QSIZE,
  PCI_MSIX_ENTRY_CTRL_MASKBIT,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
} from "../../uapi/pci-regs.ts";
import type { FollowedCalls } from "./machine.ts";
import type { Tape } from "./tape.ts";
import type { ConfigWrite, RecordedWrite, TableWrite } from "./writes.ts";

const CONTROL = 12;
const MSIX_ON = PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL;

/** What the driver called next; null if nobody can tell. */
export function followedCall(tape: Tape, driver: FollowedCalls): Process | null {
  const next = tape.peek()!;
  return next.kind === "table" ? tableCall(tape, next, driver) : configCall(tape, next, driver);
}

function tableCall(tape: Tape, next: TableWrite, driver: FollowedCalls): Process | null {
  const { vectors } = driver;
  if (vectors.mode !== "msix" || next.vector >= vectors.count) {
    // The first mask bit of pci_free_irq_vectors is vector 0's; others are nobody's.
    return null;
  }
  const isRequested = driver.isRequested(next.vector);
  if (next.field === 0) return isRequested ? null : driver.request(next.vector);
  if (next.field !== CONTROL || next.value !== PCI_MSIX_ENTRY_CTRL_MASKBIT) return null;
  const purpose = tape.maskPurpose(next.vector);
  if (purpose === "free" && isRequested) return driver.free(next.vector);
  if (isShutdown(tape, vectors.count)) return driver.freeAll();
  return purpose === "move" && isRequested ? hintedMove(tape, next.vector, driver) : null;
}

/** The driver said where the vector had better be, and it went there with an interrupt. */
function* hintedMove(tape: Tape, vector: number, { vectors }: FollowedCalls): Process {
  const slot = tape.slot(vector);
  if (slot === null) return;
  yield* vectors.setAffinity(vector, [slot >> 8]);
  yield* vectors.acknowledge(vector);
}

/** Mask bits of all vectors in rising order, and MSI-X goes off. */
function isShutdown(tape: Tape, count: number): boolean {
  for (let vector = 0; vector < count; vector++) {
    const write = tape.peek(vector);
    if (write?.kind !== "table" || write.vector !== vector || write.field !== CONTROL) return false;
  }
  const off = tape.peek(count);
  return off?.kind === "config" && (off.value & PCI_MSIX_FLAGS_ENABLE) === 0;
}

function configCall(tape: Tape, next: ConfigWrite, driver: FollowedCalls): Process | null {
  const { msi, msix } = tape.image.caps;
  if (next.offset === PCI_COMMAND) {
    return driver.writeConfig(next.offset, next.size, next.value);
  }
  const { mode } = driver.vectors;
  if (msix !== null && next.offset === msix.offset + PCI_MSIX_FLAGS) {
    if ((next.value & MSIX_ON) !== MSIX_ON) return null;
    // Turned on again, it is a function that lost its state.
    if (mode === "msix") return driver.vectors.restore();
    return mode === null ? driver.alloc("msix", messages(tape)) : null;
  }
  if (msi === null || next.offset !== msi.offset + PCI_MSI_FLAGS) return null;
  if ((next.value & PCI_MSI_FLAGS_ENABLE) === 0) {
    if (mode === "msi") return endsMsi(tape, msi) ? driver.freeAll() : driver.vectors.restore();
    return mode === null ? driver.alloc("msi", granted(tape, msi.offset)) : null;
  }
  const address = tape.peek(1);
  const isMessage =
    address?.kind === "config" && address.offset === msi.offset + PCI_MSI_ADDRESS_LO;
  if (mode !== "msi" || !isMessage) return null;
  if (address.value === 0) return driver.free(0);
  return driver.isRequested(0) ? null : driver.request(0);
}

/** Turned off for good; a function that lost its state gets its message again right after. */
function endsMsi(tape: Tape, msi: { readonly offset: number; readonly bytes: number }): boolean {
  const after = tape.peek(1);
  if (after?.kind !== "config") return true;
  return after.offset < msi.offset || after.offset >= msi.offset + msi.bytes;
}

/** Vectors whose messages are written before anything else is. */
function messages(tape: Tape): number {
  const seen = new Set<number>();
  for (const write of tape.left.slice(1)) {
    if (write.kind !== "table" || write.field === CONTROL) break;
    seen.add(write.vector);
  }
  return seen.size;
}

/** Multiple Message Enable of the coming enable, as a number of vectors. */
function granted(tape: Tape, cap: number): number {
  const isEnable = (write: RecordedWrite): write is ConfigWrite & { line: number } =>
    write.kind === "config" &&
    write.offset === cap + PCI_MSI_FLAGS &&
    (write.value & PCI_MSI_FLAGS_ENABLE) !== 0;
  const flags = tape.left.find(isEnable)?.value ?? 0;
  return 1 << ((flags & PCI_MSI_FLAGS_QSIZE) >> 4);
}
