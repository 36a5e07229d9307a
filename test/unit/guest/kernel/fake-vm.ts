/** A virtual machine without a VMM: config space in memory, and a log of what the guest did. */
import { LocalApics } from "../../../../guest/local-apic.ts";
import { TokenSequence } from "../../../../guest/token-sequence.ts";
import { RealizeError } from "../../../../guest/vmm/errors.ts";
import type { VirtualFunction, VirtualMachine } from "../../../../guest/vmm/types.ts";
import type { DeviceRows } from "../../../../src/measure/rows.ts";
import type { DeviceSpec } from "../../../../src/scenario/types.ts";
import type { GuestPort } from "../../../../src/shm/border.ts";
import { type Process, sleep } from "../../../../src/time/process.ts";

const FIELDS = ["addr_lo", "addr_hi", "data", "ctrl"];
const hex = (value: number): string => (value >>> 0).toString(16);

export const MSIX_CAP = 0x40;
export const MSI_CAP = 0x50;
export const EXP_CAP = 0x80;
export const TABLE_OFFSET = 0x2000;

/** Logs `cfg OFFSET VALUE`, `tbl VECTOR FIELD VALUE`, `reg OFFSET VALUE`, `bell QUEUE VALUE`. */
export class FakeVm implements VirtualMachine {
  readonly vcpus: number;
  readonly functions: VirtualFunction[];
  readonly lapics: LocalApics;
  readonly sequence: TokenSequence;
  readonly log: string[] = [];
  readonly configs: Uint8Array[];
  /** Registers that read as last written; CSTS follows CC.EN. */
  readonly registers = new Map<number, number>();
  /** Runs inside each access, after it was logged. */
  onAccess: (line: string) => void = () => {};
  onUnplugRequest: ((fn: VirtualFunction) => void) | null = null;
  onWork: (() => void) | null = null;
  onAbort: ((assertion: string) => void) | null = null;
  /** Power-on fails with this message. */
  realizeError: string | null = null;
  latencyNs = 10;

  constructor(
    vcpus: number,
    devices: readonly DeviceSpec[],
    rows: readonly DeviceRows[],
    port: GuestPort,
  ) {
    this.vcpus = vcpus;
    this.lapics = new LocalApics(port);
    this.sequence = new TokenSequence(port.shape.rows);
    this.functions = devices.map((spec, i) => ({
      spec,
      rows: rows[i]!,
      doorbellBase: 0,
      intxPin: 21 + i,
    }));
    this.configs = devices.map(configOf);
  }

