/** Runs a recorded script against a host and observes what the recorder observed of the kernel. */

import { errnoName } from "../base/errno.ts";
import { type InputPlace, UsageError } from "../base/errors.ts";
import { formatRanges } from "../base/ranges.ts";
import type { CreateHost } from "../run/contract.ts";
import type { Tracer } from "../trace/trace.ts";
import { EFD_NONBLOCK } from "../uapi/eventfd.ts";
import {
  decodeDeviceInfo,
  decodeIrqInfo,
  encodeIrqSet,
  packFds,
  packWords,
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_INFO_AUTOMASKED,
  VFIO_IRQ_INFO_EVENTFD,
  VFIO_IRQ_INFO_MASKABLE,
  VFIO_IRQ_INFO_NORESIZE,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_OFFSET_UNIT,
} from "../uapi/vfio.ts";
import { ItsTrace } from "./its-trace.ts";
import { comparableMessages, KernelLog } from "./kernel-log.ts";
import { type ConfigReader, capabilityView, hardwareView } from "./pci-view.ts";
import { PoolView, poolUseOf } from "./pool-view.ts";
import { BDF_LENGTH, type RecordedMachine, requireDevice } from "./recorded-machine.ts";
import { RecorderVm } from "./recorder-vm.ts";
import type { IrqData, ScriptLine, ScriptOp, SetOp } from "./script.ts";
import type { PoolUse } from "./vmm/calls.ts";

/** What an operation showed, keyed as in the recordings. */
export type Observed = Record<string, unknown>;

/** A descriptor number that is never open. */
const BAD_FD = 60_000;
/** Interrupts have this long to arrive, as in the recorder. */
const SETTLE_NS = 20_000_000;
/** Data the recorder has mapped behind a SET_IRQS header at most. */
const DATA_BYTES_MAX = 65_536;

const INFO_FLAGS: readonly [number, string][] = [
  [VFIO_DEVICE_FLAGS_RESET, "RESET"],
  [VFIO_DEVICE_FLAGS_PCI, "PCI"],
];
const IRQ_FLAGS: readonly [number, string][] = [
  [VFIO_IRQ_INFO_EVENTFD, "EVENTFD"],
  [VFIO_IRQ_INFO_MASKABLE, "MASKABLE"],
  [VFIO_IRQ_INFO_AUTOMASKED, "AUTOMASKED"],
  [VFIO_IRQ_INFO_NORESIZE, "NORESIZE"],
];

/** Operations after which `auto on` looks at irqs and eventfds. */
const CHANGING: ReadonlySet<ScriptOp["verb"]> = new Set([
  "set",
  "reset",
  "sig",
  "closefd",
  "cfgw",
  "barw",
  "open",
  "close",
  "unbind",
  "bind",
]);

interface UserEventfd {
  readonly fd: number;
  readonly slot: number;
}

export class ScriptRunner {
  readonly #machine: RecordedMachine;
  readonly #vm: RecorderVm;
  readonly #its: ItsTrace;
  readonly #log = new KernelLog();
  readonly #pool: PoolView;
  readonly #opened = new Map<string, number>();
  readonly #eventfds = new Map<number, UserEventfd>();
  readonly #lastState = new Map<string, string>();
  #fileFd: number;
  #device = "n8";
  #auto = false;

  /** `eventfds` is how many the script has open at once at most. */
  constructor(createHost: CreateHost, machine: RecordedMachine, eventfds: number) {
    this.#machine = machine;
    this.#its = new ItsTrace(machine.requesterIds ?? {});
    const tracer: Tracer = {
      emit: (point, args) => {
        this.#its.emit(point, args);
        this.#log.emit(point, args);
      },
    };
    this.#vm = new RecorderVm(createHost, machine.host, machine.devices, eventfds, tracer);
    this.#pool = new PoolView(this.#vm.host, machine);
    this.#fileFd = this.#openFile();
  }

