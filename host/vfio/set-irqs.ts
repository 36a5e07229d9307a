/** The argument of VFIO_DEVICE_SET_IRQS, checked in the kernel's order (vfio_main.c). */
import { EFAULT, EINVAL } from "../../src/base/errno.ts";
import {
  decodeIrqSetHeader,
  fdAt,
  IRQ_SET_MINSZ,
  VFIO_IRQ_SET_ACTION_TYPE_MASK,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_IRQ_SET_DATA_TYPE_MASK,
  VFIO_PCI_NUM_IRQS,
} from "../../src/uapi/vfio.ts";

const U32_MAX = 0xffffffff;

/** A SET_IRQS call that passed the checks; its data is readable for all `count` entries. */
export class IrqSetCall {
  readonly index: number;
  readonly flags: number;
  readonly start: number;
  readonly count: number;
  readonly #arg: Uint8Array;

  constructor(arg: Uint8Array) {
    const header = decodeIrqSetHeader(arg);
    this.index = header.index;
    this.flags = header.flags;
    this.start = header.start;
    this.count = header.count;
    this.#arg = arg;
  }

  /** Entry `i` of DATA_EVENTFD. */
  fd(i: number): number {
    return fdAt(this.#arg, i);
  }

  /** Entry `i` of DATA_BOOL. */
  bool(i: number): boolean {
    return this.#arg[IRQ_SET_MINSZ + i] !== 0;
  }
}

function unitOf(flags: number): number | null {
  switch (flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
    case VFIO_IRQ_SET_DATA_NONE:
      return 0;
    case VFIO_IRQ_SET_DATA_BOOL:
      return 1;
    case VFIO_IRQ_SET_DATA_EVENTFD:
      return 4;
    default:
      return null;
  }
}

/**
 * vfio_set_irqs_validate_and_prepare and the copy of the data. `irqCount` gives the number of irqs
 * of an index, 0 for one the device lacks. The call, or a negative errno.
 */
export function parseIrqSet(
  arg: Uint8Array,
  irqCount: (index: number) => number,
): IrqSetCall | number {
  if (arg.length < IRQ_SET_MINSZ) return -EFAULT;
  const { argsz, flags, index, start, count } = decodeIrqSetHeader(arg);
  if (argsz < IRQ_SET_MINSZ || index >= VFIO_PCI_NUM_IRQS) return -EINVAL;
  if (count >= U32_MAX - start) return -EINVAL;
  if ((flags & ~(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK)) !== 0)
    return -EINVAL;
  const available = irqCount(index);
  if (start >= available || start + count > available) return -EINVAL;
  const unit = unitOf(flags);
  if (unit === null) return -EINVAL;
  if (argsz - IRQ_SET_MINSZ < count * unit) return -EINVAL;
  if (arg.length - IRQ_SET_MINSZ < count * unit) return -EFAULT;
  return new IrqSetCall(arg);
}
