/** strace at the border: every system call of a VM process passes here and is written down. */
import { assert } from "../../base/assert.ts";
import type { HostMachine } from "../../run/contract.ts";
import {
  type BorderShape,
  createBorder,
  type GuestPort,
  guestPort,
  type HostPort,
  hostPort,
} from "../../shm/border.ts";
import {
  decodeIrqfd,
  decodeRouting,
  KVM_IRQFD,
  KVM_IRQFD_FLAG_DEASSIGN,
  KVM_IRQFD_FLAG_RESAMPLE,
  KVM_SET_GSI_ROUTING,
  type KvmRoute,
} from "../../uapi/kvm.ts";
import {
  decodeIrqInfo,
  decodeIrqSetHeader,
  fdAt,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
  VFIO_DEVICE_PCI_HOT_RESET,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_INDEX_NAMES,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_OFFSET_UNIT,
} from "../../uapi/vfio.ts";
import { MessageReceiver, MessageSender } from "../../wire/channel.ts";
import type { Request, RequestId, Response } from "../../wire/messages.ts";
import { parseRequest, parseResponse } from "../../wire/validate.ts";
import { type FdName, type PoolUse, type Routes, routeText, type VmmCall } from "./calls.ts";

const SILENT = { wake: () => {} };
const VFIO_PREFIX = "/dev/vfio/";
const FLAG_NAMES = ["NONE", "BOOL", "EVENTFD", "MASK", "UNMASK", "TRIGGER"];
const THREAD = "vmm";
/** Calls whose lines have the entries of msi_irqs. */
const COUNTED: readonly string[] = ["set_irqs", "reset", "hot_reset", "device_close"];

/** A file the process has open. */
type OpenFile =
  | { readonly kind: "device"; readonly name: string }
  | { readonly kind: "eventfd"; readonly name: string }
  | { readonly kind: "other" };

type CallBody = Omit<VmmCall, "ret" | "line" | "thread">;

/** A request whose response is not there yet. */
interface UnderWay {
  readonly request: Request;
  readonly call: CallBody | null;
  /** Entries of msi_irqs when the call was made. */
  readonly before: number;
  /** Not the VMM's: nobody waits for the answer. */
  readonly own: boolean;
}

/**
 * Between a guest's border and another one to the host: requests and responses are carried over,
 * all other memory is shared by both sides.
 */
export class BorderTap {
  /** For HostMachine.attach. */
  readonly hostPort: HostPort;
  /** For the VMM. */
  readonly guestPort: GuestPort;
  readonly calls: VmmCall[] = [];
  /** Line of the input that calls now are made for. */
  line = 0;
  /** Calls tell what the pool holds after them. */
  watchesPool = false;
  readonly #fromGuest: MessageReceiver;
  readonly #toGuest: MessageSender;
  readonly #fromHost: MessageReceiver;
  readonly #toHost: MessageSender;
  readonly #underWay = new Map<RequestId, UnderWay>();
  readonly #files = new Map<number, OpenFile>();
  #host: HostMachine | null = null;
  #routes = new Map<number, string>();
  #eventfds = 0;
  #lastId = 0;

  constructor(shape: BorderShape) {
    const near = createBorder(shape);
    const far = createBorder(shape);
    const nearHost = hostPort(near, shape, () => SILENT);
    const farHost = hostPort(far, shape, () => SILENT);
    const farGuest = guestPort(far, shape, () => SILENT);
    this.guestPort = guestPort(near, shape, () => SILENT);
    this.hostPort = { ...nearHost, requests: farHost.requests, responses: farHost.responses };
    const onBad = (reason: string): void => assert(false, `the border carried ${reason}`);
    this.#fromGuest = new MessageReceiver(nearHost.requests, onBad);
    this.#toGuest = new MessageSender(nearHost.responses);
    this.#fromHost = new MessageReceiver(farGuest.responses, onBad);
    this.#toHost = new MessageSender(farGuest.requests);
  }

  /** The host whose msi_irqs are counted. */
  set host(host: HostMachine) {
    this.#host = host;
  }

