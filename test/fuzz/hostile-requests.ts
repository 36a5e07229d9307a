/** Requests that no sane VMM makes: every system call with fields at, around and beyond limits. */
import type { Prng } from "../../src/base/prng.ts";
import { KVM_IRQFD, KVM_SET_GSI_ROUTING } from "../../src/uapi/kvm.ts";
import {
  packFds,
  packWords,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_OFFSET_UNIT,
} from "../../src/uapi/vfio.ts";

/** Whole numbers at which something changes: limits of fields, tables and types. */
const EDGES = [
  0, 1, 2, 3, 4, 5, 8, 15, 16, 17, 20, 24, 31, 32, 33, 63, 64, 127, 128, 255, 256, 2047, 2048, 4095,
  4096, 65_535, 65_536, 0x7fffffff, 0x80000000, 0xffffffff,
];
/** Values that are not even whole numbers in range, or no numbers. */
const NONSENSE: readonly unknown[] = [
  -1,
  -2,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 40,
  2 ** 53,
  -(2 ** 31),
  -(2 ** 53),
  2n ** 63n,
  null,
  undefined,
  true,
  "",
  "7",
  [],
  [1],
  {},
  { reason: "eoi" },
  new Uint8Array(3),
];
const COMMANDS = [
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_SET_IRQS,
  VFIO_DEVICE_SET_IRQS,
  VFIO_DEVICE_SET_IRQS,
  VFIO_DEVICE_SET_IRQS,
  KVM_IRQFD,
  KVM_IRQFD,
  KVM_SET_GSI_ROUTING,
  0,
  0xffffffff,
];
const REGISTERS = [
  0, 4, 8, 0x0c, 0x10, 0x14, 0x20, 0x24, 0x60, 0x64, 0x1000, 0x1800, 0x1804, 0x2000,
];

/** Descriptors a process has after a while. */
const FDS = 48;

type FdKind = "vfio" | "kvm" | "eventfd";
const KNOWN_MAX: Readonly<Record<FdKind, number>> = { vfio: 4, kvm: 2, eventfd: 24 };
const ASKED_MAX = 1000;

export type Loose = Record<string, unknown>;

export class HostileRequests {
  readonly #random: Prng;
  readonly #paths: readonly string[];
  /** Requests that make a process of it first: devices, a VM and eventfds, in this order. */
  readonly #first: Loose[];
  /** What an answer to a request will be good for, by id; bounded, since many have no answer. */
  readonly #asked = new Map<number, FdKind | { readonly closed: unknown }>();
  readonly #fds: Readonly<Record<FdKind, number[]>> = { vfio: [], kvm: [], eventfd: [] };
  #nextId = 0;

  /** `devices` it has, and other `paths` that it tries to open. */
  constructor(random: Prng, devices: readonly string[], paths: readonly string[]) {
    this.#random = random;
    this.#paths = [...devices, ...paths];
    const opened = [...devices, "/dev/kvm"].map((path) => ({ op: "open", path }));
    const eventfds = Array.from({ length: 16 }, () => ({ op: "eventfd2", initval: 0, flags: 0 }));
    this.#first = [...opened, ...eventfds];
  }

  /** One request, plain to look at; what is wrong with it is in its values. */
  next(): Loose {
    const first = this.#first.shift();
    const body = first ?? this.#body();
    const request = { id: this.#nextId++, ...body };
    this.#ask(request);
    if (first === undefined && this.#one(24)) this.#spoil(request);
    return request;
  }

  /** The host answered request `id`. */
  learn(id: number, ret: number): void {
    const kind = this.#asked.get(id);
    if (kind === undefined) return;
    this.#asked.delete(id);
    if (ret < 0) return;
    if (typeof kind === "object") {
      for (const fds of Object.values(this.#fds)) {
        const at = fds.indexOf(kind.closed as number);
        if (at >= 0) fds.splice(at, 1);
      }
      return;
    }
    const fds = this.#fds[kind];
    if (fds.length < KNOWN_MAX[kind]) fds.push(ret);
    else fds[this.#below(fds.length)] = ret;
  }

  #ask({ id, op, path, fd }: Loose): void {
    if (this.#asked.size > ASKED_MAX) this.#asked.clear();
    if (op === "close") this.#asked.set(id as number, { closed: fd });
    if (op === "eventfd2") this.#asked.set(id as number, "eventfd");
    else if (path === "/dev/kvm") this.#asked.set(id as number, "kvm");
    else if (op === "open" && path !== "/dev/null") this.#asked.set(id as number, "vfio");
  }

  #below(bound: number): number {
    return this.#random.nextBelow(bound);
  }

  #one(inMany: number): boolean {
    return this.#below(inMany) === 0;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)]!;
  }

  /** Mostly small, sometimes at an edge, sometimes anything. */
  #u32(small: number): number {
    const kind = this.#below(16);
    if (kind < 12) return this.#below(small);
    return kind < 15 ? this.#pick(EDGES) : this.#random.nextUint32();
  }

  /** Mostly one that is, or was, what the call is for. */
  #fd(kind: FdKind): number {
    const chance = this.#below(32);
    const known = this.#fds[kind];
    if (chance < 26 && known.length > 0) return this.#pick(known);
    if (chance < 29) return 3 + this.#below(FDS);
    return chance < 31 ? -1 - this.#below(3) : this.#random.nextUint32() | 0;
  }

