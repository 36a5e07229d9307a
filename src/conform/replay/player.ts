/** Makes the calls of an ioctl log to a modelled host, one after the other. */
import { EBADF } from "../../base/errno.ts";
import { UsageError } from "../../base/errors.ts";
import type { CreateHost } from "../../run/contract.ts";
import type { HostSpec } from "../../scenario/types.ts";
import { EFD_NONBLOCK } from "../../uapi/eventfd.ts";
import {
  encodeIrqfd,
  KVM_IRQFD,
  KVM_IRQFD_FLAG_DEASSIGN,
  KVM_IRQFD_FLAG_RESAMPLE,
} from "../../uapi/kvm.ts";
import { PCI_COMMAND } from "../../uapi/pci-regs.ts";
import {
  decodeIrqInfo,
  encodeIrqSet,
  IRQ_INFO_SIZE,
  packFds,
  packWords,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_TYPE_MASK,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_OFFSET_UNIT,
} from "../../uapi/vfio.ts";
import { poolUseOf } from "../pool-view.ts";
import { RecorderVm } from "../recorder-vm.ts";
import type { FdName, PoolUse } from "../vmm/calls.ts";
import type { ReplayedDevice } from "./devices.ts";
import type { IoctlLog, IrqfdEntry, IrqInfoEntry, LogEntry, SetIrqsEntry } from "./log.ts";

/** A descriptor number that is never open. */
const BAD_FD = 60_000;
/** Eventfds that a log may have open at once; a process may have 65,536 files. */
const EVENTFDS_MAX = 50_000;
/** No index has more interrupts: the kernel refuses longer calls before it reads their data. */
const DATA_MAX = 2048;
/** INTx, its UNMASK, ERR and REQ. */
const OTHER_TRIGGERS = 4;
/** What a call sets off has this long before the next. */
const SETTLE_NS = 1_000_000;

/** What the model did at an entry. */
export interface Played {
  /** What the call returned; null for an entry that is no call. */
  readonly ret: number | null;
  /** Entries of msi_irqs before and after, of a call that could change them. */
  readonly msiIrqs: readonly [number, number] | null;
  /** Count and flags that GET_IRQ_INFO answered with. */
  readonly info: readonly [number, number] | null;
  readonly pool: PoolUse | null;
}

const NOT_PLAYED: Played = { ret: null, msiIrqs: null, info: null, pool: null };

export class LogPlayer {
  readonly #vm: RecorderVm;
  readonly #ids: ReadonlyMap<string, string>;
  /** Devices that the log itself opens: for others each use opens them. */
  readonly #openedByLog: ReadonlySet<string>;
  readonly #open = new Map<string, number>();
  /** Eventfds by name; null for one that was closed. */
  readonly #eventfds = new Map<FdName, number | null>();
  #fileFd = -1;
  #kvmFd = -1;

  constructor(
    createHost: CreateHost,
    host: HostSpec,
    devices: readonly ReplayedDevice[],
    log: IoctlLog,
  ) {
    const specs = devices.map(({ spec }) => spec);
    this.#vm = new RecorderVm(createHost, host, specs, eventfdsOf(log, devices));
    this.#ids = new Map(devices.map(({ name, spec }) => [name, spec.name]));
    const opens = log.entries.flatMap((e) => (e.op === "open" ? [e.device] : []));
    this.#openedByLog = new Set(opens);
  }

  /** What the pool lends now. */
  pool(): PoolUse {
    return poolUseOf(this.#vm.host);
  }

  /** What the shared entries are called: IRTEs, LPIs or SPIs. */
  get entryName(): string {
    return this.#vm.host.report().pool.entries ?? "IRTEs";
  }

  /** Interrupts that a device of the log holds. */
  held(device: string): number {
    return this.#vm.host.inspect(this.#ids.get(device)!).held.length;
  }

  play(entry: LogEntry): Played {
    switch (entry.op) {
      case "set_irqs":
        return this.#counted(entry.device, () => this.#setIrqs(entry));
      case "reset":
        return this.#counted(entry.device, () =>
          this.#ioctl(entry.device, VFIO_DEVICE_RESET, new Uint8Array(0)),
        );
      case "open":
        return this.#counted(entry.device, () => this.#openDevice(entry.device));
      case "close":
        return this.#counted(entry.device, () => this.#closeDevice(entry.device));
      case "command":
        return this.#counted(entry.device, () => this.#command(entry.device, entry.value));
      case "get_irq_info":
        return this.#irqInfo(entry);
      case "irqfd":
        return { ...NOT_PLAYED, ret: this.#irqfd(entry) };
      case "eventfd":
        this.#makeEventfd(entry.fd);
        return NOT_PLAYED;
      case "eventfd_close":
        this.#closeEventfd(entry.fd);
        return NOT_PLAYED;
      default:
        return NOT_PLAYED;
    }
  }

  /** The process ends; returns what the pool still lends. */
  exit(): PoolUse {
    for (const device of [...this.#open.keys()]) this.#closeDevice(device);
    return this.pool();
  }

  #counted(device: string, call: () => number): Played {
    const before = this.held(device);
    const ret = call();
    this.#vm.sleep(SETTLE_NS);
    return { ret, msiIrqs: [before, this.held(device)], info: null, pool: this.pool() };
  }

  #openDevice(device: string): number {
    const { ret } = this.#vm.call({ op: "open", path: `/dev/vfio/${this.#ids.get(device)}` });
    if (ret >= 0) this.#open.set(device, ret);
    return Math.min(0, ret);
  }

  #closeDevice(device: string): number {
    const fd = this.#open.get(device);
    if (fd === undefined) return -EBADF;
    this.#open.delete(device);
    return this.#vm.call({ op: "close", fd }).ret;
  }

