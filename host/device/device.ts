/** What every device model has in common: BAR accesses, and raising through the meter. */
import { PciFunction, type PciFunctionOptions } from "../../src/pci/function.ts";
import type { PciIrqKind } from "../../src/pci/types.ts";
import type { DeviceSpec, WorkloadSpec } from "../../src/scenario/types.ts";
import type { DeviceMeter } from "./meter.ts";
import type { DeviceEnv, PhysicalDevice } from "./types.ts";

/** What a device is built with beside its spec. */
export interface DeviceExtra {
  /** Without it time stands still at 0 and work that takes time is done at once. */
  readonly env?: DeviceEnv;
  /** The device sits behind a root port, not on the root complex. */
  readonly behindRootPort?: boolean;
  /** What a read gives that nothing decodes: 0 on QEMU's q35, ones on its arm64 virt machine. */
  readonly unmappedRead?: number;
}

/** Command register as SeaBIOS and Linux leave it: I/O and memory on, SERR#, no bus master. */
export const FIRMWARE_COMMAND = 0x103;
/** Interrupt line as SeaBIOS leaves it; Linux on x86 asks the ACPI tables instead. */
export const FIRMWARE_INTERRUPT_LINE = 0x0b;

export abstract class Device implements PhysicalDevice {
  readonly spec: DeviceSpec;
  readonly fn: PciFunction;
  meter: DeviceMeter | null = null;
  quietDoorbell: ((index: number, quiet: boolean) => void) | null = null;
  protected env: DeviceEnv | null;
  readonly #unmappedRead: number;

  protected constructor(spec: DeviceSpec, options: PciFunctionOptions, extra: DeviceExtra) {
    this.spec = spec;
    this.fn = new PciFunction({ ...options, bist: spec.bist ?? false });
    this.fn.onSelfTest = () => this.reset();
    this.env = extra.env ?? null;
    this.#unmappedRead = extra.unmappedRead ?? 0;
  }

  get doorbells(): number {
    return 0;
  }

  doorbell(_index: number, _value: number): void {}

  barRead(bar: number, offset: number, size: number): bigint {
    if (size === 8) {
      const high = this.barRead(bar, offset + 4, 4);
      return (high << 32n) | this.barRead(bar, offset, 4);
    }
    const msix = this.fn.msix;
    if (msix !== null) {
      const table = offset - msix.table.offset;
      if (bar === msix.table.bar && table >= 0 && table < msix.tableBytes) {
        return BigInt(this.fn.tableRead(table, size));
      }
      const pba = offset - msix.pba.offset;
      if (bar === msix.pba.bar && pba >= 0 && pba < msix.pbaBytes) {
        return BigInt(this.fn.pbaRead(pba, size));
      }
      // Registers are in BAR 0: where MSI-X has a BAR of its own there is nothing else in it.
      if (bar === msix.table.bar && bar !== 0) {
        return BigInt(this.#unmappedRead) & (2n ** BigInt(8 * size) - 1n);
      }
    }
    return BigInt(this.readRegister(bar, offset, size) >>> 0);
  }

  barWrite(bar: number, offset: number, size: number, value: bigint): void {
    if (size === 8) {
      this.barWrite(bar, offset, 4, value & 0xffffffffn);
      this.barWrite(bar, offset + 4, 4, value >> 32n);
      return;
    }
    const written = Number(BigInt.asUintN(8 * size, value));
    const msix = this.fn.msix;
    const table = msix === null ? -1 : offset - msix.table.offset;
    if (msix !== null && bar === msix.table.bar && table >= 0 && table < msix.tableBytes) {
      this.fn.tableWrite(table, size, written);
      return;
    }
    this.writeRegister(bar, offset, size, written);
  }

  /** The load stays set up, but is silent until a driver enables queues again. */
  reset(): void {
    this.fn.reset();
    this.resetRegisters();
  }

  startLoad(_load: WorkloadSpec, env: DeviceEnv): void {
    this.env = env;
  }

  stopLoad(): void {}

  runLoad(_now: number): number {
    return Number.POSITIVE_INFINITY;
  }

  /** A register of 1, 2 or 4 bytes; MSI-X table and PBA are not asked for. */
  protected abstract readRegister(bar: number, offset: number, size: number): number;
  protected abstract writeRegister(bar: number, offset: number, size: number, value: number): void;
  protected abstract resetRegisters(): void;

  protected now(): number {
    return this.env === null ? 0 : this.env.clock.now();
  }

  /** A token is born and handed to the function. Hot path. */
  protected raise(kind: PciIrqKind, vector: number, atNs: number): void {
    const meter = this.meter;
    if (meter !== null) meter.raise(meter.row(kind, vector), atNs);
    this.fn.raise(kind, vector);
  }

  /** MSI-X of a function without a pin: while it is off an interrupt is lost. Hot path. */
  protected raiseMsix(vector: number, atNs: number): void {
    const { meter, fn } = this;
    if (fn.msix!.enabled) {
      this.raise("msix", vector, atNs);
      return;
    }
    if (meter !== null) meter.raise(meter.row("msix", vector), atNs);
    fn.ended("msix", vector, "dropped-disabled");
  }
}
