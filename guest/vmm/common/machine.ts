/** A VMM process without firmware: vCPU exits, poll loop, reboot, end, around a VMM's own model. */
import { assert } from "../../../src/base/assert.ts";
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
import { Counters } from "../counters.ts";
import { RealizeError } from "../errors.ts";
import { Tokens } from "../tokens.ts";
import type { UserInterrupts, VirtualFunction, VirtualMachine } from "../types.ts";
import {
  type AssignedDevice,
  type Board,
  PlannedFunction,
  type VmmContext,
  type VmmModel,
} from "./context.ts";
import { Eventfds } from "./eventfds.ts";
import { MainLoop, type MainLoopSink } from "./main-loop.ts";

const PENDING = FATE["pending-guest"];
const DEAD = FATE["dropped-guest-dead"];
const RESET = FATE["dropped-guest-reset"];

export class VmmMachine implements VirtualMachine, MainLoopSink {
  readonly vcpus: number;
  readonly startsIn: "kernel" | "driver";
  readonly functions: readonly PlannedFunction[];
  readonly lapics: LocalApics;
  readonly sequence: TokenSequence;
  onUnplugRequest: ((fn: VirtualFunction) => void) | null = null;
  onWork: (() => void) | null = null;
  onAbort: ((assertion: string) => void) | null = null;
  readonly #env: MachineEnv;
  readonly #name: string;
  readonly #port: GuestPort;
  readonly #model: VmmModel;
  readonly #ctx: VmmContext;
  readonly #sys: Syscalls;
  readonly #counters = new Counters();
  readonly #loop: MainLoop;
  /** vCPU exits and handlers take turns. */
  readonly #lock = new Mutex("vmm");
  #board: Board | null = null;
  /** Open devices, by number of their function. */
  readonly #devices = new Map<number, AssignedDevice>();
  #tasks = 0;
  #ended = false;
  /** An event that calls `onWork` is on its way. */
  #kicked = false;

  constructor(env: MachineEnv, plan: GuestPlan, port: GuestPort, model: VmmModel) {
    this.#env = env;
    this.#name = plan.spec.name;
    this.#port = port;
    this.#model = model;
    this.vcpus = plan.spec.vcpus;
    this.startsIn = model.startsIn;
    this.functions = plan.devices.map((_, index) => new PlannedFunction(plan, index));
    this.#sys = new Syscalls(port);
    this.lapics = new LocalApics(port);
    this.sequence = new TokenSequence(port.shape.rows);
    const tokens = new Tokens(env, port, plan, this);
    this.#loop = new MainLoop(env, port, this.#sys, tokens);
    this.#ctx = {
      env,
      sys: this.#sys,
      counters: this.#counters,
      tokens,
      loop: this.#loop,
      events: new Eventfds(this.#loop),
      spawn: (name, body) => this.#spawn(name, body),
    };
    if (model.startsIn === "driver") this.userInterrupts = (fn) => this.#interruptsOf(fn);
  }

  userInterrupts?: (fn: VirtualFunction) => UserInterrupts;

