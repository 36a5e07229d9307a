/** A virtual machine without a VMM: what guest software does to its functions goes to a bus. */
import type { DeviceRows } from "../../src/measure/rows.ts";
import type { DeviceSpec } from "../../src/scenario/types.ts";
import type { GuestPort } from "../../src/shm/border.ts";
import { type Process, step } from "../../src/time/process.ts";
import { LocalApics } from "../local-apic.ts";
import { TokenSequence } from "../token-sequence.ts";
import type { RemappingUnit, VirtualFunction, VirtualMachine } from "../vmm/types.ts";
import type { Choices } from "./guest-irq.ts";

/** Somebody who has the functions' registers, by the names of the devices. */
export interface ReplayBus {
  readonly choices: Choices;
  /** The guest has a vIOMMU and remaps interrupts. */
  readonly isRemapped: boolean;
  configRead(device: string, offset: number, size: number): number;
  configWrite(device: string, offset: number, size: number, value: number): Process;
  mmioRead(device: string, bar: number, offset: number): number;
  mmioWrite(device: string, bar: number, offset: number, size: number, value: number): Process;
  /** Power-on or reset: ends when it has come that far. */
  systemReset(): Process;
}

class ReplayFunction implements VirtualFunction {
  readonly spec: DeviceSpec;
  readonly rows: DeviceRows;
  readonly doorbellBase = 0;
  readonly intxPin: number;

  constructor(spec: DeviceSpec, rows: DeviceRows, pin: number) {
    this.spec = spec;
    this.rows = rows;
    this.intxPin = pin;
  }
}

/** The first PCI line of a q35's IOAPIC. */
const FIRST_PIN = 16;
const NO_REMAPPING: RemappingUnit = { *write(): Process {} };

export class ReplayVm implements VirtualMachine {
  readonly vcpus: number;
  readonly functions: readonly VirtualFunction[];
  readonly lapics: LocalApics;
  readonly sequence: TokenSequence;
  readonly remapping: RemappingUnit | null;
  onUnplugRequest: ((fn: VirtualFunction) => void) | null = null;
  onWork: (() => void) | null = null;
  onAbort: ((assertion: string) => void) | null = null;
  readonly #bus: ReplayBus;

  constructor(
    bus: ReplayBus,
    port: GuestPort,
    devices: readonly DeviceSpec[],
    rows: readonly DeviceRows[],
  ) {
    this.vcpus = port.shape.vcpus;
    this.#bus = bus;
    this.lapics = new LocalApics(port);
    this.sequence = new TokenSequence(port.shape.rows);
    this.functions = devices.map((spec, i) => new ReplayFunction(spec, rows[i]!, FIRST_PIN + i));
    this.remapping = bus.isRemapped ? NO_REMAPPING : null;
  }

  realize(): Process {
    return this.#bus.systemReset();
  }

  systemReset(): Process {
    return this.#bus.systemReset();
  }

  *configRead(fn: VirtualFunction, offset: number, size: number): Process<number> {
    yield* step();
    return this.#bus.configRead(fn.spec.name, offset, size);
  }

  configWrite(fn: VirtualFunction, offset: number, size: number, value: number): Process {
    return this.#bus.configWrite(fn.spec.name, offset, size, value);
  }

  *mmioRead(fn: VirtualFunction, bar: number, offset: number): Process<number> {
    yield* step();
    return this.#bus.mmioRead(fn.spec.name, bar, offset);
  }

  mmioWrite(
    fn: VirtualFunction,
    bar: number,
    offset: number,
    size: number,
    value: number,
  ): Process {
    return this.#bus.mmioWrite(fn.spec.name, bar, offset, size, value);
  }

  ringDoorbell(): void {}

  *routeIntx(): Process {}

  *ioapicWrite(): Process {}

  eoi(): void {}

  *eject(): Process {}

  *plug(): Process {}

  *quit(): Process {}

  poll(): number {
    return 0;
  }

  busy(): boolean {
    return false;
  }

  counters(): Readonly<Record<string, number>> {
    return {};
  }

  settle(): void {}
}