  #fdOf(device: string): number {
    if (!this.#open.has(device) && !this.#openedByLog.has(device)) this.#openDevice(device);
    return this.#open.get(device) ?? BAD_FD;
  }

  #ioctl(device: string, cmd: number, arg: Uint8Array): number {
    return this.#vm.call({ op: "ioctl", fd: this.#fdOf(device), cmd, arg }).ret;
  }

  #setIrqs({ device, index, start, count, flags, fds, bools, argsz }: SetIrqsEntry): number {
    const type = flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
    let data: Uint8Array = new Uint8Array(0);
    if (type === VFIO_IRQ_SET_DATA_EVENTFD) {
      data = packFds(fds.slice(0, DATA_MAX).map((fd) => this.#fd(fd)));
    } else if (type === VFIO_IRQ_SET_DATA_BOOL) {
      data = Uint8Array.from(bools.slice(0, DATA_MAX));
    }
    const arg = encodeIrqSet({ argsz, flags, index, start, count }, data);
    return this.#ioctl(device, VFIO_DEVICE_SET_IRQS, arg);
  }

  #irqInfo({ device, index }: IrqInfoEntry): Played {
    const arg = packWords([IRQ_INFO_SIZE, 0, index, 0]);
    const fd = this.#fdOf(device);
    const { ret, data } = this.#vm.call({ op: "ioctl", fd, cmd: VFIO_DEVICE_GET_IRQ_INFO, arg });
    if (data === undefined) return { ...NOT_PLAYED, ret };
    const { count, flags } = decodeIrqInfo(data);
    return { ...NOT_PLAYED, ret, info: [count, flags] };
  }

  #irqfd({ act, fd, gsi, resample }: IrqfdEntry): number {
    if (this.#kvmFd < 0) this.#kvmFd = this.#vm.call({ op: "open", path: "/dev/kvm" }).ret;
    const flags =
      (act === "deassign" ? KVM_IRQFD_FLAG_DEASSIGN : 0) |
      (resample === null ? 0 : KVM_IRQFD_FLAG_RESAMPLE);
    const resamplefd = resample === null ? 0 : this.#fd(resample);
    const arg = encodeIrqfd({ fd: this.#fd(fd), gsi, flags, resamplefd });
    return this.#vm.call({ op: "ioctl", fd: this.#kvmFd, cmd: KVM_IRQFD, arg }).ret;
  }

  #command(device: string, value: number): number {
    const fd = this.#fdOf(device);
    const offset = VFIO_PCI_CONFIG_REGION_INDEX * VFIO_PCI_OFFSET_UNIT + PCI_COMMAND;
    const data = Uint8Array.of(value & 0xff, value >>> 8);
    return this.#vm.call({ op: "pwrite", fd, offset, data }).ret;
  }

  /** The descriptor of a name. The first mention of an eventfd makes it. */
  #fd(name: FdName): number {
    if (name === -1) return -1;
    if (name === "bad") return BAD_FD;
    if (name === "file") {
      if (this.#fileFd < 0) this.#fileFd = this.#vm.call({ op: "open", path: "/dev/null" }).ret;
      return this.#fileFd;
    }
    if (name.startsWith("-")) return Number(name);
    if (!this.#eventfds.has(name)) this.#makeEventfd(name);
    return this.#eventfds.get(name) ?? BAD_FD;
  }

  #makeEventfd(name: FdName): void {
    // A number is given again when what had it was closed, whether or not the log tells.
    this.#closeEventfd(name);
    const { ret } = this.#vm.call({ op: "eventfd2", initval: 0, flags: EFD_NONBLOCK });
    this.#eventfds.set(name, ret < 0 ? null : ret);
  }

  #closeEventfd(name: FdName): void {
    const fd = this.#eventfds.get(name);
    if (typeof fd === "number") this.#vm.call({ op: "close", fd });
    this.#eventfds.set(name, null);
  }
}

/** Eventfds there can be at once: each name's, and closed ones that a device still signals. */
function eventfdsOf(log: IoctlLog, devices: readonly ReplayedDevice[]): number {
  const names = new Set<FdName>();
  for (const entry of log.entries) {
    if (entry.op === "set_irqs") for (const fd of entry.fds) names.add(fd);
    if (entry.op === "irqfd") names.add(entry.fd).add(entry.resample ?? -1);
    if (entry.op === "eventfd") names.add(entry.fd);
  }
  if (names.size > EVENTFDS_MAX) {
    throw new UsageError(`${names.size} eventfds, at most ${EVENTFDS_MAX}`, {
      place: { file: log.file },
      hint: "replay the log in several parts",
    });
  }
  const triggers = devices.map(({ spec }) => spec.msixVectors + spec.msiVectors + OTHER_TRIGGERS);
  return triggers.reduce((sum, count) => sum + count, names.size);
}
