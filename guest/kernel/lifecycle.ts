/** A guest's life: power, firmware, kernel, drivers, and the actions its timeline asks for. */
import type { IrqKind } from "../../src/measure/rows.ts";
import type { GuestPlan, MachineEnv } from "../../src/run/contract.ts";
import type { TimelineEntry } from "../../src/scenario/types.ts";
import { type Process, step } from "../../src/time/process.ts";
import { createDriver } from "../driver/registry.ts";
import type { GuestDriver } from "../driver/types.ts";
import { RealizeError } from "../vmm/errors.ts";
import type { VirtualFunction, VirtualMachine } from "../vmm/types.ts";
import { administer } from "./administration.ts";
import { runStage } from "./before-kernel.ts";
import { Bindings } from "./bindings.ts";
import {
  assignResources,
  firmwareSetup,
  IntxRouting,
  kernelSetup,
  quietMessages,
} from "./enumeration.ts";
import type { GuestInterrupts } from "./interrupts.ts";
import { GuestKernel, type KernelOptions } from "./kernel.ts";
import { byHand } from "./misuse.ts";
import { PciDevice } from "./pci-device.ts";

export type LifeState = "off" | "firmware" | "booting" | "running" | "asleep" | "crashed";

interface BootOptions {
  readonly enumerates: boolean;
  /** A crash kernel: on one CPU, in this mode, and nobody has turned off what was on. */
  readonly crashMode?: IrqKind;
}

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
  /** The running kernel's drivers. */
  readonly bindings: Bindings;
  /** The VM process has ended in good order. */
  quit = false;
  /** Why it ended, if not because the guest wanted. */
  why: string | null = null;
  #kernel: GuestKernel | null = null;
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
    this.bindings = new Bindings(env);
    this.#plan = plan;
    this.#vm = vm;
    this.#interrupts = interrupts;
    this.#routing = new IntxRouting(vm);
  }

  get drivers(): readonly GuestDriver[] {
    return this.bindings.drivers;
  }

  get kernel(): GuestKernel | null {
    return this.#kernel;
  }

  get boots(): number {
    return this.#boots;
  }

  *perform(entry: Omit<TimelineEntry, "at">): Process {
    switch (entry.do) {
      case "boot":
        return yield* this.#boot();
      case "reboot":
        return yield* this.#reboot();
      case "reset":
        return yield* this.#reset();
      case "crash":
        // The reset that panic=-1 asks for.
        return yield* this.#panic(() => this.#restart());
      case "shutdown":
        return yield* this.#shutdown();
      case "unbind":
        if (this.state === "running") yield* this.shutDownDrivers();
        return;
      case "bind":
        return yield* this.#bind();
      case "mode":
        return yield* this.#setMode(entry.to ?? "msix");
      case "cpu-offline":
      case "cpu-online":
        return yield* this.#hotplug(entry.cpu ?? this.#vm.vcpus - 1, entry.do === "cpu-online");
      case "io-start":
      case "io-stop":
        return yield* this.#switchIo(entry.do === "io-start");
      case "kexec":
        return yield* this.kexec();
      case "crash-kexec":
        return yield* this.#panic(() => this.#crashKernel(entry.to ?? "intx"));
      case "suspend":
        return yield* this.#suspend();
      case "resume":
        return yield* this.#resume();
      case "migrate":
        return yield* this.#migrate();
      case "msi-over-msix":
      case "bist":
      case "intx-swap":
        return yield* byHand(entry.do, this.#present());
      // The process's, not the guest's.
      case "kill":
      case "stall":
      case "corrupt":
        return;
      default:
        return yield* this.#administer(entry);
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
    const driver = this.bindings.find(fn.spec.name);
    if (driver !== null) {
      yield* this.bindings.remove(driver);
      this.bindings.drop(driver);
    }
    this.#ejected.add(fn);
    yield* this.#vm.eject(fn);
  }

  *#bootUp(): Process {
    this.state = "firmware";
    this.#emit("guest_firmware");
    const devices = this.#present();
    const { startsIn = "firmware" } = this.#vm;
    if (startsIn === "firmware") {
      for (const [index, dev] of devices.entries()) yield* firmwareSetup(dev, this.#routing, index);
    }
    for (const mode of this.#plan.spec.firmware ?? []) yield* this.#stage(devices, mode);
    yield* this.#bootKernel(devices, { enumerates: startsIn !== "driver" });
  }

  #present(): PciDevice[] {
    const functions = this.#vm.functions.filter((fn) => !this.#ejected.has(fn));
    return functions.map((fn) => new PciDevice(this.#vm, fn));
  }

  #newKernel(): GuestKernel {
    return new GuestKernel(this.#env, this.#plan, this.#vm, this.#interrupts, this.#options);
  }

  #newDriver(kernel: GuestKernel, fn: VirtualFunction): GuestDriver | null {
    return (this.#options.createDriver ?? createDriver)(kernel, fn);
  }

  /** Firmware or a boot loader, with drivers of its own. */
  *#stage(devices: readonly PciDevice[], mode: IrqKind): Process {
    const kernel = this.#newKernel();
    this.#kernel = kernel;
    const drivers = devices.flatMap(({ fn }) => this.#newDriver(kernel, fn) ?? []);
    yield* runStage(this.#env, this.#interrupts, kernel, mode, drivers);
  }

  /** A new kernel finds the devices, and drivers those they know. */
  *#bootKernel(devices: readonly PciDevice[], how: BootOptions): Process {
    this.state = "booting";
    this.#boots++;
    this.#emit("guest_kernel_boot", { boot: this.#boots });
    this.#interrupts.table.clearHandlers();
    const kernel = this.#newKernel();
    this.#kernel = kernel;
    if (how.crashMode !== undefined) {
      kernel.bootProcessorOnly();
      for (const dev of devices) yield* quietMessages(dev);
    }
    if (how.enumerates) for (const dev of devices) yield* kernelSetup(dev, this.#routing);
    this.#interrupts.enable();
    this.bindings.clear(how.crashMode ?? null);
    for (const { fn } of devices) this.#addDriver(fn);
    this.state = "running";
    for (const driver of this.drivers) {
      if (this.#options.probesAtBoot?.(driver.device) ?? true) yield* this.bindings.probe(driver);
    }
  }

  #addDriver(fn: VirtualFunction): GuestDriver | null {
    const driver = this.#newDriver(this.#kernel!, fn);
    if (driver !== null) this.bindings.add(driver);
    return driver;
  }

  /** The kernel's orderly end. */
  shutDownDrivers(): Process {
    return this.bindings.removeAll();
  }

  *#reboot(): Process {
    if (this.state !== "running") return;
    this.#emit("guest_reboot");
    yield* this.shutDownDrivers();
    yield* this.#restart();
  }

  *#restart(): Process {
    yield* this.#systemResets();
    yield* this.#bootUp();
  }

  /** QMP system_reset: the kernel is not asked. */
  *#reset(): Process {
    if (this.state === "off") return;
    this.#emit("guest_reset");
    this.#halt();
    yield* this.#restart();
  }

  /** Panic: interrupts off, devices as they are; and what comes then. */
  *#panic(then: () => Process): Process {
    if (this.state !== "running") return;
    this.#emit("guest_crash");
    this.#halt();
    this.state = "crashed";
    yield* step();
    yield* then();
  }

  /** Nothing of the guest runs meanwhile, and it is not asked. */
  *#migrate(): Process {
    if (this.state !== "running") return;
    this.#interrupts.disable();
    yield* this.#vm.migrate?.() ?? step();
    this.#interrupts.enable();
    this.#emit("guest_migrated");
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
    this.bindings.halt();
    this.#kernel?.halt();
  }

  *#systemResets(): Process {
    this.#halt();
    this.bindings.clear();
    this.#kernel = null;
    const { startsIn = "firmware" } = this.#vm;
    const resets = startsIn === "firmware" ? SEABIOS_RESETS : 1;
    for (let i = 0; i < resets; i++) {
      this.state = "firmware";
      yield* this.#vm.systemReset();
      this.#interrupts.reset();
    }
  }

  *#bind(): Process {
    if (this.state === "running") yield* this.bindings.bindAll();
  }

  /** The driver is bound again in another mode, as with a module parameter; boots keep it. */
  *#setMode(mode: IrqKind): Process {
    this.bindings.mode = mode;
    if (this.state !== "running") return;
    yield* this.shutDownDrivers();
    yield* this.#bind();
  }

  *#hotplug(vcpu: number, on: boolean): Process {
    if (this.state !== "running" || this.#kernel?.setOnline(vcpu, on) !== true) return;
    yield* this.bindings.hotplug(vcpu, on);
    this.#emit(on ? "guest_cpu_online" : "guest_cpu_offline", { cpu: vcpu });
  }

  *#switchIo(isOn: boolean): Process {
    if (this.state === "running") {
      yield* isOn ? this.bindings.startIo() : this.bindings.stopIo();
    } else this.bindings.io = isOn;
  }

  /** `echo freeze > /sys/power/state`: the machine keeps what it has, and so do the vCPUs. */
  *#suspend(): Process {
    if (this.state !== "running") return;
    yield* this.bindings.suspend();
    this.state = "asleep";
    this.#emit("guest_suspend");
  }

  *#resume(): Process {
    if (this.state !== "asleep") return;
    this.state = "running";
    this.#emit("guest_resume");
    yield* this.bindings.resume();
  }

  /** The driver of `device`, if a kernel runs that has one. */
  driver(device: string): GuestDriver | null {
    return this.state === "running" ? this.bindings.find(device) : null;
  }

  /** `kexec -e`: drivers shut down, and the next kernel starts without firmware. */
  *kexec(): Process {
    if (this.state !== "running") return;
    yield* this.shutDownDrivers();
    this.#halt();
    yield* this.#bootKernel(this.#present(), { enumerates: true });
  }

  /**
   * A crash kernel starts at once, on one CPU, with devices as they are. What they have on their
   * way meets a kernel that knows nothing of it (kernel/kexec_core.c, __crash_kexec).
   */
  #crashKernel(crashMode: IrqKind): Process {
    return this.#bootKernel(this.#present(), { enumerates: true, crashMode });
  }

  /** A device comes: hot-plugged, or found by a scan of the bus after it was removed. */
  *discover(fn: VirtualFunction): Process {
    if (this.state !== "running") return;
    this.#ejected.delete(fn);
    const dev = new PciDevice(this.#vm, fn);
    yield* assignResources(dev, yield* kernelSetup(dev, this.#routing));
    const driver = this.#addDriver(fn);
    if (driver !== null) yield* this.bindings.probe(driver);
  }

  *#administer(entry: Omit<TimelineEntry, "at">): Process {
    if (this.state !== "running") return;
    yield* administer(this.drivers, entry, ({ device }, errno) =>
      this.#emit("guest_driver_error", { device, what: entry.do, errno }),
    );
  }
}