  /** Carries what there is, one call at a time; returns how many messages. */
  pump(): number {
    let moved = this.#fromHost.receive((message) => this.#response(message));
    moved += this.#fromGuest.receive((message) => this.#request(message), 1);
    if (this.#toHost.backlog > 0 && this.#toHost.pump()) moved++;
    if (this.#toGuest.backlog > 0 && this.#toGuest.pump()) moved++;
    return moved;
  }

  /** A write to a BAR of an open device that is not the VMM's. */
  writeBar(device: string, bar: number, offset: number, value: number): void {
    for (const [fd, file] of this.#files) {
      if (file.kind !== "device" || file.name !== device) continue;
      const data = new Uint8Array(4);
      new DataView(data.buffer).setUint32(0, value, true);
      const body = { op: "pwrite" as const, fd, offset: bar * VFIO_PCI_OFFSET_UNIT + offset, data };
      this.#send({ id: ++this.#lastId, ...body }, 0, true);
    }
  }

  /** The guest writes the table of a device, of which the kernel does not hear. */
  tableWrite(device: string): void {
    const { line } = this;
    const body = { op: "g_tblw", what: "", fds: [], ret: 0, silent: true, thread: THREAD };
    this.calls.push({ ...body, line, dev: device });
  }

  /** Entries of a device's msi_irqs. */
  held(device: string | null): number {
    return device === null ? 0 : this.#host!.inspect(device).held.length;
  }

  #pool(): PoolUse {
    const { irqsHeld, irtesUsed, vectorsUsed } = this.#host!.report().pool;
    return { irqs: irqsHeld, irtes: irtesUsed, vectors: vectorsUsed };
  }

  #request(message: unknown): void {
    const request = parseRequest(message);
    assert(request.op !== "bad", "the VMM's request makes no sense");
    this.#send(request, request.id, false);
  }

