/** One VM process: a VMM, the guest kernel on it, and the timeline of what happens to both. */
import type { Prng } from "../src/base/prng.ts";
import type { GuestMachine, GuestPlan, GuestReport, MachineEnv } from "../src/run/contract.ts";
import { type GuestPort, publishProgress } from "../src/shm/border.ts";
import { blockThread } from "../src/shm/waker.ts";
import type { TimedEvent } from "../src/time/event-heap.ts";
import { type Process, until, WaitQueue } from "../src/time/process.ts";
import type { Task } from "../src/time/scheduler.ts";
import { TraceRecorder } from "../src/trace/trace.ts";
import { publishGarbage } from "../src/wire/garbage.ts";
import { GuestInterrupts } from "./kernel/interrupts.ts";
import { IrqTable } from "./kernel/irq-table.ts";
import { Lifecycle } from "./kernel/lifecycle.ts";
import type { VirtualMachine } from "./vmm/types.ts";
import { type Action, parseAction } from "./workload/actions.ts";

/** Bad slots of a `corrupt` that does not say how many. */
const CORRUPT_SLOTS = 64;

export class VmProcess implements GuestMachine {
  readonly #env: MachineEnv;
  readonly #plan: GuestPlan;
  readonly #port: GuestPort;
  readonly #vm: VirtualMachine;
  readonly #interrupts: GuestInterrupts;
  readonly #life: Lifecycle;
  readonly #actions: (() => Process)[] = [];
  readonly #arrived = new WaitQueue("guest.actions");
  #timers: TimedEvent[] = [];
  /** The VMM reads eventfds and injects itself. */
  readonly #userspace: boolean;
  #task: Task | null = null;
  #acting = false;
  /** The host has no core for the process until then (virtual clock). */
  #stalledUntil = 0;
  readonly #garbage: Prng;
  /** Why the process ended, if it did not end by itself. */
  #dead: string | null = null;

  constructor(env: MachineEnv, plan: GuestPlan, port: GuestPort, vm: VirtualMachine) {
    this.#env = env;
    this.#garbage = env.random(`garbage:${plan.spec.name}`);
    this.#plan = plan;
    this.#userspace = plan.spec.path === "userspace";
    this.#port = port;
    this.#vm = vm;
    const table = new IrqTable(vm.vcpus);
    this.#interrupts = new GuestInterrupts(env, port, vm, table, plan);
    const life = new Lifecycle(env, plan, vm, this.#interrupts);
    this.#life = life;
    vm.onWork = this.#work;
    vm.onUnplugRequest = (fn) => this.#push(() => life.unplug(fn));
    vm.onAbort = (assertion) => this.#kill(`aborted: ${assertion}`);
  }

  /** Without a `boot` in the timeline the guest boots right away. */
  start(): void {
    const { name, timeline } = this.#plan.spec;
    const { scheduler, clock } = this.#env;
    const now = clock.now();
    this.#interrupts.stages.fromNs = now + (this.#plan.warmupNs ?? 0);
    if (!timeline.some((entry) => entry.do === "boot")) this.#enqueue({ do: "boot" });
    this.#task = scheduler.spawn(`${name}.vcpu`, this.#run(), name);
    this.#timers = timeline.map((entry) =>
      scheduler.at(now + entry.at, () => this.#enqueue(entry), name),
    );
  }

  inject(action: string): void {
    this.#enqueue(parseAction(action));
  }

  /** What befalls the process does not wait for what is under way; everything else does. */
  #enqueue(action: Action): void {
    if (!this.alive()) return;
    if (action.do === "kill") this.#kill("killed");
    else if (action.do === "stall") this.#stall(action.for ?? 0);
    else if (action.do === "corrupt") this.#corrupt(action.slots ?? CORRUPT_SLOTS);
    else this.#push(() => this.#life.perform(action));
  }

