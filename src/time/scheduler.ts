/** Runs processes and timers against a clock: the same model code on wall and virtual time. */
import { assert } from "../base/assert.ts";
import type { Prng } from "../base/prng.ts";
import type { Clock } from "./clock.ts";
import { EventHeap, type TimedEvent } from "./event-heap.ts";
import { type Passer, type Process, setPasser, type Wait, WaitQueue } from "./process.ts";
import { Ties } from "./ties.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** A running process. `done` is set when it has returned, failed or been killed. */
export interface Task {
  readonly name: string;
  /** Whose events the task's are: see `Scheduler.at`. */
  readonly actor: string;
  readonly scheduler: Scheduler;
  readonly finished: WaitQueue;
  done: boolean;
  error: unknown;
}

interface RunningTask extends Task {
  readonly process: Process<unknown>;
  readonly runsOn: boolean;
  /** The activation under way, so that two wakes run a task once. */
  event: TimedEvent | null;
  waitingOn: WaitQueue | null;
  /** The process's own code is on the stack. */
  running: boolean;
  killed: boolean;
}

/** When and in which place of its instant the running event is. */
interface Present {
  at: number;
  actor: string;
  /** -1: as planned ahead, and not yet worked out. */
  tie: number;
}

export class Scheduler implements Passer {
  readonly clock: Clock;
  readonly #events = new EventHeap();
  readonly #ties: Ties | null;
  readonly #present: Present = { at: Number.NEGATIVE_INFINITY, actor: "", tie: 0 };
  /** The task that `runOn` lets pass sleeps, and how far it may go (ns). */
  #passing: RunningTask | null = null;
  #passUntil = Number.NEGATIVE_INFINITY;
  #sequence = 0;
  #activations = 0;

  /**
   * With `ties`, the seed decides in which order different actors' events of the same virtual
   * instant run; without it, and always within one actor, they run first in, first out.
   */
  constructor(clock: Clock, ties: Prng | null = null) {
    this.clock = clock;
    this.#ties = ties === null ? null : new Ties(ties);
  }

  /** Events run so far. */
  get activations(): number {
    return this.#activations;
  }

