/** A host kernel that says yes to nearly all, over real border memory, and writes a log. */
import { EBADF, EINVAL, ENOTTY } from "../../../../src/base/errno.ts";
import { type CapabilitySpec, PciFunction } from "../../../../src/pci/function.ts";
import type { HostPort } from "../../../../src/shm/border.ts";
import {
  decodeIrqfd,
  decodeRouting,
  KVM_IRQFD,
  KVM_IRQFD_FLAG_DEASSIGN,
  KVM_IRQFD_FLAG_RESAMPLE,
  KVM_SET_GSI_ROUTING,
} from "../../../../src/uapi/kvm.ts";
import {
  decodeIrqSetHeader,
  encodeRegionInfo,
  fdAt,
  packWords,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_INDEX_NAMES,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_OFFSET_UNIT,
  wordAt,
} from "../../../../src/uapi/vfio.ts";
import { MessageReceiver, MessageSender } from "../../../../src/wire/channel.ts";
import type { Request, Response } from "../../../../src/wire/messages.ts";

const BAR_BYTES = 0x10000;

/** A SET_IRQS call as the kernel sees it; `fds` are eventfd names, "-1" for none. */
export interface SetIrqsCall {
  readonly index: string;
  readonly start: number;
  readonly count: number;
  readonly flags: string;
  readonly fds: readonly string[];
}

export interface FakeDevice {
  readonly msixVectors: number;
  readonly msiVectors: number;
  readonly noresize: boolean;
  readonly pin?: number;
  readonly express?: boolean;
  readonly resets?: boolean;
  /** No FLR, but a PM reset, as the recorded e1000e has. */
  readonly pmReset?: boolean;
  readonly msixCap?: number;
  readonly msiCap?: number;
  readonly tableBar?: number;
  readonly tableOffset?: number;
}

export class FakeHost {
  readonly port: HostPort;
  readonly log: string[] = [];
  readonly fn: PciFunction;
  /** Forces results: the log line's beginning and what to answer instead of carrying it out. */
  readonly verdicts: { begins: string; ret: number }[] = [];
  /** Irqs the kernel would have allocated, over all enables. */
  allocations = 0;
  /** Routes in all KVM_SET_GSI_ROUTING together. */
  routesTold = 0;
  readonly #device: FakeDevice;
  readonly #sender: MessageSender;
  readonly #receiver: MessageReceiver;
  readonly #slots = new Map<number, number>();
  readonly #names = new Map<number, string>();
  readonly #freeSlots: number[];
  readonly #fds = new Set<number>();
  /** Slot armed for "MSIX 3", "INTX 0" ... */
  readonly armed = new Map<string, number>();
  readonly #allocated = new Set<number>();
  #mode = "";
  #named = 0;
  #routes = new Map<number, string>();

