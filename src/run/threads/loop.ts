/** A worker's main loop: poll the machine, run what is due, wait; and hear the main thread. */
import { setImmediate } from "node:timers/promises";
import type { WaitStrategy } from "../../shm/wait-strategy.ts";
import type { Attention, Parker } from "../../shm/waker.ts";
import type { Scheduler } from "../../time/scheduler.ts";
import type { LoopReport } from "./api.ts";
import { WakeNotes } from "./wake-notes.ts";

/** Longest stay in the loop before the worker looks at its messages. */
const SLICE_NS = 1_000_000_000;
/** Turns between two looks at the clock while there is work. */
const TURNS_PER_LOOK = 64;
/** Looks for work between two looks at the clock, in which a thread that only spins is blind. */
const LOOKS_PER_CLOCK = 64;
/** Of these, how many are for interrupts alone, and one more for everything. */
const CATCHES_PER_LOOK = 4;

export interface LoopBody {
  /** Does what there is to do; returns how much that was. */
  poll(): number;
  /** A look that does what it finds where that needs no turn: true if it was so. */
  catchWork(): boolean;
  /** True if `poll` would find work: what the wait strategy looks at. */
  hasWork(): boolean;
  /** The same by plain reads, which may be stale: what it looks at while it spins. */
  glance(): boolean;
  /** When `poll` has to run again without being woken (ns), or Infinity. */
  nextAt(): number;
  /** False ends the loop. */
  alive(): boolean;
}

export class WorkerLoop {
  readonly #body: LoopBody;
  readonly #scheduler: Scheduler;
  readonly #strategy: WaitStrategy;
  readonly #parker: Parker;
  readonly #attention: Attention;
  readonly #notes: WakeNotes;
  readonly #hasWork: () => boolean;
  readonly #glance: () => boolean;
  /** The last wait ended at once because there was work, and no turn has done any since. */
  #fruitless = false;
  #stopping = false;
  #turns = 0;
  #spinning = 0;
  #parked = 0;
  #timeouts = 0;
  #startNs = 0;
  #runNs = 0;

  constructor(
    body: LoopBody,
    scheduler: Scheduler,
    strategy: WaitStrategy,
    parker: Parker,
    attention: Attention,
    notes = new WakeNotes(false),
  ) {
    this.#body = body;
    this.#scheduler = scheduler;
    this.#strategy = strategy;
    this.#parker = parker;
    this.#attention = attention;
    this.#notes = notes;
    this.#hasWork = () => body.hasWork() || attention.raised();
    this.#glance = () => body.glance() || attention.glance();
  }

  stop(): void {
    this.#stopping = true;
  }

  /**
   * Runs until `stop` or the body's end. A thread inside the loop hears no message, so main raises
   * the attention word before it sends one; the slice is the backstop for everything else.
   */
  async run(): Promise<void> {
    const { clock } = this.#scheduler;
    this.#startNs = clock.now();
    while (!this.#stopping && this.#body.alive()) {
      this.#slice();
      this.#runNs = clock.now() - this.#startNs;
      await setImmediate();
      // A message that arrives during one turn of the event loop is handled in the next.
      if (this.#attention.take()) await setImmediate();
    }
  }

  report(): LoopReport {
    return {
      turns: this.#turns,
      spinning: this.#spinning,
      parked: this.#parked,
      timeouts: this.#timeouts,
      runNs: this.#runNs,
      idleNs: this.#notes.idleNs,
      sleeps: this.#notes.sleeps(),
    };
  }

  #slice(): void {
    const clock = this.#scheduler.clock;
    const end = clock.now() + SLICE_NS;
    for (let turn = 1; ; turn++) {
      const did = this.#turn();
      if (this.#attention.glance() || !this.#body.alive()) return;
      if (did > 0 && turn % TURNS_PER_LOOK !== 0) continue;
      const now = clock.now();
      if (now >= end) return;
      if (did > 0) continue;
      this.#notes.begin(now);
      this.#idle(Math.min(end, this.#body.nextAt(), this.#scheduler.nextAt()) - now);
    }
  }

  /** Does what there is to do; returns how much that was. */
  #turn(): number {
    const did = this.#body.poll() + this.#scheduler.runDue();
    this.#turns++;
    if (did > 0) this.#fruitless = false;
    return did;
  }

  #idle(ns: number): void {
    if (ns <= 0) return;
    if (this.#strategy.kind === "spin") {
      this.#spin(ns);
      return;
    }
    if (this.#fruitless) {
      this.#sleep(ns / 1e6);
      return;
    }
    this.#fruitless = this.#glance();
    const ms = ns / 1e6;
    const mode = this.#strategy.idle(this.#parker, this.#hasWork, ms, this.#glance);
    if (mode === "spinning") this.#spinning++;
    else if (mode === "parked") this.#parked++;
    else this.#timeouts++;
    if (mode === "spinning") this.#notes.spun(this.#scheduler.clock);
    else this.#notes.slept(this.#scheduler.clock);
  }

  /**
   * Looks until there is work, or for `ns`: what the strategy would do, but so that next to nothing
   * lies between the look that finds an interrupt and the turn that takes it.
   */
  #spin(ns: number): void {
    const body = this.#body;
    const attention = this.#attention;
    const { clock } = this.#scheduler;
    const end = clock.now() + ns;
    do {
      for (let look = 0; look < LOOKS_PER_CLOCK; look++) {
        if (!body.catchWork()) {
          // Other work than an interrupt can wait for a few looks.
          if (look % CATCHES_PER_LOOK !== 0 || !(body.glance() || attention.glance())) continue;
        }
        this.#spinning++;
        this.#notes.spun(clock);
        return;
      }
    } while (clock.now() < end);
    this.#timeouts++;
    this.#notes.spun(clock);
  }

  /**
   * There is work that cannot be done before something else happens: eventfds while QEMU's lock is
   * held, requests of a process that is gone. Looking for work would find it again and again, so
   * the look between announcing the sleep and sleeping is a whole turn: whatever comes later ends
   * the sleep.
   */
  #sleep(ms: number): void {
    const epoch = this.#parker.prepare();
    if (this.#turn() > 0 || this.#attention.raised()) {
      this.#parker.retract();
      return;
    }
    if (this.#parker.sleep(epoch, ms) === "timed-out") this.#timeouts++;
    else this.#parked++;
    this.#notes.slept(this.#scheduler.clock);
  }
}
