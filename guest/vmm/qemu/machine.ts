/** A QEMU process with a q35 machine: vCPU exits, main loop, system reset, end. */
import { assert } from "../../../src/base/assert.ts";
import { errnoName } from "../../../src/base/errno.ts";
import { FATE } from "../../../src/measure/fates.ts";
import type { GuestPlan, MachineEnv } from "../../../src/run/contract.ts";
import { type GuestPort, ringDoorbell } from "../../../src/shm/border.ts";
import {
  Mutex,
  type Process,
  sleep,
  until,
  WaitQueue,
  withLock,
} from "../../../src/time/process.ts";
import { LocalApics } from "../../local-apic.ts";
import { Syscalls } from "../../syscalls.ts";
import { TokenSequence } from "../../token-sequence.ts";
import { MainLoop, type MainLoopSink } from "../common/main-loop.ts";
import { Counters } from "../counters.ts";
import { RealizeError, VmmAbort } from "../errors.ts";
import { Tokens } from "../tokens.ts";
import type { RemappingEntry, RemappingUnit, VirtualFunction, VirtualMachine } from "../types.ts";
import type { QemuContext } from "./context.ts";
import { InterruptRemapping } from "./interrupt-remapping.ts";
import type { WireSink } from "./intx.ts";
import { KvmIrqchip } from "./kvm-irqchip.ts";
import { OwnIoapic } from "./own-ioapic.ts";
import { type QemuProfile, qemuProfile } from "./profile.ts";
import { QemuFunction } from "./qemu-function.ts";
import { VfioPciDevice } from "./vfio-pci.ts";

const DEAD = FATE["dropped-guest-dead"];

export class QemuMachine implements VirtualMachine, MainLoopSink, WireSink {
  readonly vcpus: number;
  readonly functions: readonly QemuFunction[];
  readonly lapics: LocalApics;
  readonly sequence: TokenSequence;
  onUnplugRequest: ((fn: VirtualFunction) => void) | null = null;
  onWork: (() => void) | null = null;
  onAbort: ((assertion: string) => void) | null = null;
  readonly #env: MachineEnv;
  readonly #plan: GuestPlan;
  readonly #port: GuestPort;
  readonly #sys: Syscalls;
  readonly #counters = new Counters();
  readonly #tokens: Tokens;
  readonly #loop: MainLoop;
  readonly #profile: QemuProfile;
  readonly #remapping: InterruptRemapping | null;
  readonly remapping: RemappingUnit | null;
  /** Null where KVM has it. */
  readonly #ioapic: OwnIoapic | null;
  /** The big QEMU lock: vCPU exits and the main loop's handlers take turns. */
  readonly #bql = new Mutex("bql");
  /** In order of realize. */
  readonly #devices: VfioPciDevice[] = [];
  /** By number of their function; what was never plugged is not there. */
  readonly #byIndex: VfioPciDevice[] = [];
  #kvmFd = -1;
  /** Set by realize. */
  #ctx: QemuContext | null = null;
  /** Handlers that were started and have not ended. */
  #tasks = 0;
  #ended = false;
  /** An event that calls `onWork` is on its way. */
  #kicked = false;

