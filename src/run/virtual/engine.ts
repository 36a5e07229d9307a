/** The virtual engine: host and all guests in one thread, on a discrete-event clock with a seed. */
import { setImmediate } from "node:timers/promises";
import { Prng } from "../../base/prng.ts";
import { breakOnText } from "../../scenario/break-on.ts";
import type { Scenario } from "../../scenario/types.ts";
import { createBorder, guestPort, hostPort } from "../../shm/border.ts";
import type { Waker } from "../../shm/waker.ts";
import { Scheduler } from "../../time/scheduler.ts";
import { VirtualClock } from "../../time/virtual-clock.ts";
import type { CreateGuest, CreateHost, GuestMachine, HostMachine } from "../contract.ts";
import { machineEnv } from "../env.ts";
import type { EngineOptions, GuestOutcome, RunOutcome } from "../outcome.ts";
import { borderShape, planGuests } from "../plan.ts";

/** A vCPU of a kernel irqchip is kicked or notified; a VMM's main loop is a thread to be woken. */
const WAKE_COST = {
  irqfd: "vcpuKick",
  posted: "postedNotification",
  userspace: "threadWake",
} as const;
/** Longest virtual time a run may take to come to rest after its end. */
const SETTLE_NS = 5_000_000_000;
/** Events between two looks at the outside world (abort, progress). */
const EVENTS_PER_LOOK = 20_000;

/** A machine that is polled at an event of its own whenever somebody woke it. */
class Polled implements Waker {
  readonly #scheduler: Scheduler;
  readonly #actor: string;
  readonly #latencyNs: number;
  #scheduledAt = Number.POSITIVE_INFINITY;
  poll: () => void = () => {};

  constructor(scheduler: Scheduler, actor: string, latencyNs: number) {
    this.#scheduler = scheduler;
    this.#actor = actor;
    this.#latencyNs = latencyNs;
  }

  wake(): void {
    this.pollAt(this.#scheduler.clock.now() + this.#latencyNs);
  }

  /** Polls at `ns` unless an earlier poll is due already. */
  pollAt(ns: number): void {
    if (ns >= this.#scheduledAt) return;
    this.#scheduledAt = ns;
    this.#scheduler.at(
      ns,
      () => {
        // An earlier poll that came in between has done this one's work.
        if (this.#scheduledAt !== ns) return;
        this.#scheduledAt = Number.POSITIVE_INFINITY;
        this.poll();
      },
      this.#actor,
    );
  }
}

/** Wakes the host, and says who did. */
class HostWaker implements Waker {
  readonly #host: Polled;
  readonly #woken: Set<number>;
  readonly #guest: number;

  constructor(host: Polled, woken: Set<number>, guest: number) {
    this.#host = host;
    this.#woken = woken;
    this.#guest = guest;
  }

  wake(): void {
    this.#woken.add(this.#guest);
    this.#host.wake();
  }
}

interface VirtualGuest {
  readonly machine: GuestMachine;
  readonly fates: Float64Array;
  dead: string | null;
}

/** One simulation: build, run to the end of the scenario, settle, report. */
class VirtualRun {
  readonly #scenario: Scenario;
  readonly clock = new VirtualClock();
  readonly scheduler: Scheduler;
  readonly host: HostMachine;
  readonly guests: VirtualGuest[] = [];
  readonly #hostPolled: Polled;
  /** Guests that woke the host since it was polled. */
  readonly #woken = new Set<number>();
  /** Guests whose process ended in the running event. */
  #gone: number[] = [];
  /** Why the run is to end: a latency was beyond the limit. */
  broken: string | null = null;
  #ending = false;

  constructor(scenario: Scenario, createHost: CreateHost, createGuest: CreateGuest) {
    this.#scenario = scenario;
    this.scheduler = new Scheduler(this.clock, Prng.stream(scenario.seed, "schedule"));
    const env = machineEnv(scenario, "host", this.clock, this.scheduler);
    this.host = createHost(env, scenario.host, scenario.devices);
    this.#hostPolled = new Polled(this.scheduler, "host", 0);
    this.#hostPolled.poll = () => this.#pollHost();
    for (const [index, plan] of planGuests(scenario).entries()) {
      const shape = borderShape(plan);
      const memory = createBorder(shape);
      const wakeNs = env.costs[WAKE_COST[plan.spec.path]];
      const polled = new Polled(this.scheduler, plan.spec.name, wakeNs);
      this.host.attach(
        index,
        plan,
        hostPort(memory, shape, () => polled),
      );
      const waker = new HostWaker(this.#hostPolled, this.#woken, index);
      const port = guestPort(memory, shape, () => waker);
      const guestEnv = {
        ...machineEnv(scenario, plan.spec.name, this.clock, this.scheduler),
        onBreak: () => this.#break(plan.spec.name),
        onGone: () => this.#gone.push(index),
      };
      const guest = {
        machine: createGuest(guestEnv, plan, port),
        fates: port.guestFates,
        dead: null,
      };
      polled.poll = () => this.#pollGuest(index);
      this.guests.push(guest);
    }
  }

  #break(guest: string): void {
    this.broken ??= `${breakOnText(this.#scenario.run.breakOnNs!)} in ${guest}`;
  }

  start(): void {
    this.host.start();
    for (const guest of this.guests) guest.machine.start();
  }

  #pollHost(): void {
    const woken = [...this.#woken].sort((a, b) => a - b);
    this.#woken.clear();
    while (this.host.poll(woken) > 0) {}
    const next = this.host.nextAt();
    if (next < Number.POSITIVE_INFINITY) {
      this.#hostPolled.pollAt(Math.max(next, this.clock.now()));
    }
  }

  #pollGuest(index: number): void {
    const guest = this.guests[index]!;
    if (guest.dead !== null) return;
    while (guest.machine.alive() && guest.machine.poll() > 0) {}
    this.#noticeDeath(index);
  }

  #noticeDeath(index: number): void {
    const guest = this.guests[index]!;
    if (guest.dead !== null || guest.machine.alive()) return;
    guest.dead = guest.machine.report().state;
    this.host.exit(index, guest.dead);
    this.#hostPolled.wake();
  }

