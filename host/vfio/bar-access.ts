/** BAR access through the file (drivers/vfio/pci/vfio_pci_rdwr.c). */
import { EINVAL, EIO } from "../../src/base/errno.ts";
import type { MsixCapability } from "../../src/pci/msix.ts";
import { type Mutex, type Process, sleep } from "../../src/time/process.ts";
import type { PhysicalDevice } from "../device/types.ts";
import { untilUnlocked } from "./core-device.ts";

/** The MSI-X table, which userspace may neither see nor write: [start, end) in this BAR. */
function excluded(msix: MsixCapability | null, bar: number): { start: number; end: number } {
  if (msix === null || msix.table.bar !== bar) return { start: 0, end: 0 };
  return { start: msix.table.offset, end: msix.table.offset + msix.tableBytes };
}

/** Aligned pieces of at most four bytes, cut at the MSI-X table; 0 stands for "inside of it". */
function pieceSize(at: number, count: number, table: { start: number; end: number }): number {
  let room = count;
  if (at < table.start) room = Math.min(count, table.start - at);
  else if (at < table.end) return 0;
  if (room >= 4 && at % 4 === 0) return 4;
  return room >= 2 && at % 2 === 0 ? 2 : 1;
}

/** What a BAR access needs to know of its device. */
export interface BarTarget {
  readonly physical: PhysicalDevice;
  /** Asked before every single access: memory decoding on, not in D3hot. */
  memoryEnabled(): boolean;
  /** Nothing is accessed while somebody holds it. */
  readonly memoryLock: Mutex;
  readonly accessNs: number;
}

/**
 * vfio_pci_bar_rw on `bytes`: filled by a read, taken by a write. The number of bytes, cut at the
 * end of the BAR; -EINVAL outside, -EIO where memory is off.
 */
export function* barAccess(
  target: BarTarget,
  bar: number,
  offset: number,
  bytes: Uint8Array,
  write: boolean,
): Process<number> {
  const { physical } = target;
  const spec = physical.fn.config.bar(bar);
  if (spec === null || offset >= spec.size) return -EINVAL;
  const count = Math.min(bytes.length, spec.size - offset);
  const table = excluded(physical.fn.msix, bar);
  for (let done = 0; done < count; ) {
    const at = offset + done;
    const size = pieceSize(at, count - done, table);
    if (size === 0) {
      const fill = Math.min(count - done, table.end - at);
      if (!write) bytes.fill(0xff, done, done + fill);
      done += fill;
      continue;
    }
    yield* sleep(target.accessNs);
    yield* untilUnlocked(target.memoryLock);
    if (spec.kind !== "io" && !target.memoryEnabled()) return -EIO;
    if (write) physical.barWrite(bar, at, size, readLe(bytes, done, size));
    else writeLe(bytes, done, size, physical.barRead(bar, at, size));
    done += size;
  }
  return count;
}

function readLe(bytes: Uint8Array, at: number, size: number): bigint {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i]!);
  return value;
}

function writeLe(bytes: Uint8Array, at: number, size: number, value: bigint): void {
  for (let i = 0; i < size; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}