  constructor(env: MachineEnv, plan: GuestPlan, port: GuestPort) {
    this.#env = env;
    this.#plan = plan;
    this.#port = port;
    this.vcpus = plan.spec.vcpus;
    this.functions = plan.devices.map((_, index) => new QemuFunction(plan, index));
    this.#sys = new Syscalls(port);
    this.lapics = new LocalApics(port);
    this.sequence = new TokenSequence(port.shape.rows);
    this.#tokens = new Tokens(env, port, plan, this);
    this.#loop = new MainLoop(env, port, this.#sys, this.#tokens);
    this.#profile = qemuProfile(plan.spec);
    this.#remapping = this.#profile.intremap ? new InterruptRemapping() : null;
    this.remapping =
      this.#remapping === null ? null : { write: (index, entry) => this.#remapWrite(index, entry) };
    const { irqchip, bypass } = this.#profile;
    const { lapics } = this;
    const home = { env, port, tokens: this.#tokens, lapics, devices: this.#devices };
    this.#ioapic = irqchip.hasKernelIoapic && bypass.intx ? null : new OwnIoapic(home);
  }

  *realize(present: readonly VirtualFunction[] = this.functions): Process {
    yield* this.#locked(() => this.#powerOn(present));
  }

  *#powerOn(present: readonly VirtualFunction[]): Process {
    try {
      const ctx = yield* this.#createContext();
      const gsi = ctx.profile.realizeGsi;
      for (const fn of present) this.#add(yield* this.#realize(ctx, fn as QemuFunction, gsi));
      this.#ctx = ctx;
      yield* this.#resetDevices();
    } catch (error) {
      if (error instanceof RealizeError) yield* this.#exit();
      throw error;
    }
  }