  constructor(port: HostPort, device: FakeDevice) {
    this.port = port;
    this.#device = device;
    this.#sender = new MessageSender(port.responses);
    this.#receiver = new MessageReceiver(port.requests, (reason) => {
      throw new Error(reason);
    });
    this.#freeSlots = Array.from({ length: port.shape.eventfds }, (_, slot) => slot);
    this.fn = new PciFunction({
      name: "fake",
      vendorId: 0x1b36,
      deviceId: 0x10,
      classCode: 0x010802,
      interruptPin: device.pin ?? 1,
      bars: [
        { index: 0, kind: "mem32", size: BAR_BYTES },
        { index: 3, kind: "mem32", size: BAR_BYTES },
      ],
      capabilities: capabilitiesOf(device),
    });
  }

  /** Takes requests and answers them. */
  poll(): number {
    this.#sender.pump();
    return this.#receiver.receive((message) => {
      const request = message as Request;
      const answer = this.#serve(request);
      this.#sender.send({ id: request.id, ...answer });
    });
  }

  /** The device interrupts through what is armed; false if nothing is. */
  signal(index: string, vector: number): boolean {
    const slot = this.armed.get(`${index} ${vector}`);
    if (slot === undefined) return false;
    this.port.eventfds.signal(slot);
    this.port.guestPoll.mark(slot);
    return true;
  }

  /** Log lines since the last call. */
  take(): string[] {
    return this.log.splice(0);
  }

  get openFds(): number {
    return this.#fds.size;
  }

  #serve(request: Request): Omit<Response, "id"> {
    switch (request.op) {
      case "open":
        return { ret: this.#open(request.path) };
      case "close":
        return { ret: this.#close(request.fd) };
      case "eventfd2":
        return this.#eventfd(request.initval);
      case "ioctl":
        return this.#ioctl(request.cmd, request.arg);
      case "pread":
        return this.#pread(request.offset, request.count);
      case "pwrite":
        this.log.push(`pwrite ${hex(request.offset)} ${[...request.data].map(hex).join(" ")}`);
        return { ret: request.data.length };
      case "vmexit":
        this.log.push(`vmexit ${JSON.stringify(request.exit)}`);
        return { ret: 0 };
    }
  }

  #open(path: string): number {
    const forced = this.#forced(`open ${path}`);
    if (forced !== null) return forced;
    this.log.push(`open ${path}`);
    return this.#newFd();
  }

  #newFd(): number {
    let fd = 3;
    while (this.#fds.has(fd)) fd++;
    this.#fds.add(fd);
    return fd;
  }

  #close(fd: number): number {
    if (!this.#fds.delete(fd)) return -EBADF;
    const slot = this.#slots.get(fd);
    const name = this.#names.get(fd);
    if (slot !== undefined) {
      this.#slots.delete(fd);
      this.#freeSlots.unshift(slot);
    }
    this.#names.delete(fd);
    if (name !== undefined) this.log.push(`close ${name}`);
    else if (slot === undefined) this.log.push(`close fd`);
    return 0;
  }

  #eventfd(initval: number): Omit<Response, "id"> {
    const fd = this.#newFd();
    const slot = this.#freeSlots.shift()!;
    this.#slots.set(fd, slot);
    this.port.eventfds.init(slot, initval, false);
    return { ret: fd, slot };
  }

  /** Eventfds are named e0, e1 ... by their first use in SET_IRQS or KVM_IRQFD. */
  #name(fd: number): string {
    if (fd === -1) return "-1";
    let name = this.#names.get(fd);
    if (name === undefined) {
      name = `e${this.#named++}`;
      this.#names.set(fd, name);
    }
    return name;
  }

  #forced(line: string): number | null {
    const at = this.verdicts.findIndex(({ begins }) => line.startsWith(begins));
    if (at < 0) return null;
    this.log.push(`${line} -> ${this.verdicts[at]!.ret}`);
    return this.verdicts.splice(at, 1)[0]!.ret;
  }

  #ioctl(cmd: number, arg: Uint8Array): Omit<Response, "id"> {
    if (cmd === VFIO_DEVICE_GET_INFO) {
      const resets = this.#device.resets === false ? 0 : 1;
      return { ret: 0, data: packWords([16, 2 | resets, 9, 5]) };
    }
    if (cmd === VFIO_DEVICE_GET_REGION_INFO) return this.#regionInfo(wordAt(arg, 8));
    if (cmd === VFIO_DEVICE_GET_IRQ_INFO) return this.#irqInfo(wordAt(arg, 8));
    if (cmd === VFIO_DEVICE_RESET) {
      this.log.push("reset");
      return { ret: 0 };
    }
    if (cmd === VFIO_DEVICE_SET_IRQS) return { ret: this.#setIrqs(arg) };
    if (cmd === KVM_IRQFD) return { ret: this.#irqfd(arg) };
    if (cmd === KVM_SET_GSI_ROUTING) return { ret: this.#setRouting(arg) };
    return { ret: -ENOTTY };
  }

  #regionInfo(index: number): Omit<Response, "id"> {
    const size = index === 0 || index === 3 ? BAR_BYTES : 0;
    const offset = index * VFIO_PCI_OFFSET_UNIT;
    return { ret: 0, data: encodeRegionInfo({ argsz: 32, flags: 3, index, size, offset }) };
  }

  #irqInfo(index: number): Omit<Response, "id"> {
    if (index === 3 && this.#device.express === false) return { ret: -EINVAL };
    this.log.push(`get_irq_info ${VFIO_IRQ_INDEX_NAMES[index]}`);
    const flags = index === 2 ? (this.#device.noresize ? 9 : 1) : index === 0 ? 7 : 9;
    const count = [1, this.#device.msiVectors, this.#device.msixVectors, 1, 1][index]!;
    return { ret: 0, data: packWords([16, flags, index, count]) };
  }

  #setIrqs(arg: Uint8Array): number {
    const { flags, index, start, count } = decodeIrqSetHeader(arg);
    const data = flags & 7;
    const fds = Array.from({ length: data === 4 ? count : 0 }, (_, i) => fdAt(arg, i));
    const names = fds.map((fd) => this.#name(fd));
    const line =
      `${VFIO_IRQ_INDEX_NAMES[index]} ${start} ${count} ${flagNames(flags)}` +
      (data === 4 ? ` [${names.join(" ")}]` : "");
    const forced = this.#forced(line);
    if (forced !== null) return forced;
    this.log.push(line);
    return this.#carryOut(VFIO_IRQ_INDEX_NAMES[index]!, start, count, flags, fds);
  }

  #carryOut(
    index: string,
    start: number,
    count: number,
    flags: number,
    fds: readonly number[],
  ): number {
    if ((flags & 32) === 0) return 0;
    const message = index === "MSI" || index === "MSIX";
    if (count === 0) {
      if (message && this.#mode !== index) return -EINVAL;
      for (const key of this.armed.keys()) if (key.startsWith(`${index} `)) this.armed.delete(key);
      this.#allocated.clear();
      this.#mode = "";
      return 0;
    }
    if (message && this.#mode !== "" && this.#mode !== index) return -EINVAL;
    if (message && this.#mode === "") this.#allocate(0, start + count);
    if (message) this.#mode = index;
    for (const [i, fd] of fds.entries()) {
      const key = `${index} ${start + i}`;
      if (fd < 0) this.armed.delete(key);
      else {
        this.armed.set(key, this.#slots.get(fd)!);
        if (message) this.#allocate(start + i, 1);
      }
    }
    return 0;
  }

  #allocate(start: number, count: number): void {
    for (let v = start; v < start + count; v++) {
      if (this.#allocated.has(v)) continue;
      this.#allocated.add(v);
      this.allocations++;
    }
  }

  #irqfd(arg: Uint8Array): number {
    const { fd, gsi, flags, resamplefd } = decodeIrqfd(arg);
    const act = (flags & KVM_IRQFD_FLAG_DEASSIGN) !== 0 ? "deassign" : "assign";
    const resample =
      (flags & KVM_IRQFD_FLAG_RESAMPLE) !== 0 ? ` resample ${this.#name(resamplefd)}` : "";
    const line = `irqfd ${act} ${this.#name(fd)} gsi ${gsi}${resample}`;
    const forced = this.#forced(line);
    if (forced !== null) return forced;
    this.log.push(line);
    return 0;
  }

  /** Logs what changed, as the recordings do. */
  #setRouting(arg: Uint8Array): number {
    const routes = new Map<number, string>();
    const told = decodeRouting(arg);
    if (told === null) return -EINVAL;
    this.routesTold += told.length;
    for (const route of told) {
      if (route.type === "msi") {
        routes.set(route.gsi, `${route.gsi}:${hex(route.addressLo)}:${hex(route.data)}`);
      }
    }
    const set = [...routes.values()].filter((line) => ![...this.#routes.values()].includes(line));
    const gone = [...this.#routes.keys()].filter((gsi) => !routes.has(gsi));
    this.#routes = routes;
    if (set.length + gone.length === 0) return 0;
    this.log.push(`routing ${set.sort().join(",")} gone ${gone.sort((a, b) => a - b).join(",")}`);
    return 0;
  }

  #pread(offset: number, count: number): Omit<Response, "id"> {
    const region = Math.floor(offset / VFIO_PCI_OFFSET_UNIT);
    const at = offset % VFIO_PCI_OFFSET_UNIT;
    if (region !== VFIO_PCI_CONFIG_REGION_INDEX) return { ret: count, data: new Uint8Array(count) };
    return { ret: count, data: this.fn.config.bytes.slice(at, at + count) };
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** "EVENTFD|TRIGGER", as the recordings spell flags. */
function flagNames(flags: number): string {
  const names = ["NONE", "BOOL", "EVENTFD", "MASK", "UNMASK", "TRIGGER"];
  return names.filter((_, bit) => (flags & (1 << bit)) !== 0).join("|");
}

function capabilitiesOf(device: FakeDevice): CapabilitySpec[] {
  const capabilities: CapabilitySpec[] = [];
  const { msiVectors, msixVectors } = device;
  if (device.pmReset === true) {
    capabilities.push({ kind: "pm", offset: 0xe0, noSoftReset: false, pme: false });
  }
  if (msiVectors > 0) {
    const offset = device.msiCap ?? 0x50;
    capabilities.push({
      kind: "msi",
      offset,
      vectors: msiVectors,
      a64: true,
      perVectorMask: true,
    });
  }
  if (msixVectors > 0) {
    const bar = device.tableBar ?? 0;
    const table = { bar, offset: device.tableOffset ?? 0x2000 };
    const pba = { bar, offset: table.offset + 0x8000 };
    capabilities.push({
      kind: "msix",
      offset: device.msixCap ?? 0x70,
      vectors: msixVectors,
      table,
      pba,
    });
  }
  return capabilities;
}