  /** Requests get numbers of the tap's own: the VMM is not the only one who makes them. */
  #send(request: Request, guestId: RequestId, own: boolean): void {
    const call = own ? null : this.#callOf(request);
    const before = this.held(call?.dev ?? null);
    const id = own ? request.id : ++this.#lastId;
    this.#underWay.set(id, { request: { ...request, id: guestId }, call, before, own });
    this.#toHost.send({ ...request, id });
  }

  #response(message: unknown): void {
    const response = parseResponse(message);
    assert(!("bad" in response), "the host's response makes no sense");
    const { request, call, before, own } = this.#underWay.get(response.id)!;
    this.#underWay.delete(response.id);
    if (own) return;
    this.#follow(request, response);
    if (call !== null) {
      const counted = COUNTED.includes(call.op);
      this.calls.push({
        ...call,
        ...(counted ? { msiIrqs: [before, this.held(call.dev)] as const } : {}),
        ...infoOf(request, response),
        ...(counted && this.watchesPool ? { pool: this.#pool() } : {}),
        line: this.line,
        thread: THREAD,
        ret: response.ret,
      });
    }
    this.#toGuest.send({ ...response, id: request.id });
  }

  /** Keeps the list of open files. */
  #follow(request: Request, { ret }: Response): void {
    if (request.op === "close") this.#files.delete(request.fd);
    if (ret < 0) return;
    if (request.op === "eventfd2") {
      this.#files.set(ret, { kind: "eventfd", name: `e${this.#eventfds++}` });
    } else if (request.op === "open") {
      const isDevice = request.path.startsWith(VFIO_PREFIX);
      const name = request.path.slice(VFIO_PREFIX.length);
      this.#files.set(ret, isDevice ? { kind: "device", name } : { kind: "other" });
    }
  }

  #fdName(fd: number): FdName {
    const file = this.#files.get(fd);
    return file?.kind === "eventfd" ? file.name : -1;
  }

  #callOf(request: Request): CallBody | null {
    const common = { dev: null, what: "", fds: [], silent: false };
    if (request.op === "ioctl") return this.#ioctlOf(request.fd, request.cmd, request.arg);
    if (request.op === "pwrite") {
      const file = this.#files.get(request.fd);
      const region = Math.floor(request.offset / VFIO_PCI_OFFSET_UNIT);
      if (file?.kind !== "device" || region !== VFIO_PCI_CONFIG_REGION_INDEX) return null;
      return { ...common, op: "cfgw", dev: file.name, silent: true };
    }
    if (request.op !== "close") return null;
    const file = this.#files.get(request.fd);
    if (file?.kind === "device") return { ...common, op: "device_close", dev: file.name };
    if (file?.kind !== "eventfd") return null;
    return { ...common, op: "eventfd_close", fds: [file.name] };
  }

  #ioctlOf(fd: number, cmd: number, arg: Uint8Array): CallBody | null {
    const file = this.#files.get(fd);
    const dev = file?.kind === "device" ? file.name : null;
    const common = { dev, what: "", fds: [], silent: false };
    switch (cmd) {
      case VFIO_DEVICE_SET_IRQS: {
        const { index, start, count, flags } = decodeIrqSetHeader(arg);
        const names = FLAG_NAMES.filter((_, bit) => (flags & (1 << bit)) !== 0).join("|");
        const eventfds = (flags & VFIO_IRQ_SET_DATA_EVENTFD) === 0 ? 0 : count;
        return {
          ...common,
          op: "set_irqs",
          what: `${VFIO_IRQ_INDEX_NAMES[index]} ${start} ${count} ${names}`,
          fds: Array.from({ length: eventfds }, (_, i) => this.#fdName(fdAt(arg, i))),
        };
      }
      case VFIO_DEVICE_GET_IRQ_INFO: {
        const { index } = decodeIrqInfo(arg);
        return { ...common, op: "get_irq_info", what: VFIO_IRQ_INDEX_NAMES[index] ?? "" };
      }
      case VFIO_DEVICE_RESET:
        return { ...common, op: "reset" };
      case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
        return { ...common, op: "hot_reset_info" };
      case VFIO_DEVICE_PCI_HOT_RESET:
        return { ...common, op: "hot_reset" };
      case KVM_IRQFD: {
        const { fd: event, gsi, flags, resamplefd } = decodeIrqfd(arg);
        const resample = (flags & KVM_IRQFD_FLAG_RESAMPLE) !== 0 ? [this.#fdName(resamplefd)] : [];
        return {
          ...common,
          op: "kvm_irqfd",
          what: (flags & KVM_IRQFD_FLAG_DEASSIGN) === 0 ? "assign" : "deassign",
          fds: [this.#fdName(event), ...resample],
          gsi,
        };
      }
      case KVM_SET_GSI_ROUTING:
        return this.#routingOf(decodeRouting(arg) ?? []);
      default:
        return null;
    }
  }

  /** Only changes of routes of messages are recorded, and no table that changes none of them. */
  #routingOf(table: readonly KvmRoute[]): CallBody | null {
    const routes = new Map<number, string>();
    for (const route of table) {
      if (route.type !== "msi") continue;
      routes.set(route.gsi, routeText(route.gsi, route.addressLo, route.data));
    }
    const old = this.#routes;
    this.#routes = routes;
    const ascending = [...routes.keys()].sort((a, b) => a - b);
    const changed: Routes = {
      nr: table.length,
      set: ascending.filter((gsi) => old.get(gsi) !== routes.get(gsi)).map((g) => routes.get(g)!),
      gone: [...old.keys()].filter((gsi) => !routes.has(gsi)).sort((a, b) => a - b),
    };
    if (changed.set.length === 0 && changed.gone.length === 0) return null;
    return { op: "kvm_routing", dev: null, what: "", fds: [], silent: false, routes: changed };
  }
}

/** Count and flags that GET_IRQ_INFO answered with. */
function infoOf(request: Request, { ret, data }: Response): { info?: readonly [number, number] } {
  if (request.op !== "ioctl" || request.cmd !== VFIO_DEVICE_GET_IRQ_INFO) return {};
  if (ret < 0 || data === undefined) return {};
  const { count, flags } = decodeIrqInfo(data);
  return { info: [count, flags] };
}
