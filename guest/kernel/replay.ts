/** A guest's kernel and drivers without a VMM beneath them, told step by step what happens. */
import { FateCounts } from "../../src/measure/fates.ts";
import { layoutRows, rowCount } from "../../src/measure/rows.ts";
import type { GuestPlan, MachineEnv } from "../../src/run/contract.ts";
import type { DeviceSpec, GuestSpec } from "../../src/scenario/types.ts";
import { type BorderShape, createBorder, guestPort } from "../../src/shm/border.ts";
import type { Process } from "../../src/time/process.ts";
import { NicDriver } from "../driver/nic.ts";
import { NvmeDriver } from "../driver/nvme.ts";
import type { GuestDriver, NetworkActions } from "../driver/types.ts";
import type { VirtualFunction } from "../vmm/types.ts";
import { resetFunction, resumeDevices, suspendDevices } from "./administration.ts";
import { FollowedDriver } from "./followed-driver.ts";
import { GUEST_KERNELS } from "./guest-irq.ts";
import { GuestInterrupts } from "./interrupts.ts";
import { IrqTable } from "./irq-table.ts";
import type { GuestKernel } from "./kernel.ts";
import { Lifecycle } from "./lifecycle.ts";
import { PciDevice } from "./pci-device.ts";
import { type ReplayBus, ReplayVm } from "./replay-machine.ts";

export interface ReplayGuestOptions {
  readonly vcpus: number;
  readonly kernel: keyof typeof GUEST_KERNELS;
  readonly devices: readonly DeviceSpec[];
  /** Devices whose driver is to find no message interrupts (`pci=nomsi`). */
  readonly lineOnly: boolean;
  /** Devices that are plugged in later. */
  readonly absent: readonly string[];
  /** Asked at each boot: whether a device's driver is built in, or loaded by the boot. */
  readonly probesAtBoot: (device: string) => boolean;
  /** Whether a device's driver is not modelled, but followed. */
  readonly isFollowed: (device: string) => boolean;
  /** What such a driver does when it is removed, shut down or put to rest. */
  readonly leaving: (device: string) => Process;
}

export class ReplayGuest {
  readonly #vm: ReplayVm;
  readonly #life: Lifecycle;
  readonly #removed = new Set<VirtualFunction>();