  #interruptsOf(fn: VirtualFunction): UserInterrupts {
    const { interrupts } = this.#device(fn);
    assert(interrupts !== undefined, "a device without interrupts of the process's own");
    return interrupts;
  }

  *realize(present: readonly VirtualFunction[] = this.functions): Process {
    yield* this.#locked(() => this.#start(present as readonly PlannedFunction[]));
  }

  *#start(present: readonly PlannedFunction[]): Process {
    try {
      this.#board = yield* this.#model.powerOn(this.#ctx);
      for (const fn of present) this.#devices.set(fn.index, yield* this.#board.realize(fn));
    } catch (error) {
      if (error instanceof RealizeError) yield* this.#end(DEAD);
      throw error;
    }
  }

  /** Whatever is open is closed; devices before the eventfds they signal. */
  *#end(fate: number): Process {
    // Until they are closed, tokens may still come for them.
    for (const { fd } of this.#devices.values()) yield* this.#sys.close(fd);
    yield* this.#board?.close() ?? nothing();
    this.#board = null;
    for (const device of this.#devices.values()) device.settle(fate);
    this.#devices.clear();
    this.#loop.settle(fate);
    yield* this.#ctx.events.closeAll();
  }

  *plug(fn: VirtualFunction): Process {
    const { index, spec } = fn as PlannedFunction;
    assert(!this.#devices.has(index), () => `${spec.name}: plugged twice`);
    yield* this.#locked(() => this.#hotplug(fn as PlannedFunction));
  }

  *#hotplug(fn: PlannedFunction): Process {
    this.#devices.set(fn.index, yield* this.#board!.realize(fn));
  }

  *eject(fn: VirtualFunction): Process {
    yield* this.#locked(() => this.#unplug(fn as PlannedFunction));
  }

  *#unplug({ index }: PlannedFunction): Process {
    const device = this.#devices.get(index);
    if (device === undefined) return;
    yield* device.release();
    yield* this.#sys.close(device.fd);
    this.#devices.delete(index);
    device.settle(RESET);
  }

  *systemReset(): Process {
    yield* this.#locked(() => this.#reset());
  }

  *#reset(): Process {
    const { reboot } = this.#model;
    if (reboot === "in-place") {
      for (const device of this.#devices.values()) yield* device.reset();
      yield* this.#board!.reset();
      return;
    }
    const present = this.functions.filter(({ index }) => this.#devices.has(index));
    if (reboot === "rebuild") yield* this.#releaseAll();
    yield* this.#end(RESET);
    try {
      yield* this.#start(present);
    } catch (error) {
      if (!(error instanceof RealizeError)) throw error;
      yield* this.#fail(error);
    }
  }

  *#releaseAll(): Process {
    for (const device of this.#devices.values()) yield* device.release();
  }

  /** What it could set up before, it cannot any more: the VMM prints why and is gone. */
  *#fail(error: RealizeError): Process {
    this.#ended = true;
    this.onAbort?.(error.message);
    yield* until(new WaitQueue("gone"), () => false);
  }

  *quit(): Process {
    yield* this.#locked(() => this.#quit());
  }

  *#quit(): Process {
    if (this.#model.reboot === "rebuild") yield* this.#releaseAll();
    this.#ended = true;
    yield* this.#end(DEAD);
  }

  #device(fn: VirtualFunction): AssignedDevice {
    const device = this.#devices.get((fn as PlannedFunction).index);
    assert(device !== undefined, "a device is used before it is realized");
    return device;
  }

  *configRead(fn: VirtualFunction, offset: number, size: number): Process<number> {
    yield* this.#exit();
    return yield* this.#locked(() => this.#device(fn).configRead(offset, size));
  }

  *configWrite(fn: VirtualFunction, offset: number, size: number, value: number): Process {
    yield* this.#exit();
    yield* this.#locked(() => this.#device(fn).configWrite(offset, size, value));
  }

  *mmioRead(fn: VirtualFunction, bar: number, offset: number, size: number): Process<number> {
    const device = this.#device(fn);
    if (!device.traps(bar, offset)) return yield* device.barRead(bar, offset, size);
    yield* this.#exit();
    return yield* this.#locked(() => device.barRead(bar, offset, size));
  }

  *mmioWrite(fn: VirtualFunction, bar: number, at: number, size: number, value: number): Process {
    const device = this.#device(fn);
    if (!device.traps(bar, at)) {
      yield* device.barWrite(bar, at, size, value);
      return;
    }
    yield* this.#exit();
    yield* this.#locked(() => device.barWrite(bar, at, size, value));
  }

  /** A VM exit; drivers of the process's own have none. */
  *#exit(): Process {
    if (this.startsIn === "kernel") yield* sleep(this.#env.costs.mmioExit);
  }

  ringDoorbell(fn: VirtualFunction, queue: number, value: number): void {
    ringDoorbell(this.#port, fn.doorbellBase + queue, value);
  }

  /** The VMM's ACPI tables say where INTx goes; nothing moves it. */
  *routeIntx(_fn: VirtualFunction, _pin: number): Process {}

  *ioapicWrite(pin: number, low: number, high: number): Process {
    yield* this.#exit();
    yield* this.#locked(() => this.#board!.ioapicWrite(pin, low, high));
  }

  *swapIntx(fn: VirtualFunction): Process {
    yield* this.#locked(() => this.#device(fn).swapIntx?.() ?? nothing());
  }

  eoi(vcpu: number, vector: number): void {
    if (!this.#ended) this.#board?.eoi(vcpu, vector);
  }

  /** Runs `body` alone; what came meanwhile is looked at once it has ended. */
  *#locked<T>(body: () => Process<T>): Process<T> {
    const result = yield* withLock(this.#lock, body);
    this.#kick();
    return result;
  }

  /** Wakes the loop for eventfds it had to leave alone, and the vCPUs for what was injected. */
  #kick(): void {
    const { lapics } = this;
    if (this.#kicked || this.#ended) return;
    if (!this.#port.guestPoll.pending() && !lapics.pending() && lapics.waiting === 0) return;
    this.#kicked = true;
    const { scheduler, clock } = this.#env;
    scheduler.at(clock.now(), this.#onKick, this.#name);
  }

  readonly #onKick = (): void => {
    this.#kicked = false;
    this.onWork?.();
  };

  #spawn(name: string, body: () => Process): void {
    this.#tasks++;
    this.#env.scheduler.spawn(`${this.#name}.${name}`, this.#run(body), this.#name);
  }

  *#run(body: () => Process): Process {
    try {
      yield* this.#locked(body);
    } finally {
      this.#tasks--;
    }
  }

  /** MainLoopSink. Hot path. */
  vectorFired(device: number, vector: number): void {
    this.#devices.get(device)?.vectorFired(vector);
  }

  intxFired(device: number): void {
    this.#devices.get(device)?.intxFired();
  }

  errFired(_device: number): void {
    this.#counters.add("err_notified");
  }

  reqFired(device: number): void {
    this.#counters.add("req_notified");
    this.onUnplugRequest?.(this.functions[device]!);
  }

  poll(): number {
    const work = this.#sys.poll();
    if (this.#ended) return work;
    // What has a guest hears its eventfds between exits; a driver has a thread for them.
    if (this.#lock.locked && this.startsIn === "kernel") return work;
    return work + this.#loop.run(this);
  }

  busy(): boolean {
    return this.#sys.unanswered > 0 || this.#tasks > 0 || this.#lock.locked || this.#kicked;
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters.all();
  }

  settle(): void {
    this.#loop.settle();
    for (const device of this.#devices.values()) device.settle(PENDING);
  }
}

function* nothing(): Process {}