  /** -1 is as good as any where an eventfd is expected. */
  #eventfd(): number {
    return this.#one(4) ? -1 : this.#fd("eventfd");
  }

  /** What a process closes: most often an eventfd. */
  #closing(): number {
    const chance = this.#below(32);
    if (chance === 0) return this.#fd("vfio");
    return chance < 4 ? this.#fd("kvm") : this.#fd("eventfd");
  }

  /** One field gets a value of another kind, or is gone. */
  #spoil(request: Loose): void {
    const keys = Object.keys(request);
    const key = this.#pick(keys);
    if (this.#one(3)) delete request[key];
    else request[key] = this.#pick(NONSENSE);
  }

  #body(): Loose {
    switch (this.#below(16)) {
      case 0:
        return { op: "open", path: this.#one(12) ? "/dev/kvm" : this.#pick(this.#paths) };
      case 1:
        return { op: "close", fd: this.#closing() };
      case 2:
      case 3:
        return { op: "eventfd2", initval: this.#u32(3), flags: this.#one(8) ? this.#u32(9) : 0 };
      case 4:
        return { op: "vmexit", fd: this.#fd("kvm"), exit: this.#exit() };
      case 5:
      case 6:
        return { op: "pread", fd: this.#fd("vfio"), offset: this.#offset(), count: this.#count() };
      case 7:
      case 8:
      case 9:
        return { op: "pwrite", fd: this.#fd("vfio"), offset: this.#offset(), data: this.#bytes(8) };
      default:
        return this.#ioctl();
    }
  }

  #exit(): Loose {
    if (this.#one(3)) return { reason: "eoi", vcpu: this.#u32(4), vector: this.#below(300) };
    const low = this.#one(2) ? 0x8000 | this.#below(256) : this.#random.nextUint32();
    return { reason: "ioapic-write", pin: this.#u32(26), low, high: this.#u32(4) << 24 };
  }

  #count(): number {
    const kind = this.#below(512);
    if (kind < 480) return 1 + this.#below(8);
    if (kind < 510) return this.#below(300);
    return kind === 510 ? this.#below(20_000) : this.#u32(8);
  }

  #offset(): number {
    const at = this.#one(3) ? this.#pick(REGISTERS) : this.#u32(0x100);
    if (this.#one(40)) return this.#pick([-1, -(2 ** 40), 2 ** 52, 2 ** 53 - 1, 9 * 2 ** 40]);
    const region = this.#one(2) ? VFIO_PCI_CONFIG_REGION_INDEX : this.#below(this.#one(8) ? 12 : 2);
    return region * VFIO_PCI_OFFSET_UNIT + at;
  }

  #bytes(most: number): Uint8Array {
    const bytes = new Uint8Array(this.#one(100) ? this.#below(2000) : this.#below(most + 1));
    const small = this.#one(2);
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.#below(small ? 3 : 256);
    return bytes;
  }

  #ioctl(): Loose {
    const cmd = this.#one(80) ? VFIO_DEVICE_RESET : this.#pick(COMMANDS);
    const fd = this.#fd(cmd > 0x40000000 ? "kvm" : "vfio");
    if (this.#one(16)) return { op: "ioctl", fd, cmd, arg: this.#bytes(64) };
    let arg = this.#argument(cmd);
    if (this.#one(24)) arg = arg.subarray(0, this.#below(arg.length + 1));
    return { op: "ioctl", fd, cmd, arg };
  }

  #argument(cmd: number): Uint8Array {
    if (cmd === VFIO_DEVICE_SET_IRQS) return this.#irqSet();
    if (cmd === KVM_IRQFD) {
      const [fd, resamplefd] = [this.#fd("eventfd"), this.#fd("eventfd")];
      return packWords([fd, this.#u32(40), this.#below(4), resamplefd, 0, 0, 0, 0]);
    }
    if (cmd === KVM_SET_GSI_ROUTING) return this.#routing();
    return packWords([this.#u32(64) + 16, 0, this.#u32(10), 0, 0, 0, 0, 0]);
  }

  #irqSet(): Uint8Array {
    const index = this.#u32(5);
    const start = this.#one(4) ? this.#u32(18) : 0;
    const count = this.#one(2) ? this.#below(2) : this.#u32(this.#one(2) ? 5 : 18);
    const data = 1 << this.#below(3);
    const action = this.#one(4) ? 8 << this.#below(2) : 0x20;
    const flags = this.#one(16) ? this.#u32(64) : data | action;
    const fds = Array.from({ length: Math.min(count, 40) }, () => this.#eventfd());
    const payload = data === 4 ? packFds(fds) : new Uint8Array(data === 2 ? fds.length : 0).fill(1);
    const argsz = this.#one(24) ? this.#u32(64) : 20 + payload.length;
    const arg = new Uint8Array(20 + payload.length);
    arg.set(packWords([argsz, flags, index, start, count]));
    arg.set(payload, 20);
    return arg;
  }

  #routing(): Uint8Array {
    const routes = this.#below(12);
    const words = [this.#one(8) ? this.#u32(5000) : routes, this.#one(16) ? 1 : 0];
    for (let i = 0; i < routes; i++) {
      const message = this.#one(2);
      const detail = message
        ? [0xfee00000 | (this.#below(4) << 12), 0, this.#below(300), 0]
        : [this.#u32(4), this.#u32(26), 0, 0];
      words.push(this.#u32(40), message ? 2 : 1, this.#one(16) ? 1 : 0, 0, ...detail, 0, 0, 0, 0);
    }
    return packWords(words);
  }
}
