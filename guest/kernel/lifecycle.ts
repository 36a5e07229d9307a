/** A guest's life: power, firmware, kernel, drivers, and the actions its timeline asks for. */
import { unreachable } from "../../src/base/assert.ts";
import type { IrqKind } from "../../src/measure/rows.ts";
import type { GuestPlan, MachineEnv } from "../../src/run/contract.ts";
import type { TimelineAction, TimelineEntry } from "../../src/scenario/types.ts";
import { type Process, step } from "../../src/time/process.ts";
import { createDriver } from "../driver/registry.ts";
import type { GuestDriver } from "../driver/types.ts";
import { RealizeError } from "../vmm/errors.ts";
import type { VirtualFunction, VirtualMachine } from "../vmm/types.ts";
import { administer } from "./administration.ts";
import { assignResources, firmwareSetup, IntxRouting, kernelSetup } from "./enumeration.ts";
import type { GuestInterrupts } from "./interrupts.ts";
import { GuestKernel, type KernelOptions } from "./kernel.ts";
import { msiOverMsix } from "./misuse.ts";
import { PciDevice } from "./pci-device.ts";

export type LifeState = "off" | "firmware" | "booting" | "running" | "crashed";

/** A reset of a running guest is two under SeaBIOS, which resets the machine once more. */
const SEABIOS_RESETS = 2;

/** What may be other than a Linux 6.12 with all drivers built in. */
export interface LifeOptions extends KernelOptions {
  /** False for a device whose driver is a module that somebody loads later. */
  readonly probesAtBoot?: (device: string) => boolean;
  /** True for a device that is plugged in later. */
  readonly absent?: (device: string) => boolean;
  /** In place of the drivers' registry. */
  readonly createDriver?: (kernel: GuestKernel, fn: VirtualFunction) => GuestDriver | null;
}

/** All actions are processes of the one 'vcpu' task; none of them ends early but by a kill. */
export class Lifecycle {
  state: LifeState = "off";
  /** The VM process has ended in good order. */
  quit = false;
  /** Why it ended, if not because the guest wanted. */
  why: string | null = null;
  /** I/O is wanted: boots and binds start it. */
  #io = true;
  #kernel: GuestKernel | null = null;
  #drivers: GuestDriver[] = [];
  #mode: IrqKind | null = null;
  readonly #env: MachineEnv;
  readonly #plan: GuestPlan;
  readonly #vm: VirtualMachine;
  readonly #interrupts: GuestInterrupts;
  readonly #routing: IntxRouting;
  readonly #options: LifeOptions;
  /** Devices the guest has given back: not there any more at the next boot. */
  readonly #ejected = new Set<VirtualFunction>();
  #realized = false;
  #boots = 0;

  constructor(
    env: MachineEnv,
    plan: GuestPlan,
    vm: VirtualMachine,
    interrupts: GuestInterrupts,
    options: LifeOptions = {},
  ) {
    this.#options = options;
    for (const fn of vm.functions) if (options.absent?.(fn.spec.name)) this.#ejected.add(fn);
    this.#env = env;
    this.#plan = plan;
    this.#vm = vm;
    this.#interrupts = interrupts;
    this.#routing = new IntxRouting(vm);
  }

  get drivers(): readonly GuestDriver[] {
    return this.#drivers;
  }

  get kernel(): GuestKernel | null {
    return this.#kernel;
  }

  get boots(): number {
    return this.#boots;
  }

  *perform(entry: Omit<TimelineEntry, "at">): Process {
    const action: TimelineAction = entry.do;
    switch (action) {
      case "boot":
        return yield* this.#boot();
      case "reboot":
        return yield* this.#reboot();
      case "reset":
        return yield* this.#reset();
      case "crash":
        return yield* this.#crash();
      case "shutdown":
        return yield* this.#shutdown();
      case "unbind":
        return yield* this.#unbind();
      case "bind":
        return yield* this.#bind();
      case "mode":
        return yield* this.#setMode(entry.to ?? "msix");
      case "cpu-offline":
        return yield* this.#hotplug(entry.cpu ?? this.#vm.vcpus - 1, false);
      case "cpu-online":
        return yield* this.#hotplug(entry.cpu ?? this.#vm.vcpus - 1, true);
      case "io-start":
        return yield* this.#startIo();
      case "io-stop":
        return yield* this.#stopIo();
      case "link-up":
      case "link-down":
      case "ethtool-l":
      case "self-test":
      case "set-affinity":
      case "wq-enable":
      case "wq-disable":
      case "rdma-up":
      case "rdma-down":
        return yield* this.#administer(entry);
      case "msi-over-msix":
        return yield* msiOverMsix(this.#vm, this.#ejected);
      // The process's, not the guest's.
      case "kill":
      case "stall":
      case "corrupt":
        return;
      default:
        return unreachable(action);
    }
  }

  #emit(point: Parameters<MachineEnv["tracer"]["emit"]>[0], args = {}): void {
    this.#env.tracer.emit(point, args);
  }

