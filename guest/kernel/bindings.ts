/** The drivers of the kernel that runs: bound, started, asleep, taken off (drivers/base/dd.c). */
import type { IrqKind } from "../../src/measure/rows.ts";
import type { MachineEnv } from "../../src/run/contract.ts";
import type { Process } from "../../src/time/process.ts";
import type { GuestDriver } from "../driver/types.ts";
import { suspendDevices } from "./administration.ts";

export class Bindings {
  /** I/O is wanted: a driver that is bound starts it. */
  io = true;
  /** What an administrator has chosen, over boots; null: each driver's own choice. */
  mode: IrqKind | null = null;
  readonly #env: MachineEnv;
  #drivers: GuestDriver[] = [];
  /** The running kernel's own choice (`pci=nomsi`), which goes before. */
  #kernelMode: IrqKind | null = null;

  constructor(env: MachineEnv) {
    this.#env = env;
  }

  get drivers(): readonly GuestDriver[] {
    return this.#drivers;
  }

  find(device: string): GuestDriver | null {
    return this.#drivers.find((driver) => driver.device === device) ?? null;
  }

  /** A new kernel has none yet. */
  clear(kernelMode: IrqKind | null = null): void {
    this.#drivers = [];
    this.#kernelMode = kernelMode;
  }

  add(driver: GuestDriver): void {
    this.#drivers.push(driver);
  }

  drop(driver: GuestDriver): void {
    this.#drivers = this.#drivers.filter((other) => other !== driver);
  }

  /** No code of theirs runs any more. */
  halt(): void {
    for (const driver of this.#drivers) driver.halt();
  }

  #emit(point: Parameters<MachineEnv["tracer"]["emit"]>[0], args = {}): void {
    this.#env.tracer.emit(point, args);
  }

  *probe(driver: GuestDriver): Process {
    driver.mode = this.#kernelMode ?? this.mode ?? driver.mode;
    const { device, mode } = driver;
    this.#emit("guest_driver_probe", { device, mode });
    const result = yield* driver.probe();
    if (result < 0) {
      this.#emit("guest_driver_error", { device, what: "probe", errno: result });
      return;
    }
    this.#emit("guest_mode", { device, mode });
    if (this.io) yield* this.#start(driver);
  }

  *#start(driver: GuestDriver): Process {
    if (driver.state !== "bound") return;
    yield* driver.startIo();
    this.#emit("guest_io_start", { device: driver.device });
  }

  *remove(driver: GuestDriver): Process {
    if (driver.state !== "bound") return;
    yield* driver.remove();
    this.#emit("guest_driver_remove", { device: driver.device });
  }

  /** In reverse order of their binding. */
  *removeAll(): Process {
    for (const driver of [...this.#drivers].reverse()) yield* this.remove(driver);
  }

  /** Those that are not bound. */
  *bindAll(): Process {
    for (const driver of this.#drivers) if (driver.state !== "bound") yield* this.probe(driver);
  }

  *startIo(): Process {
    this.io = true;
    for (const driver of this.#drivers) yield* this.#start(driver);
  }

  *stopIo(): Process {
    this.io = false;
    for (const driver of this.#drivers) {
      if (driver.state !== "bound") continue;
      yield* driver.stopIo();
      this.#emit("guest_io_stop", { device: driver.device });
    }
  }

  suspend(): Process {
    return suspendDevices(this.#drivers);
  }

  /** The first one first; what there was to do goes on. */
  *resume(): Process {
    for (const driver of this.#drivers) {
      const { device, mode } = driver;
      const result = yield* driver.resume();
      if (result < 0) {
        this.#emit("guest_driver_error", { device, what: "resume", errno: result });
        continue;
      }
      this.#emit("guest_mode", { device, mode });
      if (this.io) yield* this.#start(driver);
    }
  }

  /** A vCPU has gone offline, or come back. */
  *hotplug(vcpu: number, isOnline: boolean): Process {
    for (const driver of this.#drivers) {
      if (driver.state !== "bound") continue;
      yield* isOnline ? driver.cpuOnline(vcpu) : driver.cpuOffline(vcpu);
    }
  }
}
