/** Devices of 16 MSI-X vectors on a small VT-d table, as the tests of retention drive them. */
import type { DeviceSpec, HostSpec } from "../../../../../src/scenario/types.ts";
import { encodeIrqSet, packFds, VFIO_DEVICE_SET_IRQS } from "../../../../../src/uapi/vfio.ts";
import { EVENTFD_TRIGGER, ROCKER, ROCKER_TEST_IRQ, TestVm } from "../machine.ts";

export const MSIX = 2;
export const EBADF = -9;
export const ENOSPC = -28;
/** Boot takes 21 of a table's entries. */
const BOOT_ENTRIES = 21;

export class RetentionVm extends TestVm {
  /** `free` entries are left by boot; default: as many as anybody could want. */
  constructor(
    host: Partial<HostSpec>,
    options: { readonly free?: number; readonly devices?: readonly DeviceSpec[] } = {},
  ) {
    const { free = 1000, devices = [ROCKER] } = options;
    super(devices, { irtes: BOOT_ENTRIES + free, ...host }, 256);
    for (const { name } of devices) {
      this.open(name);
      this.configWrite(name, 4, 2, 0x6);
    }
  }

  held(name = "rk"): readonly number[] {
    return this.host.inspect(name).held;
  }

  armed(name = "rk"): readonly number[] {
    return this.host.inspect(name).armed;
  }

  /** Arms vectors first..first+count-1, or takes their eventfds away. */
  arm(first: number, count = 1, name = "rk"): number {
    const fds = Array.from({ length: count }, () => this.eventfd().fd);
    return this.set(name, MSIX, first, fds);
  }

  /** Starts SET_IRQS with eventfds, and does not wait for it. */
  postSet(name: string, start: number, fds: readonly number[]): void {
    const data = packFds(fds);
    const count = fds.length;
    const header = { argsz: 20 + data.length, flags: EVENTFD_TRIGGER, index: MSIX, start, count };
    const arg = encodeIrqSet(header, data);
    this.post({ op: "ioctl", fd: this.fd(name), cmd: VFIO_DEVICE_SET_IRQS, arg });
  }

  unset(first: number, count = 1, name = "rk"): number {
    return this.set(name, MSIX, first, Array<number>(count).fill(-1));
  }

  raise(vector: number, name = "rk"): void {
    this.barWrite(name, 0, ROCKER_TEST_IRQ, vector);
  }

  get retention() {
    return this.host.report().retention;
  }
}

/** Another rocker, by another name. */
export function rocker(name: string, retention?: DeviceSpec["retention"]): DeviceSpec {
  return { ...ROCKER, name, ...(retention === undefined ? {} : { retention }) };
}
