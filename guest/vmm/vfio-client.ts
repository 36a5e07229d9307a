/** A vfio device as its user sees it: ioctls of include/uapi/linux/vfio.h, typed and counted. */
import { EINVAL, ENOSPC } from "../../src/base/errno.ts";
import type { Process } from "../../src/time/process.ts";
import {
  DEVICE_INFO_MINSZ,
  decodeDeviceInfo,
  decodeIrqInfo,
  decodeRegionInfo,
  encodeIrqSet,
  encodeRegionInfo,
  HOT_RESET_DEVICE_SIZE,
  HOT_RESET_MINSZ,
  IRQ_INFO_SIZE,
  IRQ_SET_MINSZ,
  packFds,
  packWords,
  REGION_INFO_SIZE,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_PCI_HOT_RESET,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_OFFSET_UNIT,
  type VfioDeviceInfo,
  type VfioIrqInfo,
  type VfioRegionInfo,
  wordAt,
} from "../../src/uapi/vfio.ts";
import type { Syscalls } from "../syscalls.ts";
import type { Counters } from "./counters.ts";

const NOTHING = new Uint8Array(0);

/** File offset of a config space register. */
export function configOffset(offset: number): number {
  return VFIO_PCI_CONFIG_REGION_INDEX * VFIO_PCI_OFFSET_UNIT + offset;
}
/** A bus has no more functions than this. */
const HOT_RESET_DEVICES_MAX = 256;

export class VfioClient {
  readonly fd: number;
  readonly #sys: Syscalls;
  readonly #counters: Counters;

  constructor(sys: Syscalls, fd: number, counters: Counters) {
    this.fd = fd;
    this.#sys = sys;
    this.#counters = counters;
  }

  /** VFIO_DEVICE_GET_INFO, or a negative errno. */
  *getDeviceInfo(): Process<VfioDeviceInfo | number> {
    const arg = packWords([DEVICE_INFO_MINSZ, 0, 0, 0]);
    const { ret, data } = yield* this.#ioctl("get_info", VFIO_DEVICE_GET_INFO, arg);
    if (ret < 0) return ret;
    return data.length < DEVICE_INFO_MINSZ ? -EINVAL : decodeDeviceInfo(data);
  }

  /** VFIO_DEVICE_GET_REGION_INFO, or a negative errno. */
  *getRegionInfo(index: number): Process<VfioRegionInfo | number> {
    const arg = encodeRegionInfo({ argsz: REGION_INFO_SIZE, flags: 0, index, size: 0, offset: 0 });
    const { ret, data } = yield* this.#ioctl("get_region_info", VFIO_DEVICE_GET_REGION_INFO, arg);
    if (ret < 0) return ret;
    return data.length < REGION_INFO_SIZE ? -EINVAL : decodeRegionInfo(data);
  }

  /** VFIO_DEVICE_GET_IRQ_INFO, or a negative errno. */
  *getIrqInfo(index: number): Process<VfioIrqInfo | number> {
    const arg = packWords([IRQ_INFO_SIZE, 0, index, 0]);
    const { ret, data } = yield* this.#ioctl("get_irq_info", VFIO_DEVICE_GET_IRQ_INFO, arg);
    if (ret < 0) return ret;
    return data.length < IRQ_INFO_SIZE ? -EINVAL : decodeIrqInfo(data);
  }

  /**
   * VFIO_DEVICE_SET_IRQS. `data` goes with the data type in `flags`: file descriptors (-1 for none)
   * or bools, one an interrupt. 0, a negative errno, or how many vectors could be had.
   */
  *setIrqs(
    index: number,
    start: number,
    count: number,
    flags: number,
    data: readonly number[] = [],
  ): Process<number> {
    const bytes = irqSetData(flags, data);
    const argsz = IRQ_SET_MINSZ + bytes.length;
    const arg = encodeIrqSet({ argsz, flags, index, start, count }, bytes);
    return (yield* this.#ioctl("set_irqs", VFIO_DEVICE_SET_IRQS, arg)).ret;
  }

  /** VFIO_DEVICE_RESET. */
  *reset(): Process<number> {
    return (yield* this.#ioctl("reset", VFIO_DEVICE_RESET, NOTHING)).ret;
  }

  /**
   * VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, first for the number of devices and then for them: how many
   * a reset of the bus concerns, or a negative errno.
   */
  *getHotResetInfo(): Process<number> {
    const first = yield* this.#hotResetInfo(HOT_RESET_MINSZ);
    if (first.ret < 0 && first.ret !== -ENOSPC) return first.ret;
    if (first.data.length < HOT_RESET_MINSZ) return -EINVAL;
    const count = Math.min(wordAt(first.data, 8), HOT_RESET_DEVICES_MAX);
    const size = HOT_RESET_MINSZ + count * HOT_RESET_DEVICE_SIZE;
    const second = yield* this.#hotResetInfo(size);
    return second.ret < 0 ? second.ret : count;
  }

  *#hotResetInfo(argsz: number): Process<{ ret: number; data: Uint8Array }> {
    const arg = new Uint8Array(argsz);
    arg.set(packWords([argsz, 0, 0]));
    return yield* this.#ioctl("hot_reset_info", VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, arg);
  }

  /** VFIO_DEVICE_PCI_HOT_RESET of a bus whose only group is the device's own. */
  *hotReset(): Process<number> {
    const arg = packWords([HOT_RESET_MINSZ + 4, 0, 1, this.fd]);
    return (yield* this.#ioctl("hot_reset", VFIO_DEVICE_PCI_HOT_RESET, arg)).ret;
  }

  *#ioctl(name: string, cmd: number, arg: Uint8Array): Process<{ ret: number; data: Uint8Array }> {
    this.#counters.add(name);
    const result = yield* this.#sys.ioctl(this.fd, cmd, arg);
    if (result.ret !== 0) this.#counters.add(`${name}_failed`);
    return result;
  }
}

function irqSetData(flags: number, data: readonly number[]): Uint8Array {
  if ((flags & VFIO_IRQ_SET_DATA_EVENTFD) !== 0) return packFds(data);
  return (flags & VFIO_IRQ_SET_DATA_BOOL) !== 0 ? Uint8Array.from(data) : NOTHING;
}