  /** `gsi`: where its INTx leads to by the chipset's present state; null: as after a reset. */
  *#realize(ctx: QemuContext, fn: QemuFunction, gsi: number | null): Process<VfioPciDevice> {
    const { index, rows, intxPin } = fn;
    const slot = { index, name: fn.spec.name, rows, intxPin };
    const device = yield* VfioPciDevice.realize(ctx, slot, this, gsi ?? intxPin);
    const table = device.fn.msix?.vectors ?? 0;
    assert(table <= rows.msix, () => `${slot.name}: ${table} MSI-X vectors, ${rows.msix} rows`);
    return device;
  }

  *plug(fn: VirtualFunction): Process {
    yield* this.#locked(() => this.#hotplug(fn as QemuFunction));
  }

  /** device_add: the chipset's routes are there already, and the bus resets what is new on it. */
  *#hotplug(fn: QemuFunction): Process {
    const old = this.#byIndex[fn.index];
    assert(old?.present !== true, () => `${fn.spec.name}: plugged twice`);
    const device = yield* this.#realize(this.#ctx!, fn, old?.intx.chipsetPin ?? null);
    if (old !== undefined) this.#devices.splice(this.#devices.indexOf(old), 1);
    this.#add(device);
    yield* device.reset();
  }

  #add(device: VfioPciDevice): void {
    this.#devices.push(device);
    this.#byIndex[device.slot.index] = device;
  }

  *#createContext(): Process<QemuContext> {
    let kvm: KvmIrqchip | null = null;
    const profile = this.#profile;
    if (profile.irqchip.hasKvm) {
      this.#kvmFd = yield* this.#sys.open("/dev/kvm");
      if (this.#kvmFd < 0) throw new RealizeError(`/dev/kvm: ${errnoName(this.#kvmFd)}`);
      const { hasKernelIoapic } = profile.irqchip;
      kvm = new KvmIrqchip(this.#sys, this.#kvmFd, this.#counters, !hasKernelIoapic);
      yield* kvm.create();
      yield* kvm.commitRoutes();
    }
    return {
      env: this.#env,
      profile,
      sys: this.#sys,
      counters: this.#counters,
      tokens: this.#tokens,
      loop: this.#loop,
      kvm,
      remapping: this.#remapping,
    };
  }

  *#resetDevices(): Process {
    for (const device of this.#devices) if (device.present) yield* device.hotResetMulti();
    for (const device of this.#devices) if (device.present) yield* device.reset();
    // The chipset comes after the devices, which were connected by the old routes once more.
    for (const { intx } of this.#devices) intx.resetRoute();
  }

  *systemReset(): Process {
    yield* this.#locked(() => this.#reset());
  }

  *#reset(): Process {
    yield* this.#resetDevices();
    this.#ioapic?.reset();
    this.#remapping?.reset();
    if (this.#ctx?.kvm) yield* this.#ctx.kvm.resetIoapic();
  }

  *migrate(): Process {
    yield* this.#locked(() => this.#loadDevices());
  }

  *#loadDevices(): Process {
    const { clock } = this.#env;
    const present = this.#devices.filter((device) => device.present);
    for (const device of present) yield* device.unload();
    const startNs = clock.now();
    for (const device of present) yield* device.loadConfig();
    this.#counters.add("migration_ns", clock.now() - startNs);
  }

  #device(fn: VirtualFunction): VfioPciDevice {
    const device = this.#byIndex[(fn as QemuFunction).index];
    assert(device !== undefined, "a device is used before it is realized");
    return device;
  }

  *configRead(fn: VirtualFunction, offset: number, size: number): Process<number> {
    yield* sleep(this.#env.costs.mmioExit);
    return yield* this.#locked(() => this.#device(fn).configRead(offset, size));
  }

  *configWrite(fn: VirtualFunction, offset: number, size: number, value: number): Process {
    yield* sleep(this.#env.costs.mmioExit);
    yield* this.#locked(() => this.#device(fn).configWrite(offset, size, value));
  }

  *mmioRead(fn: VirtualFunction, bar: number, offset: number, size: number): Process<number> {
    const device = this.#device(fn);
    if (!device.traps(bar, offset)) return yield* device.barRead(bar, offset, size);
    yield* sleep(this.#env.costs.mmioExit);
    return yield* this.#locked(() => device.barRead(bar, offset, size));
  }

  *mmioWrite(
    fn: VirtualFunction,
    bar: number,
    offset: number,
    size: number,
    value: number,
  ): Process {
    const device = this.#device(fn);
    if (!device.traps(bar, offset)) {
      yield* device.barWrite(bar, offset, size, value);
      return;
    }
    yield* sleep(this.#env.costs.mmioExit);
    yield* this.#locked(() => device.barWrite(bar, offset, size, value));
  }

  ringDoorbell(fn: VirtualFunction, queue: number, value: number): void {
    ringDoorbell(this.#port, fn.doorbellBase + queue, value);
    const { intx } = this.#device(fn);
    // While an INTx is pending QEMU traps the BARs, doorbells among them.
    if (intx.acknowledge()) this.#spawn("vfio_intx_eoi", () => intx.unmask());
  }

  *routeIntx(fn: VirtualFunction, pin: number): Process {
    yield* this.#locked(() => this.#device(fn).intx.route(pin));
  }

  *ioapicWrite(pin: number, low: number, high: number): Process {
    yield* sleep(this.#env.costs.mmioExit);
    const ioapic = this.#ioapic;
    if (ioapic === null) {
      yield* this.#sys.vmexit(this.#kvmFd, { reason: "ioapic-write", pin, low, high });
    } else yield* this.#locked(() => ioapic.write(this.#ctx, pin, low, high));
  }

  *#remapWrite(index: number, entry: RemappingEntry | null): Process {
    this.#remapping!.write(index, entry);
    yield* sleep(this.#env.costs.mmioExit);
    yield* this.#locked(() => this.#updateRoutes());
  }

  /**
   * Invalidation of the interrupt entry cache: kvm_update_msi_routes_all, then ioapic_iec_notifier.
   * A message without an entry has no route, and gets none: it keeps its eventfd with QEMU.
   */
  *#updateRoutes(): Process {
    const ctx = this.#ctx;
    if (ctx === null || ctx.kvm === null) return;
    let changed = false;
    for (const device of this.#devices) if (device.remapRoutes()) changed = true;
    if (changed) yield* ctx.kvm.commitRoutes();
    if (this.#ioapic !== null) yield* this.#ioapic.updateKvmRoutes(ctx);
  }

  eoi(vcpu: number, vector: number): void {
    if (this.#ended) return;
    const ioapic = this.#ioapic;
    if (ioapic === null) {
      this.#sys.postVmexit(this.#kvmFd, { reason: "eoi", vcpu, vector });
      return;
    }
    ioapic.eoi(vector);
    this.#kick();
  }

  /** Runs `body` with the big lock; what came meanwhile is looked at once it is free. */
  *#locked<T>(body: () => Process<T>): Process<T> {
    try {
      const result = yield* withLock(this.#bql, body);
      this.#kick();
      return result;
    } catch (error) {
      if (!(error instanceof VmmAbort)) throw error;
      return yield* this.#abort(error.message);
    }
  }

  /** abort(3): the process is gone, and with it the vCPU that came here. */
  *#abort(assertion: string): Process<never> {
    this.#ended = true;
    this.#counters.add("aborts");
    this.onAbort?.(assertion);
    yield* until(new WaitQueue("aborted"), () => false);
    throw new VmmAbort(assertion);
  }

  /**
   * Wakes the main loop for readable eventfds it had to leave alone, and the vCPUs for what QEMU
   * has injected: nobody else knows of either.
   */
  #kick(): void {
    const { guestPoll } = this.#port;
    const { lapics } = this;
    if (this.#kicked || this.#ended) return;
    if (!guestPoll.pending() && !lapics.pending() && lapics.waiting === 0) return;
    this.#kicked = true;
    const { scheduler, clock } = this.#env;
    scheduler.at(clock.now(), this.#onKick, this.#plan.spec.name);
  }

  readonly #onKick = (): void => {
    this.#kicked = false;
    this.onWork?.();
  };

  /** Starts a handler that has to ask the kernel; under the lock, like every other. */
  #spawn(name: string, body: () => Process): void {
    this.#tasks++;
    this.#env.scheduler.spawn(name, this.#run(body));
  }

  *#run(body: () => Process): Process {
    try {
      yield* this.#locked(body);
    } finally {
      this.#tasks--;
    }
  }

  /** WireSink: QEMU's emulated INTx wires end at its IOAPIC. */
  setWire(pin: number, asserted: boolean): void {
    this.#ioapic?.setWire(pin, asserted);
  }

  /** MainLoopSink. Hot path. */
  vectorFired(device: number, vector: number): void {
    this.#byIndex[device]!.vectorFired(vector);
  }

  intxFired(device: number): void {
    this.#byIndex[device]!.intx.fired();
  }

  /** vfio_err_notifier_handler: an uncorrectable error, at which QEMU stops the machine. */
  errFired(_device: number): void {
    this.#counters.add("err_notified");
  }

  /** vfio_req_notifier_handler: the host wants the device back. */
  reqFired(device: number): void {
    this.#counters.add("req_notified");
    this.onUnplugRequest?.(this.functions[device]!);
  }

  *eject(fn: VirtualFunction): Process {
    const device = this.#device(fn);
    if (device.present) yield* this.#locked(() => device.unrealize());
  }

  *quit(): Process {
    yield* this.#locked(() => this.#exit());
  }

  /** exit(2): the kernel closes what is open, devices before the eventfds they signal. */
  *#exit(): Process {
    this.#ended = true;
    for (const { client, present } of this.#devices) {
      if (present) yield* this.#sys.close(client.fd);
    }
    if (this.#kvmFd >= 0) yield* this.#sys.close(this.#kvmFd);
    this.#loop.settle(DEAD);
    for (const device of this.#devices) device.settle(DEAD);
  }

  poll(): number {
    const work = this.#sys.poll();
    // A vCPU holds the lock: the main loop waits, and so do the eventfds.
    if (this.#bql.locked || this.#ended) return work;
    return work + this.#loop.run(this);
  }

  busy(): boolean {
    return this.#sys.unanswered > 0 || this.#tasks > 0 || this.#bql.locked || this.#kicked;
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters.all();
  }

  settle(): void {
    this.#loop.settle();
    for (const device of this.#devices) device.settle();
  }
}