  #say(line: string): void {
    this.log.push(line);
    this.onAccess(line);
  }

  *realize(): Process {
    this.#say("realize");
    yield* sleep(this.latencyNs);
    if (this.realizeError !== null) throw new RealizeError(this.realizeError);
  }

  *configRead(fn: VirtualFunction, offset: number, size: number): Process<number> {
    yield* sleep(this.latencyNs);
    const config = this.configs[this.functions.indexOf(fn)]!;
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + config[offset + i]!;
    return value;
  }

  *configWrite(fn: VirtualFunction, offset: number, size: number, value: number): Process {
    this.#say(`cfg ${hex(offset)} ${hex(value)}`);
    yield* sleep(this.latencyNs);
    const config = this.configs[this.functions.indexOf(fn)]!;
    const written = offset >= 0x10 && offset <= 0x30 ? barValue(fn.spec, offset, value) : value;
    for (let i = 0; i < size; i++) config[offset + i] = (written >>> (8 * i)) & 0xff;
  }

  *mmioRead(_fn: VirtualFunction, _bar: number, offset: number, _size: number): Process<number> {
    yield* sleep(this.latencyNs);
    if (offset === 0x1c) return (this.registers.get(0x14) ?? 0) & 1;
    return this.registers.get(offset) ?? 0;
  }

  *mmioWrite(
    fn: VirtualFunction,
    _bar: number,
    offset: number,
    _size: number,
    value: number,
  ): Process {
    const entry = offset - TABLE_OFFSET;
    if (entry >= 0 && entry < fn.spec.msixVectors * 16) {
      this.#say(`tbl ${entry >> 4} ${FIELDS[(entry & 15) >> 2]} ${hex(value)}`);
    } else {
      this.registers.set(offset, value);
      this.#say(`reg ${hex(offset)} ${hex(value)}`);
    }
    yield* sleep(this.latencyNs);
  }

  ringDoorbell(_fn: VirtualFunction, queue: number, value: number): void {
    this.#say(`bell ${queue} ${value}`);
  }

  *routeIntx(_fn: VirtualFunction, pin: number): Process {
    this.#say(`route ${pin}`);
    yield* sleep(this.latencyNs);
  }

  *ioapicWrite(pin: number, low: number, high: number): Process {
    this.#say(`ioapic ${pin} ${hex(low)} ${hex(high)}`);
    yield* sleep(this.latencyNs);
  }

  eoi(vcpu: number, vector: number): void {
    this.#say(`eoi ${vcpu} ${hex(vector)}`);
  }

  *eject(fn: VirtualFunction): Process {
    this.#say(`eject ${fn.spec.name}`);
    yield* sleep(this.latencyNs);
  }

  *plug(fn: VirtualFunction): Process {
    this.#say(`plug ${fn.spec.name}`);
    yield* sleep(this.latencyNs);
  }

  counters(): Readonly<Record<string, number>> {
    return { "vmm.lines": this.log.length };
  }

  *systemReset(): Process {
    this.#say("reset");
    yield* sleep(this.latencyNs);
    this.configs.forEach((config) => {
      config[4] = 0;
      config[5] = 1;
      config.fill(0, 0x10, 0x28);
      config[0x10] = 4;
    });
    this.registers.clear();
  }

  *quit(): Process {
    this.#say("quit");
    yield* sleep(this.latencyNs);
  }

  poll(): number {
    return 0;
  }

  busy(): boolean {
    return false;
  }

  settle(): void {
    this.#say("settle");
  }
}

/** QEMU's nvme: BAR0 is 64-bit and 16 KiB; others have no BAR bits that stick. */
function barValue(spec: DeviceSpec, offset: number, value: number): number {
  if (offset === 0x10) return (value & ~0x3fff) | 4;
  return offset === 0x14 && spec.model === "nvme" ? value : 0;
}

function configOf(spec: DeviceSpec): Uint8Array {
  const config = new Uint8Array(256);
  const caps: number[] = [];
  const put = (offset: number, ...bytes: number[]): void => config.set(bytes, offset);
  put(4, 0x00, 0x01);
  if (spec.model === "nvme") put(0x0a, 0x08, 0x01);
  put(0x10, 4);
  if (spec.msixVectors > 0) {
    const last = spec.msixVectors - 1;
    put(MSIX_CAP, 0x11, 0, last & 0xff, last >> 8, 0x00, 0x20, 0, 0);
    caps.push(MSIX_CAP);
  }
  if (spec.msiVectors > 0) {
    put(MSI_CAP, 0x05, 0, 0x80, 0x00);
    caps.push(MSI_CAP);
  }
  put(EXP_CAP, 0x10, 0);
  caps.push(EXP_CAP);
  config[0x34] = caps[0]!;
  for (let i = 1; i < caps.length; i++) config[caps[i - 1]! + 1] = caps[i]!;
  return config;
}

/** Joins runs of log lines: three message writes into `msg`, masked neighbours into `mask A-B`. */
export function compact(log: readonly string[]): string[] {
  const lines = log
    .join("\n")
    .replace(
      /^tbl (\d+) addr_lo (\w+)\ntbl \1 addr_hi 0\ntbl \1 data (\w+)$/gm,
      (_, vector, address, data) => `msg ${vector} ${address} ${data}`,
    )
    .replace(/^tbl (\d+) ctrl 1$/gm, "mask $1")
    .replace(/^tbl (\d+) ctrl 0$/gm, "unmask $1")
    .split("\n");
  const out: string[] = [];
  for (const line of lines) {
    const run = /^mask (?:(\d+)-)?(\d+)$/.exec(out.at(-1) ?? "");
    const next = /^mask (\d+)$/.exec(line);
    if (run !== null && next !== null && Number(next[1]) === Number(run[2]) + 1) {
      out[out.length - 1] = `mask ${run[1] ?? run[2]}-${next[1]}`;
    } else out.push(line);
  }
  return out;
}
