/**
 * VFIO_DEVICE_GET_PCI_HOT_RESET_INFO and VFIO_DEVICE_PCI_HOT_RESET: the reset of a whole bus
 * (drivers/vfio/pci/vfio_pci_core.c). The other functions of a bus, if any, are nobody's.
 */
import { EFAULT, EINVAL, ENODEV, ENOSPC } from "../../src/base/errno.ts";
import { HOT_RESET_DEVICE_SIZE, HOT_RESET_MINSZ, packWords, wordAt } from "../../src/uapi/vfio.ts";
import type { EventfdLookup } from "../process/fd-table.ts";
import type { CallResult } from "../process/system-calls.ts";

/**
 * `0000:01:00.0` as the entry's fields; each function is a group, of its requester ID's number. The
 * others of its bus are the next ones.
 */
function dependentDevice(bdf: string, next: number): Uint8Array {
  const parts = bdf.split(/[:.]/).map((part) => Number.parseInt(part, 16));
  const [domain, bus, slot, fn] = parts as [number, number, number, number];
  const bytes = new Uint8Array(HOT_RESET_DEVICE_SIZE);
  const out = new DataView(bytes.buffer);
  const devfn = (slot * 8 + fn + next) % 256;
  out.setUint32(0, bus * 256 + devfn, true);
  out.setUint16(4, domain, true);
  out.setUint8(6, bus);
  out.setUint8(7, devfn);
  return bytes;
}

/** What is reset with the function `bdf`, one of `count`; null: no bus, as on a root bus. */
export function hotResetInfo(arg: Uint8Array, bdf: string | null, count: number): CallResult {
  if (arg.length < HOT_RESET_MINSZ) return { ret: -EFAULT };
  const argsz = wordAt(arg, 0);
  if (argsz < HOT_RESET_MINSZ) return { ret: -EINVAL };
  if (bdf === null) return { ret: -ENODEV };
  const size = HOT_RESET_MINSZ + count * HOT_RESET_DEVICE_SIZE;
  if (argsz < size) return { ret: -ENOSPC, data: packWords([argsz, 0, count]) };
  if (arg.length < size) return { ret: -EFAULT };
  const data = new Uint8Array(size);
  data.set(packWords([argsz, 0, count]));
  for (let i = 0; i < count; i++) {
    data.set(dependentDevice(bdf, i), HOT_RESET_MINSZ + i * HOT_RESET_DEVICE_SIZE);
  }
  return { ret: 0, data };
}

/** Checks of a hot reset's argument: 0, or why it is not made. */
export function checkHotReset(
  arg: Uint8Array,
  hasBus: boolean,
  functions: number,
  fds: EventfdLookup,
): number {
  if (arg.length < HOT_RESET_MINSZ) return -EFAULT;
  if (wordAt(arg, 0) < HOT_RESET_MINSZ || wordAt(arg, 4) !== 0) return -EINVAL;
  if (!hasBus) return -ENODEV;
  const count = wordAt(arg, 8);
  // Groups have to be there, all that are concerned, and no more than there are functions.
  if (count !== functions) return -EINVAL;
  if (arg.length < HOT_RESET_MINSZ + 4 * count) return -EFAULT;
  for (let i = 0; i < count; i++) {
    const found = fds.vfioFile(wordAt(arg, HOT_RESET_MINSZ + 4 * i) | 0);
    if (found < 0) return found;
  }
  return 0;
}
