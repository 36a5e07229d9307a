/**
 * VFIO_DEVICE_GET_PCI_HOT_RESET_INFO and VFIO_DEVICE_PCI_HOT_RESET: the reset of a whole bus
 * (drivers/vfio/pci/vfio_pci_core.c). Here a bus that can be reset has one function.
 */
import { EFAULT, EINVAL, ENODEV, ENOSPC } from "../../src/base/errno.ts";
import { HOT_RESET_DEVICE_SIZE, HOT_RESET_MINSZ, packWords, wordAt } from "../../src/uapi/vfio.ts";
import type { EventfdLookup } from "../process/fd-table.ts";
import type { CallResult } from "../process/system-calls.ts";

/** `0000:01:00.0` as the entry's fields; each function is a group, of its requester ID's number. */
function dependentDevice(bdf: string): Uint8Array {
  const parts = bdf.split(/[:.]/).map((part) => Number.parseInt(part, 16));
  const [domain, bus, slot, fn] = parts as [number, number, number, number];
  const bytes = new Uint8Array(HOT_RESET_DEVICE_SIZE);
  const out = new DataView(bytes.buffer);
  out.setUint32(0, bus * 256 + slot * 8 + fn, true);
  out.setUint16(4, domain, true);
  out.setUint8(6, bus);
  out.setUint8(7, slot * 8 + fn);
  return bytes;
}

/** What is reset with the function `bdf`; null: no bus to reset, as on a root bus. */
export function hotResetInfo(arg: Uint8Array, bdf: string | null): CallResult {
  if (arg.length < HOT_RESET_MINSZ) return { ret: -EFAULT };
  const argsz = wordAt(arg, 0);
  if (argsz < HOT_RESET_MINSZ) return { ret: -EINVAL };
  if (bdf === null) return { ret: -ENODEV };
  const size = HOT_RESET_MINSZ + HOT_RESET_DEVICE_SIZE;
  if (argsz < size) return { ret: -ENOSPC, data: packWords([argsz, 0, 1]) };
  if (arg.length < size) return { ret: -EFAULT };
  const data = new Uint8Array(size);
  data.set(packWords([argsz, 0, 1]));
  data.set(dependentDevice(bdf), HOT_RESET_MINSZ);
  return { ret: 0, data };
}

/** Checks of a hot reset's argument: 0, or why it is not made. */
export function checkHotReset(arg: Uint8Array, hasBus: boolean, fds: EventfdLookup): number {
  if (arg.length < HOT_RESET_MINSZ) return -EFAULT;
  if (wordAt(arg, 0) < HOT_RESET_MINSZ || wordAt(arg, 4) !== 0) return -EINVAL;
  if (!hasBus) return -ENODEV;
  const count = wordAt(arg, 8);
  // Groups have to be there, and no more than there are functions.
  if (count !== 1) return -EINVAL;
  if (arg.length < HOT_RESET_MINSZ + 4) return -EFAULT;
  return fds.vfioFile(wordAt(arg, HOT_RESET_MINSZ) | 0);
}