  /** Power button: a guest that crashed is reset, one that runs is left alone. */
  *#boot(): Process {
    if (this.state === "running") return;
    if (!this.#realized) {
      this.#emit("guest_power_on");
      this.#realized = true;
      if (!(yield* this.#realize())) return;
    } else yield* this.#systemResets();
    yield* this.#bootUp();
  }

  /** False if the VMM could not start: its process is gone then. */
  *#realize(): Process<boolean> {
    try {
      yield* this.#vm.realize();
      return true;
    } catch (error) {
      if (!(error instanceof RealizeError)) throw error;
      this.quit = true;
      this.why = error.message;
      this.#emit("guest_stopped", { why: error.message });
      return false;
    }
  }

  /** ACPI hot-unplug, which the VMM asks for when the host wants the device back. */
  *unplug(fn: VirtualFunction): Process {
    if (this.#ejected.has(fn)) return;
    const driver = this.#drivers.find(({ device }) => device === fn.spec.name);
    if (driver !== undefined) yield* this.#remove(driver);
    this.#drivers = this.#drivers.filter((other) => other !== driver);
    this.#ejected.add(fn);
    yield* this.#vm.eject(fn);
  }

  *#bootUp(): Process {
    this.state = "firmware";
    this.#emit("guest_firmware");
    const functions = this.#vm.functions.filter((fn) => !this.#ejected.has(fn));
    const devices = functions.map((fn) => new PciDevice(this.#vm, fn));
    const { startsIn = "firmware" } = this.#vm;
    if (startsIn === "firmware") {
      for (const [index, dev] of devices.entries()) yield* firmwareSetup(dev, this.#routing, index);
    }
    yield* this.#bootKernel(devices, startsIn !== "driver");
  }

  /** A new kernel finds the devices, and drivers those they know. */
  *#bootKernel(devices: readonly PciDevice[], enumerates: boolean): Process {
    this.state = "booting";
    this.#boots++;
    this.#emit("guest_kernel_boot", { boot: this.#boots });
    this.#interrupts.table.clearHandlers();
    this.#kernel = new GuestKernel(
      this.#env,
      this.#plan,
      this.#vm,
      this.#interrupts,
      this.#options,
    );
    if (enumerates) for (const dev of devices) yield* kernelSetup(dev, this.#routing);
    this.#interrupts.enable();
    this.#drivers = [];
    for (const { fn } of devices) this.#addDriver(fn);
    this.state = "running";
    for (const driver of this.#drivers) {
      if (this.#options.probesAtBoot?.(driver.device) ?? true) yield* this.#probe(driver);
    }
  }

  #addDriver(fn: VirtualFunction): GuestDriver | null {
    const driver = (this.#options.createDriver ?? createDriver)(this.#kernel!, fn);
    if (driver !== null) this.#drivers.push(driver);
    return driver;
  }

  *#probe(driver: GuestDriver): Process {
    if (this.#mode !== null) driver.mode = this.#mode;
    const { device, mode } = driver;
    this.#emit("guest_driver_probe", { device, mode });
    const result = yield* driver.probe();
    if (result < 0) {
      this.#emit("guest_driver_error", { device, what: "probe", errno: result });
      return;
    }
    this.#emit("guest_mode", { device, mode });
    if (this.#io) yield* this.#startDriver(driver);
  }

  *#startDriver(driver: GuestDriver): Process {
    if (driver.state !== "bound") return;
    yield* driver.startIo();
    this.#emit("guest_io_start", { device: driver.device });
  }

  *#remove(driver: GuestDriver): Process {
    if (driver.state !== "bound") return;
    yield* driver.remove();
    this.#emit("guest_driver_remove", { device: driver.device });
  }

  /** The kernel's orderly end: devices are shut down in reverse order of their binding. */
  *shutDownDrivers(): Process {
    for (const driver of [...this.#drivers].reverse()) yield* this.#remove(driver);
  }

  *#reboot(): Process {
    if (this.state !== "running") return;
    this.#emit("guest_reboot");
    yield* this.shutDownDrivers();
    yield* this.#systemResets();
    yield* this.#bootUp();
  }

  /** QMP system_reset: the kernel is not asked. */
  *#reset(): Process {
    if (this.state === "off") return;
    this.#emit("guest_reset");
    this.#halt();
    yield* this.#systemResets();
    yield* this.#bootUp();
  }

  /** Panic: interrupts off, devices as they are, then the reset that panic=-1 asks for. */
  *#crash(): Process {
    if (this.state !== "running") return;
    this.#emit("guest_crash");
    this.#halt();
    this.state = "crashed";
    yield* step();
    yield* this.#systemResets();
    yield* this.#bootUp();
  }

  *#shutdown(): Process {
    if (this.state === "off") return;
    yield* this.shutDownDrivers();
    this.#halt();
    yield* this.#vm.quit();
    this.state = "off";
    this.quit = true;
    this.#emit("guest_stopped");
  }