  /** Another process begins; the one so far exits, and so closes all it has, unless `goesOn`. */
  newProcess(goesOn: boolean): void {
    if (goesOn) {
      const free = this.#machine.devices.filter(({ name }) => !this.#opened.has(name));
      this.#vm.newProcess(free);
      this.#opened.clear();
      this.#eventfds.clear();
      this.#fileFd = this.#openFile();
    } else {
      for (const device of [...this.#opened.keys()]) this.#close(device);
      for (const id of [...this.#eventfds.keys()]) this.#closeEventfd(id);
    }
    this.#lastState.clear();
    this.#device = "n8";
    this.#auto = false;
    this.#its.take();
    this.#log.take();
    this.#pool.begin();
  }

  /** What the pool lends now. */
  poolUse(): PoolUse {
    return poolUseOf(this.#vm.host);
  }

  #openFile(): number {
    return this.#vm.call({ op: "open", path: "/dev/null" }).ret;
  }

  /** Runs one line, which is at `place`, and returns what it shows. */
  run(line: ScriptLine, place: InputPlace = {}): Observed {
    if (line.device !== null) requireDevice(this.#machine, line.device, place);
    if (line.op.verb === "select") {
      this.#device = line.device ?? this.#device;
      return {};
    }
    const device = line.device ?? this.#device;
    const observed = this.#op(device, line.op);
    if (line.op.verb === "auto") this.#auto = line.op.on;
    if (this.#auto && (CHANGING.has(line.op.verb) || line.op.verb === "auto")) {
      if (line.op.verb !== "auto") this.#vm.sleep(SETTLE_NS);
      this.#observeState(device, observed);
      if (line.op.verb !== "auto") this.#observeEventfds(observed);
    }
    return observed;
  }

  #op(device: string, op: ScriptOp): Observed {
    switch (op.verb) {
      case "open":
        return this.#open(device);
      case "close":
        return this.#close(device);
      case "info":
        return this.#info(device, op.argsz);
      case "irqinfo":
        return this.#irqInfo(device, op.index, op.argsz);
      case "set":
        return this.#set(device, op);
      case "reset":
        return result(this.#ioctl(device, VFIO_DEVICE_RESET, new Uint8Array(0)).ret);
      case "cfgr":
        return this.#read(device, VFIO_PCI_CONFIG_REGION_INDEX, op.offset, op.size);
      case "barr":
        return this.#read(device, op.region, op.offset, op.size);
      case "cfgw":
        return this.#write(device, VFIO_PCI_CONFIG_REGION_INDEX, op.offset, op.size, op.value);
      case "barw":
        return this.#write(device, op.region, op.offset, op.size, op.value);
      default:
        return this.#around(device, op);
    }
  }

  /** Operations that are not vfio's. */
  #around(device: string, op: ScriptOp): Observed {
    const { host } = this.#vm;
    switch (op.verb) {
      case "read":
      case "drain": {
        const observed: Observed = {};
        this.#observeEventfds(observed);
        return op.verb === "read" ? { ev: observed.ev ?? {} } : {};
      }
      case "sig":
        return result(this.#vm.writeEventfd(this.#eventfd(op.id).slot, op.count));
      case "closefd":
        return this.#closeEventfd(op.id);
      case "irqs":
        return this.#irqs(device);
      case "pcicap":
        return capabilityView(op.hardware ? this.#hardware(device) : this.#virtual(device));
      case "sleep":
        this.#vm.sleep(op.ms * 1e6);
        return {};
      case "pool":
        this.#its.take();
        return this.#pool.pool();
      case "irte":
        return this.#pool.irte();
      case "klog":
        return this.#klog();
      case "hold":
        return { ret: 0 };
      case "lpi":
        return { its: this.#its.take(), lpis: this.#pool.lpis() };
      case "unbind":
        host.unbind(device);
        this.#vm.sleep(SETTLE_NS);
        return { ret: 0 };
      case "bind":
        host.bind(device);
        return { ret: BDF_LENGTH };
      default:
        return {};
    }
  }

  /** arm64's messages are not compared: its recordings hold their own probes'. */
  #klog(): Observed {
    const log = comparableMessages(this.#log.take());
    return { log };
  }

  #open(device: string): Observed {
    const { ret } = this.#vm.call({ op: "open", path: `/dev/vfio/${device}` });
    if (ret < 0) return result(ret);
    this.#opened.set(device, ret);
    return { ret: 0 };
  }

  /** Closing what is not open is no system call. */
  #close(device: string): Observed {
    if (!this.#opened.has(device)) return { ret: 0 };
    const { ret } = this.#vm.call({ op: "close", fd: this.#fd(device) });
    this.#opened.delete(device);
    return result(ret);
  }

  /** A device that is not open has the descriptor -1. */
  #fd(device: string): number {
    return this.#opened.get(device) ?? -1;
  }

  #ioctl(device: string, cmd: number, arg: Uint8Array): { ret: number; data?: Uint8Array } {
    return this.#vm.call({ op: "ioctl", fd: this.#fd(device), cmd, arg });
  }

  #info(device: string, argsz: number): Observed {
    const { ret, data } = this.#ioctl(device, VFIO_DEVICE_GET_INFO, packWords([argsz, 0, 0, 0]));
    if (data === undefined) return result(ret);
    const info = decodeDeviceInfo(data);
    return {
      ret,
      flags: flagNames(info.flags, INFO_FLAGS),
      num_regions: info.numRegions,
      num_irqs: info.numIrqs,
    };
  }

  #irqInfo(device: string, index: number, argsz: number): Observed {
    const arg = packWords([argsz, 0, index, 0]);
    const { ret, data } = this.#ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, arg);
    if (data === undefined) return result(ret);
    const info = decodeIrqInfo(data);
    return { ret, count: info.count, flags: flagNames(info.flags, IRQ_FLAGS) };
  }

  #set(device: string, op: SetOp): Observed {
    const { index, start, count, flags } = op;
    const bool = (flags & VFIO_IRQ_SET_DATA_BOOL) !== 0;
    const eventfd = (flags & VFIO_IRQ_SET_DATA_EVENTFD) !== 0;
    const unit = eventfd ? 4 : bool ? 1 : 0;
    const listed = op.data.map((datum) => this.#datum(datum));
    const bytes = eventfd ? packFds(listed) : Uint8Array.from(bool ? listed : []);
    const argsz = op.argsz ?? 20 + unit * listed.length;
    // What argsz says is there beyond the listed data is mapped, and filled.
    const room = Math.min(Math.max(0, argsz - 20), count * unit, DATA_BYTES_MAX);
    const data = new Uint8Array(Math.max(bytes.length, room)).fill(eventfd ? 0xff : 0);
    data.set(bytes);
    const memory = op.fault ? new Uint8Array(0) : data;
    const arg = encodeIrqSet({ argsz, flags, index, start, count }, memory);
    return result(this.#ioctl(device, VFIO_DEVICE_SET_IRQS, arg).ret);
  }

  #datum(datum: IrqData): number {
    switch (datum.kind) {
      case "eventfd":
        return this.#eventfd(datum.id).fd;
      case "number":
        return datum.value;
      case "bad":
        return BAD_FD;
      case "file":
        return this.#fileFd;
    }
  }

  /** An eventfd is made when it is first mentioned. */
  #eventfd(id: number): UserEventfd {
    const known = this.#eventfds.get(id);
    if (known !== undefined) return known;
    const { ret, slot } = this.#vm.call({ op: "eventfd2", initval: 0, flags: EFD_NONBLOCK });
    if (ret < 0 || slot === undefined) throw new UsageError(`eventfd2: ${errnoName(ret)}`);
    const made = { fd: ret, slot };
    this.#eventfds.set(id, made);
    return made;
  }

  #closeEventfd(id: number): Observed {
    const eventfd = this.#eventfd(id);
    this.#eventfds.delete(id);
    return result(this.#vm.call({ op: "close", fd: eventfd.fd }).ret);
  }

  #read(device: string, region: number, offset: number, size: number): Observed {
    const position = region * VFIO_PCI_OFFSET_UNIT + offset;
    const fd = this.#fd(device);
    const { ret, data } = this.#vm.call({ op: "pread", fd, offset: position, count: size });
    return data === undefined ? result(ret) : { ret, val: hexValue(data) };
  }