  /** Runs events up to `untilNs`; false if there are none left before it, or the run is broken. */
  advance(untilNs: number, events: number): boolean {
    const enough = this.scheduler.activations + events;
    while (this.scheduler.activations < enough) {
      if (this.broken !== null && !this.#ending) return false;
      if (!this.scheduler.runOn(untilNs)) return false;
      if (this.#gone.length > 0) this.#noticeDeaths();
    }
    return true;
  }

  #noticeDeaths(): void {
    for (const guest of this.#gone.sort((a, b) => a - b)) this.#noticeDeath(guest);
    this.#gone = [];
  }

  busy(): boolean {
    if (this.host.busy()) return true;
    return this.guests.some(({ machine, dead }) => dead === null && machine.busy());
  }

  quiesce(): void {
    this.host.quiesce();
    for (const { machine, dead } of this.guests) if (dead === null) machine.quiesce();
  }

  /** Lets what is under way come to its end. */
  rest(): void {
    const until = this.clock.now() + SETTLE_NS;
    this.#hostPolled.wake();
    while (this.scheduler.nextAt() <= until) {
      if (!this.advance(until, EVENTS_PER_LOOK)) break;
      if (!this.busy()) break;
    }
  }

  finish(partial: string | null): RunOutcome {
    const { duration } = this.#scenario;
    // Nothing happens any more, but what is held is held until the end.
    if (partial === null && this.clock.now() < duration) this.clock.advanceTo(duration);
    const durationNs = Math.min(this.clock.now(), duration);
    this.#ending = true;
    this.quiesce();
    this.rest();
    for (const { machine, dead } of this.guests) if (dead === null) machine.settle();
    this.host.settle();
    const guests = this.guests.map(
      ({ machine, dead, fates }): GuestOutcome => ({
        report: machine.report(),
        dead,
        fates: Array.from(fates),
      }),
    );
    const host = this.host.report();
    for (const [index, { dead }] of this.guests.entries()) {
      if (dead === null) this.host.exit(index, "end of run");
    }
    this.rest();
    return {
      engine: "virtual",
      host,
      poolAfter: this.host.report().pool,
      guests,
      floor: null,
      durationNs,
      startNs: 0,
      partial,
      warnings: [],
    };
  }
}

/** Runs a scenario in virtual time; the same seed gives the same outcome anywhere. */
export async function runVirtual(
  scenario: Scenario,
  sides: { createHost: CreateHost; createGuest: CreateGuest },
  options: EngineOptions = {},
): Promise<RunOutcome> {
  const run = new VirtualRun(scenario, sides.createHost, sides.createGuest);
  run.start();
  let partial: string | null = null;
  while (run.advance(scenario.duration, EVENTS_PER_LOOK)) {
    await setImmediate();
    if (options.signal?.aborted === true) {
      partial = "interrupted";
      break;
    }
    options.onProgress?.({
      elapsedNs: run.clock.now(),
      durationNs: scenario.duration,
      interrupts: 0,
      // A report has every histogram in it: only for who looks.
      get guests() {
        return run.guests.map(({ machine }) => {
          const { name, state } = machine.report();
          return { name, state };
        });
      },
    });
  }
  return run.finish(partial ?? run.broken);
}