  /**
   * Calls `run` at time `at` (ns); cancel it by setting `cancelled`. `actor` names who does it: a
   * guest, the host, a device; events without a name all belong to one actor.
   */
  at(at: number, run: () => void, actor = ""): TimedEvent {
    assert(!Number.isNaN(at), "an event at NaN");
    const tie = this.#place(actor, at);
    const event = { at, tie, sequence: this.#sequence++, run, cancelled: false };
    this.#events.push(event);
    return event;
  }

  #place(actor: string, at: number): number {
    const present = this.#present;
    if (this.#ties === null) return 0;
    if (at > present.at) return this.#ties.ahead(actor, at);
    if (present.tie < 0) present.tie = this.#ties.ahead(present.actor, present.at);
    return this.#ties.within(actor, at, present.tie);
  }

  /**
   * Starts a process; its first step runs at the present instant, not inside this call. Its events
   * are those of `actor`, by default its own. For `runsOn` see there.
   */
  spawn(name: string, process: Process<unknown>, actor = name, runsOn = false): Task {
    const task: RunningTask = {
      name,
      actor,
      scheduler: this,
      finished: new WaitQueue(`${name}.finished`),
      done: false,
      error: null,
      process,
      runsOn,
      event: null,
      waitingOn: null,
      running: false,
      killed: false,
    };
    this.resume(task);
    return task;
  }

  /** Makes a waiting task look at its condition again, or take the lock it was handed. */
  resume(task: Task): void {
    const waiting = task as RunningTask;
    if (waiting.done || waiting.event !== null) return;
    waiting.waitingOn = null;
    this.#activateAt(waiting, this.clock.now());
  }

  #activateAt(task: RunningTask, at: number): void {
    task.event = this.at(at, () => this.#activate(task), task.actor);
  }

  /**
   * Ends a task where it waits; its `finally` blocks run and release what it holds. If they take
   * time, so does the ending: wait for `finished`. A task that kills itself ends at its next wait.
   */
  kill(task: Task): void {
    const running = task as RunningTask;
    if (running.done || running.killed) return;
    running.killed = true;
    if (running.running) return;
    if (running.event !== null) running.event.cancelled = true;
    running.event = null;
    running.waitingOn?.remove(running);
    running.waitingOn = null;
    this.#run(running, true);
  }

  /** Time of the next event, or Infinity. */
  nextAt(): number {
    for (;;) {
      const event = this.#events.peek();
      if (event === undefined) return Number.POSITIVE_INFINITY;
      if (!event.cancelled) return event.at;
      this.#events.pop();
    }
  }

  /** Runs the events that are due by the wall clock; returns how many. */
  runDue(limit = 256): number {
    let ran = 0;
    while (ran < limit && this.nextAt() <= this.clock.now()) {
      this.#runNext();
      ran++;
    }
    return ran;
  }

  /** Virtual clock only: runs the next event, if one is due by `until` (ns). */
  runNext(until = Number.POSITIVE_INFINITY): boolean {
    const at = this.nextAt();
    if (at > until || at === Number.POSITIVE_INFINITY) return false;
    const clock = this.clock;
    assert(clock instanceof VirtualClock, "runNext needs a virtual clock");
    clock.advanceTo(at);
    this.#runNext();
    return true;
  }

  /**
   * As runNext, for who need not look at anything between two events. A task that was spawned so
   * runs on through sleeps which nothing else falls into: the same events in the same order, as
   * `activations` counts them.
   */
  runOn(until: number): boolean {
    this.#passUntil = until;
    try {
      return this.runNext(until);
    } finally {
      this.#passUntil = Number.NEGATIVE_INFINITY;
    }
  }

  /** Passer: the event that would end the sleep is the next one, and begins here. */
  pass(ns: number): boolean {
    const task = this.#passing!;
    const at = this.clock.now() + ns;
    const present = this.#present;
    if (task.killed || !(at > present.at && at <= this.#passUntil && at < this.nextAt())) {
      return false;
    }
    (this.clock as VirtualClock).advanceTo(at);
    this.#activations++;
    present.at = at;
    present.actor = task.actor;
    present.tie = -1;
    return true;
  }

  #runNext(): void {
    const event = this.#events.pop()!;
    this.#activations++;
    this.#present.at = event.at;
    this.#present.tie = event.tie;
    event.run();
  }

  #activate(task: RunningTask): void {
    task.event = null;
    this.#run(task, false);
  }

  /** Runs a task, or its ending, to its next wait that has to wait. */
  #run(task: RunningTask, ending: boolean): void {
    const passes = task.runsOn && !ending && this.#passUntil >= this.clock.now();
    const outer = [setPasser(passes ? this : null), this.#passing] as const;
    this.#passing = task;
    task.running = true;
    try {
      while (this.#advance(task, ending)) ending = false;
    } catch (error) {
      this.#finish(task, error);
      throw error;
    } finally {
      task.running = false;
      setPasser(outer[0]);
      this.#passing = outer[1];
    }
  }

  /** One stretch of the process's code; true if it may go on at once. */
  #advance(task: RunningTask, ending: boolean): boolean {
    const killedBefore = task.killed;
    let next = ending ? task.process.return(undefined) : task.process.next();
    if (next.done !== true && task.killed && !killedBefore) next = task.process.return(undefined);
    if (next.done === true) {
      this.#finish(task, null);
      return false;
    }
    return this.#enter(task, next.value);
  }

  /** Begins a wait; true if there is nothing to wait for. */
  #enter(task: RunningTask, wait: Wait): boolean {
    if (wait.kind === "lock") return wait.mutex.enter(wait.ticket, task);
    if (wait.kind === "sleep") {
      this.#activateAt(task, this.clock.now() + wait.ns);
    } else {
      wait.queue.tasks.push(task);
      task.waitingOn = wait.queue;
    }
    return false;
  }

  #finish(task: RunningTask, error: unknown): void {
    task.done = true;
    task.error = error;
    task.finished.wakeAll();
  }
}
