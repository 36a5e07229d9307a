/** Config space and BARs of an open vfio device, by pread and pwrite. */
import type { Process } from "../../../src/time/process.ts";
import { VFIO_PCI_OFFSET_UNIT } from "../../../src/uapi/vfio.ts";
import type { Syscalls } from "../../syscalls.ts";
import { configOffset } from "../vfio-client.ts";

export class RegionAccess {
  readonly fd: number;
  readonly #sys: Syscalls;

  constructor(sys: Syscalls, fd: number) {
    this.#sys = sys;
    this.fd = fd;
  }

  configRead(offset: number, size: number): Process<number> {
    return this.#read(configOffset(offset), size);
  }

  configWrite(offset: number, size: number, value: number): Process {
    return this.#write(configOffset(offset), size, value);
  }

  barRead(bar: number, offset: number, size: number): Process<number> {
    return this.#read(bar * VFIO_PCI_OFFSET_UNIT + offset, size);
  }

  barWrite(bar: number, offset: number, size: number, value: number): Process {
    return this.#write(bar * VFIO_PCI_OFFSET_UNIT + offset, size, value);
  }

  /** All ones where the kernel gives less than was asked for. */
  *#read(at: number, size: number): Process<number> {
    const { ret, data } = yield* this.#sys.pread(this.fd, at, size);
    if (ret !== size) return 2 ** (8 * size) - 1;
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + data[i]!;
    return value;
  }

  *#write(at: number, size: number, value: number): Process {
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = Math.floor(value / 2 ** (8 * i)) % 256;
    yield* this.#sys.pwrite(this.fd, at, bytes);
  }
}