  /** No more guest code runs. */
  #halt(): void {
    this.#interrupts.disable();
    for (const driver of this.#drivers) driver.halt();
    this.#kernel?.halt();
  }

  *#systemResets(): Process {
    this.#halt();
    this.#drivers = [];
    this.#kernel = null;
    const { startsIn = "firmware" } = this.#vm;
    const resets = startsIn === "firmware" ? SEABIOS_RESETS : 1;
    for (let i = 0; i < resets; i++) {
      this.state = "firmware";
      yield* this.#vm.systemReset();
      this.#interrupts.reset();
    }
  }

  *#unbind(): Process {
    if (this.state === "running") yield* this.shutDownDrivers();
  }

  *#bind(): Process {
    if (this.state !== "running") return;
    for (const driver of this.#drivers) {
      if (driver.state !== "bound") yield* this.#probe(driver);
    }
  }

  /** The driver is bound again in another mode, as with a module parameter; boots keep it. */
  *#setMode(mode: IrqKind): Process {
    this.#mode = mode;
    if (this.state !== "running") return;
    yield* this.shutDownDrivers();
    yield* this.#bind();
  }

  *#hotplug(vcpu: number, on: boolean): Process {
    if (this.state !== "running" || this.#kernel?.setOnline(vcpu, on) !== true) return;
    for (const driver of this.#drivers) {
      if (driver.state !== "bound") continue;
      yield* on ? driver.cpuOnline(vcpu) : driver.cpuOffline(vcpu);
    }
    this.#emit(on ? "guest_cpu_online" : "guest_cpu_offline", { cpu: vcpu });
  }

  /** The driver of `device`, if a kernel runs that has one. */
  driver(device: string): GuestDriver | null {
    if (this.state !== "running") return null;
    return this.#drivers.find((driver) => driver.device === device) ?? null;
  }

  /** `modprobe` of what drives the device, or a write to its driver's `bind`. */
  *bindDriver(device: string): Process {
    const driver = this.driver(device);
    if (driver !== null && driver.state !== "bound") yield* this.#probe(driver);
  }

  /** A write to `unbind`, or `rmmod`. */
  *unbindDriver(device: string): Process {
    const driver = this.driver(device);
    if (driver !== null) yield* this.#remove(driver);
  }

  /** `kexec -e`: drivers shut down, and the next kernel starts without firmware. */
  *kexec(): Process {
    if (this.state !== "running") return;
    yield* this.shutDownDrivers();
    this.#halt();
    const functions = this.#vm.functions.filter((fn) => !this.#ejected.has(fn));
    const devices = functions.map((fn) => new PciDevice(this.#vm, fn));
    yield* this.#bootKernel(devices, true);
  }

  /** A device comes: hot-plugged, or found by a scan of the bus after it was removed. */
  *discover(fn: VirtualFunction): Process {
    if (this.state !== "running") return;
    this.#ejected.delete(fn);
    const dev = new PciDevice(this.#vm, fn);
    yield* assignResources(dev, yield* kernelSetup(dev, this.#routing));
    const driver = this.#addDriver(fn);
    if (driver !== null) yield* this.#probe(driver);
  }

  /** A write to the device's `remove`: the kernel forgets it, the machine still has it. */
  *removeDevice(device: string): Process {
    const driver = this.driver(device);
    if (driver === null) return;
    yield* this.#remove(driver);
    this.#drivers = this.#drivers.filter((other) => other !== driver);
  }

  *#administer(entry: Omit<TimelineEntry, "at">): Process {
    if (this.state !== "running") return;
    yield* administer(this.#drivers, entry, ({ device }, errno) =>
      this.#emit("guest_driver_error", { device, what: entry.do, errno }),
    );
  }

  *#startIo(): Process {
    this.#io = true;
    if (this.state !== "running") return;
    for (const driver of this.#drivers) yield* this.#startDriver(driver);
  }

  *#stopIo(): Process {
    this.#io = false;
    if (this.state !== "running") return;
    for (const driver of this.#drivers) {
      if (driver.state !== "bound") continue;
      yield* driver.stopIo();
      this.#emit("guest_io_stop", { device: driver.device });
    }
  }
}