  constructor(env: MachineEnv, options: ReplayGuestOptions, bus: ReplayBus) {
    const plan = planFor(options);
    const shape = shapeFor(plan);
    const port = guestPort(createBorder(shape), shape, () => ({ wake: () => {} }));
    this.#vm = new ReplayVm(bus, port, options.devices, plan.rows);
    const table = new IrqTable(options.vcpus);
    const interrupts = new GuestInterrupts(env, port, this.#vm, table, plan);
    this.#life = new Lifecycle(env, plan, this.#vm, interrupts, {
      rules: GUEST_KERNELS[options.kernel],
      choices: bus.choices,
      probesAtBoot: options.probesAtBoot,
      absent: (device) => options.absent.includes(device),
      createDriver: (kernel, fn) => createDriver(options, kernel, fn),
    });
  }

  /** Power-on, and everything up to the drivers that the boot probes. No workload ever runs. */
  *boot(): Process {
    yield* this.#life.perform({ do: "io-stop" });
    yield* this.#life.perform({ do: "boot" });
  }

  /** Somebody resets the machine. */
  reset(): Process {
    return this.#life.perform({ do: "reset" });
  }

  reboot(): Process {
    return this.#life.perform({ do: "reboot" });
  }

  powerOff(): Process {
    return this.#life.shutDownDrivers();
  }

  kexec(): Process {
    return this.#life.kexec();
  }

  suspend(): Process {
    return suspendDevices(this.#life.drivers);
  }

  resume(): Process {
    return resumeDevices(this.#life.drivers);
  }

  /** `modprobe` of what drives the device, or a write to its driver's `bind`. */
  *bind(device: string): Process {
    const driver = this.#life.driver(device);
    if (driver !== null && driver.state !== "bound") yield* this.#life.bindings.probe(driver);
  }

  /** A write to `unbind`, or `rmmod`. */
  *unbind(device: string): Process {
    const driver = this.#life.driver(device);
    if (driver !== null) yield* this.#life.bindings.remove(driver);
  }

  cpuOnline(cpu: number, isOn: boolean): Process {
    return this.#life.perform({ do: isOn ? "cpu-online" : "cpu-offline", cpu });
  }

  resetFunction(device: string): Process {
    const dev = new PciDevice(this.#vm, this.#function(device));
    return resetFunction(dev, this.#life.driver(device));
  }

  /** nvme's `reset_controller`. */
  *resetController(device: string): Process {
    yield* this.unbind(device);
    yield* this.bind(device);
  }

  /** A write to the device's `remove`: the kernel forgets it, the machine still has it. */
  *remove(device: string): Process {
    this.#removed.add(this.#function(device));
    const driver = this.#life.driver(device);
    if (driver === null) return;
    yield* this.#life.bindings.remove(driver);
    this.#life.bindings.drop(driver);
  }

  *rescan(): Process {
    for (const fn of this.#removed) yield* this.#life.discover(fn);
    this.#removed.clear();
  }

  unplug(device: string): Process {
    return this.#life.unplug(this.#function(device));
  }

  plug(device: string): Process {
    return this.#life.discover(this.#function(device));
  }

  *link(device: string, isUp: boolean): Process {
    const network = this.#network(device);
    if (isUp) yield* network?.open() ?? nothing();
    else yield* network?.close() ?? nothing();
  }

  *setChannels(device: string, combined: number): Process {
    yield* this.#network(device)?.setChannels(combined) ?? nothing();
  }

  *selfTest(device: string): Process {
    yield* this.#network(device)?.selfTest() ?? nothing();
  }

  /** A write of /proc/irq/`number`/smp_affinity; one that nobody has is no message interrupt. */
  *setAffinity(number: number, vcpus: readonly number[]): Process {
    for (const { vectors } of this.#life.drivers) {
      const vector = vectors.vectorOf(number);
      if (vector >= 0) yield* vectors.setAffinity(vector, vcpus);
    }
  }

  isMovePending(device: string, vector: number): boolean {
    return this.#life.driver(device)?.vectors.isMovePending(vector) ?? false;
  }

  *interrupt(device: string, vector: number): Process {
    yield* this.#life.driver(device)?.vectors.acknowledge(vector) ?? nothing();
  }

  /** The driver of a device that is followed, while a kernel runs. */
  followed(device: string): FollowedDriver | null {
    const driver = this.#life.driver(device);
    return driver instanceof FollowedDriver ? driver : null;
  }

  #function(device: string): VirtualFunction {
    return this.#vm.functions.find(({ spec }) => spec.name === device)!;
  }

  /** What there is of a network interface, if its driver is bound. */
  #network(device: string): NetworkActions | null {
    return this.#life.driver(device)?.network ?? null;
  }
}

function* nothing(): Process {}

function createDriver(
  { isFollowed, leaving, lineOnly }: ReplayGuestOptions,
  kernel: GuestKernel,
  fn: VirtualFunction,
): GuestDriver {
  const { name } = fn.spec;
  if (isFollowed(name)) return new FollowedDriver(kernel, fn, () => leaving(name));
  const driver = fn.spec.model === "nic" ? new NicDriver(kernel, fn) : new NvmeDriver(kernel, fn);
  if (lineOnly) driver.mode = "intx";
  return driver;
}

function planFor({ vcpus, devices }: ReplayGuestOptions): GuestPlan {
  const spec: GuestSpec = {
    name: "recorded",
    vmm: "qemu",
    vmmVersion: "10.0",
    vcpus,
    devices: devices.map(({ name }) => name),
    driver: "nvme",
    path: "irqfd",
    workload: { arrivals: "none", rate: 0, per: "device", depth: 0 },
    timeline: [],
  };
  const rows = layoutRows(
    devices.map(({ name, msiVectors, msixVectors }) => ({
      name,
      msi: msiVectors,
      msix: msixVectors,
    })),
  );
  return {
    spec,
    devices,
    rows,
    doorbells: devices.map(() => ({ base: 0, count: 0 })),
    stages: "ends",
  };
}

/** A border that nothing crosses. */
function shapeFor({ spec, rows }: GuestPlan): BorderShape {
  const count = rows.reduce((sum, device) => sum + rowCount(device), 0);
  return {
    eventfds: 1,
    doorbells: 1,
    vcpus: spec.vcpus,
    rows: count,
    fateDoubles: FateCounts.length(count),
    ring: { slots: 8, slotBytes: 256 },
  };
}

/** What src/conform plays recordings to. */
export function createReplayGuest(
  env: MachineEnv,
  options: ReplayGuestOptions,
  bus: ReplayBus,
): ReplayGuest {
  return new ReplayGuest(env, options, bus);
}
