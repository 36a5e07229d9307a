/** A process on a host on a virtual clock: what the tests of vfio, process and kvm drive. */
import { createHost } from "../../../../host/host.ts";
import { type RecorderGuest, RecorderVm } from "../../../../src/conform/recorder-vm.ts";
import type { DeviceSpec, HostSpec } from "../../../../src/scenario/types.ts";
import type { Tracer } from "../../../../src/trace/trace.ts";
import {
  encodeIrqSet,
  packFds,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_OFFSET_UNIT,
} from "../../../../src/uapi/vfio.ts";

export const HOST: HostSpec = {
  kernel: "linux-6.12",
  platform: "x86-vtd",
  cpus: 2,
  irtes: 65_536,
  vectorsPerCpu: 201,
  retention: "cache",
  nointxmask: false,
};

export const EDU: DeviceSpec = { name: "edu", model: "edu", msixVectors: 0, msiVectors: 1 };
export const ROCKER: DeviceSpec = { name: "rk", model: "rocker", msixVectors: 16, msiVectors: 0 };
export const NVME: DeviceSpec = { name: "n8", model: "nvme", msixVectors: 8, msiVectors: 0 };

/** Registers of the edu device: raise, acknowledge. */
export const EDU_RAISE = 0x60;
export const EDU_ACK = 0x64;
/** Writing N to it makes rocker send vector N. */
export const ROCKER_TEST_IRQ = 0x20;

export const EVENTFD_TRIGGER = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
export const NONE_TRIGGER = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;

export class TestVm extends RecorderVm {
  readonly #opened = new Map<string, number>();

  constructor(
    devices: readonly DeviceSpec[],
    host: Partial<HostSpec> = {},
    eventfds = 64,
    tracer?: Tracer,
    guest?: RecorderGuest,
  ) {
    super(createHost, { ...HOST, ...host }, devices, eventfds, tracer, guest);
  }

  open(name: string): number {
    const { ret } = this.call({ op: "open", path: `/dev/vfio/${name}` });
    this.#opened.set(name, ret);
    return ret;
  }

  fd(name: string): number {
    return this.#opened.get(name)!;
  }

  close(fd: number): number {
    return this.call({ op: "close", fd }).ret;
  }

  eventfd(initval = 0): { fd: number; slot: number } {
    const { ret, slot } = this.call({ op: "eventfd2", initval, flags: 0 });
    return { fd: ret, slot: slot! };
  }

  /** SET_IRQS with eventfds, or with DATA_NONE where `fds` is a count. */
  set(name: string, index: number, start: number, fds: readonly number[] | number): number {
    const list = typeof fds === "number" ? [] : fds;
    const flags = typeof fds === "number" ? NONE_TRIGGER : EVENTFD_TRIGGER;
    return this.setRaw(name, index, start, typeof fds === "number" ? fds : fds.length, flags, list);
  }

  setRaw(
    name: string,
    index: number,
    start: number,
    count: number,
    flags: number,
    fds: readonly number[] = [],
  ): number {
    const data = packFds(fds);
    const arg = encodeIrqSet({ argsz: 20 + data.length, flags, index, start, count }, data);
    return this.call({ op: "ioctl", fd: this.fd(name), cmd: VFIO_DEVICE_SET_IRQS, arg }).ret;
  }

  barWrite(name: string, bar: number, offset: number, value: number): number {
    return this.#write(name, bar, offset, 4, value);
  }

  configWrite(name: string, offset: number, size: number, value: number): number {
    return this.#write(name, VFIO_PCI_CONFIG_REGION_INDEX, offset, size, value);
  }

  configRead(name: string, offset: number, size: number): number {
    const position = VFIO_PCI_CONFIG_REGION_INDEX * VFIO_PCI_OFFSET_UNIT + offset;
    const { data } = this.call({ op: "pread", fd: this.fd(name), offset: position, count: size });
    return data!.reduceRight((value, byte) => value * 256 + byte, 0);
  }

  #write(name: string, region: number, offset: number, size: number, value: number): number {
    const data = new Uint8Array(size);
    for (let i = 0; i < size; i++) data[i] = Math.floor(value / 256 ** i) & 0xff;
    const position = region * VFIO_PCI_OFFSET_UNIT + offset;
    return this.call({ op: "pwrite", fd: this.fd(name), offset: position, data }).ret;
  }

  /** Counts of the first guest: what was raised, and the host's fates of a row by name. */
  raised(row: number): number {
    return this.host.report().guests[0]!.raised[row]!;
  }
}
