/** A physical function: registers, reset and interrupts, one interface for every model. */
import type { Prng } from "../../src/base/prng.ts";
import type { PciFunction } from "../../src/pci/function.ts";
import type { DeviceSpec, WorkloadSpec } from "../../src/scenario/types.ts";
import type { Clock } from "../../src/time/clock.ts";
import type { Scheduler } from "../../src/time/scheduler.ts";
import type { DeviceMeter } from "./meter.ts";

/** What a device may use of the world. */
export interface DeviceEnv {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  random(name: string): Prng;
  /** Told whenever something but time changes when open-loop traffic is due next (ns). */
  readonly loadPlanned?: (at: number) => void;
}

/** The models are classes that implement this; `createDevice` in registry.ts makes them. */
export interface PhysicalDevice {
  readonly spec: DeviceSpec;
  readonly fn: PciFunction;
  /** Counts and stamps; set while the device belongs to a guest, else null. */
  meter: DeviceMeter | null;
  /** A BAR register access that reaches the device; size 1, 2, 4 or 8. */
  barRead(bar: number, offset: number, size: number): bigint;
  barWrite(bar: number, offset: number, size: number, value: bigint): void;
  /**
   * Function level or PM reset: registers to their defaults, interrupts withdrawn. A load that was
   * started is silent until the driver enables queues again.
   */
  reset(): void;
  /** Doorbells (shared memory words) the device has; queue `i` is doorbell `i`. */
  readonly doorbells: number;
  /** Set by the host: the device does not care for rings of doorbell `index` for now, or does. */
  quietDoorbell: ((index: number, quiet: boolean) => void) | null;
  /** The guest rang doorbell `index`; `value` is whatever it wrote. */
  doorbell(index: number, value: number): void;
  /** The device's own traffic: open-loop arrivals while its queues are enabled. */
  startLoad(load: WorkloadSpec, env: DeviceEnv): void;
  stopLoad(): void;
  /**
   * Raises open-loop interrupts that are due by `now` (ns), each stamped with its intended time;
   * returns when the next is due, or Infinity. Hot path: called in every turn of the host's loop.
   */
  runLoad(now: number): number;
}