  #write(device: string, region: number, offset: number, size: number, value: bigint): Observed {
    const data = new Uint8Array(size);
    for (let i = 0; i < size; i++) data[i] = Number((value >> BigInt(8 * i)) & 0xffn);
    const position = region * VFIO_PCI_OFFSET_UNIT + offset;
    return result(
      this.#vm.call({ op: "pwrite", fd: this.#fd(device), offset: position, data }).ret,
    );
  }

  #virtual(device: string): ConfigReader {
    return (offset, size) => {
      const { val } = this.#read(device, VFIO_PCI_CONFIG_REGION_INDEX, offset, size);
      return Number(val ?? 0xffffffff);
    };
  }

  #hardware(device: string): ConfigReader {
    const { config } = this.#vm.host.inspect(device);
    return (offset, size) => Number(hexValue(config.subarray(offset, offset + size)));
  }

  #irqs(device: string): Observed {
    const irqfile = String(this.#vm.host.inspect(device).irqFile);
    return { st: this.#state(device), irqfile, hw: hardwareView(this.#hardware(device)) };
  }

  #state(device: string): Observed {
    const { held, kind, armed, intx } = this.#vm.host.inspect(device);
    const state: Observed = { held: held.length };
    if (kind !== null && held.length > 0) state.kind = kind;
    if (held.length > 0) state.idx = formatRanges(held);
    if (armed.length > 0) state.vec = formatRanges(armed);
    if (intx) state.intx = 1;
    return state;
  }

  #observeState(device: string, observed: Observed): void {
    const state = this.#state(device);
    const text = JSON.stringify(state);
    if (this.#lastState.get(device) === text) return;
    this.#lastState.set(device, text);
    observed.st = state;
  }

  /** Reads every eventfd; counts are consumed. */
  #observeEventfds(observed: Observed): void {
    const counts: Observed = {};
    for (const [id, { slot }] of this.#eventfds) {
      const count = this.#vm.takeCount(slot);
      if (count > 0) counts[id] = count;
    }
    if (Object.keys(counts).length > 0) observed.ev = counts;
  }
}

function result(ret: number): Observed {
  return ret < 0 ? { ret: -1, errno: errnoName(ret) } : { ret };
}

function flagNames(flags: number, names: readonly [number, string][]): string {
  return names.flatMap(([bit, name]) => ((flags & bit) === 0 ? [] : [name])).join("|");
}

/** Little-endian number of the first eight bytes, as the recorder prints it. */
function hexValue(bytes: Uint8Array): string {
  let value = 0n;
  for (let i = Math.min(8, bytes.length) - 1; i >= 0; i--)
    value = (value << 8n) | BigInt(bytes[i]!);
  return `0x${value.toString(16)}`;
}
