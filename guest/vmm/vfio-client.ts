/** A vfio device as its user sees it: ioctls of include/uapi/linux/vfio.h, typed and counted. */
import { EINVAL } from "../../src/base/errno.ts";
import type { Process } from "../../src/time/process.ts";
import {
  DEVICE_INFO_MINSZ,
  decodeDeviceInfo,
  decodeIrqInfo,
  decodeRegionInfo,
  encodeIrqSet,
  encodeRegionInfo,
  IRQ_INFO_SIZE,
  IRQ_SET_MINSZ,
  packFds,
  packWords,
  REGION_INFO_SIZE,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  type VfioDeviceInfo,
  type VfioIrqInfo,
  type VfioRegionInfo,
} from "../../src/uapi/vfio.ts";
import type { Syscalls } from "../syscalls.ts";
import type { Counters } from "./counters.ts";

const NOTHING = new Uint8Array(0);

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