  /**
   * No thread of the process gets a core: interrupts and answers wait. On a wall clock the worker
   * really stops; a virtual one has no worker to stop, so nothing is looked at until it is over.
   */
  #stall(ns: number): void {
    const { clock, scheduler, tracer } = this.#env;
    const untilNs = clock.now() + ns;
    tracer.emit("guest_stall", { ns });
    if (clock.kind === "wall") {
      blockThread(ns);
      return;
    }
    this.#stalledUntil = untilNs;
    scheduler.at(untilNs, this.#work, this.#plan.spec.name);
  }

  #stalled(): boolean {
    return this.#stalledUntil > 0 && this.#env.clock.now() < this.#stalledUntil;
  }

  #corrupt(slots: number): void {
    const written = publishGarbage(this.#port.requests, this.#garbage, slots);
    this.#env.tracer.emit("guest_corrupt", { slots: written });
    this.#port.wakeHost.wake();
  }

  #push(action: () => Process): void {
    this.#actions.push(action);
    this.#arrived.wakeAll();
  }

  *#run(): Process {
    while (!this.#life.quit) {
      yield* until(this.#arrived, () => this.#actions.length > 0);
      this.#acting = true;
      yield* this.#actions.shift()!();
      this.#acting = false;
    }
    this.#env.onGone?.();
  }

  #kill(why: string): void {
    this.#dead = why;
    this.#cancelTimeline();
    this.#interrupts.disable();
    for (const driver of this.#life.drivers) driver.halt();
    if (this.#task !== null) this.#env.scheduler.kill(this.#task);
    this.#env.tracer.emit("guest_killed");
    this.#env.onGone?.();
  }

  #cancelTimeline(): void {
    for (const timer of this.#timers) timer.cancelled = true;
    this.#actions.length = 0;
  }

  catchInterrupt(): boolean {
    if (!this.#interrupts.catchSingle()) return false;
    publishProgress(this.#port, this.#interrupts.delivered);
    return true;
  }

  poll(): number {
    if (!this.alive() || this.#stalled()) return 0;
    // Interrupts first: they are what somebody waits for by the nanosecond.
    let did = this.#interrupts.poll();
    if (this.#userspace && this.#port.guestPoll.glance()) this.#interrupts.noticed();
    did += this.#vm.poll();
    if (did > 0) publishProgress(this.#port, this.#interrupts.delivered);
    return did;
  }

  /** Turn by turn: a line that stays high interrupts for ever, and others have to act meanwhile. */
  readonly #work = (): void => {
    const { scheduler, clock } = this.#env;
    if (this.poll() > 0) scheduler.at(clock.now(), this.#work, this.#plan.spec.name);
  };

  alive(): boolean {
    return this.#dead === null && !this.#life.quit;
  }

  busy(): boolean {
    if (!this.alive()) return false;
    if (this.#acting || this.#actions.length > 0) return true;
    return this.#vm.busy() || this.#interrupts.pending();
  }

  quiesce(): void {
    this.#cancelTimeline();
    if (!this.alive()) return;
    this.#enqueue({ do: "io-stop" });
  }

  /** The tokens of a dead process are the engine's to count. */
  settle(): void {
    if (!this.alive()) return;
    this.#vm.settle();
    this.#interrupts.settle();
  }

  report(): GuestReport {
    const { tracer, sleptUntil } = this.#env;
    const { stages, watch } = this.#interrupts;
    const counters: Record<string, number> = {
      boots: this.#life.boots,
      spurious: this.#interrupts.spurious,
      repeatedLevels: this.#interrupts.repeated,
    };
    for (const driver of this.#life.drivers) {
      for (const [name, count] of Object.entries(driver.counters())) {
        counters[`${driver.device}.${name}`] = count;
      }
    }
    for (const [name, count] of Object.entries(this.#vm.counters())) counters[name] = count;
    return {
      name: this.#plan.spec.name,
      latency: stages.toJSON(),
      ...(sleptUntil === undefined ? {} : { latencyByWake: stages.byWake() }),
      coalesced: stages.coalescedByWake(),
      ...(watch === null ? {} : { watch: watch.report() }),
      interrupts: this.#interrupts.delivered,
      counters,
      trace: tracer instanceof TraceRecorder ? tracer.all() : [],
      state: this.#dead ?? this.#life.why ?? this.#life.state,
    };
  }
}
