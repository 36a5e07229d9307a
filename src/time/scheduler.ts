/** Runs processes and timers against a clock: the same model code on wall and virtual time. */
import { assert } from "../base/assert.ts";
import type { Prng } from "../base/prng.ts";
import type { Clock } from "./clock.ts";
import { EventHeap, type TimedEvent } from "./event-heap.ts";
import { type Process, WaitQueue } from "./process.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** A running process. `done` is set when it has returned, failed or been killed. */
export interface Task {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly finished: WaitQueue;
  done: boolean;
  error: unknown;
  /** Set between a resume and the activation it causes, so that two wakes run a task once. */
  runnable: boolean;
}

interface RunningTask extends Task {
  readonly process: Process<unknown>;
}

export class Scheduler {
  readonly clock: Clock;
  readonly #events = new EventHeap();
  readonly #ties: Prng | null;
  #sequence = 0;
  #activations = 0;

  /** `ties` breaks ties between events of the same virtual instant; without it they run in order. */
  constructor(clock: Clock, ties: Prng | null = null) {
    this.clock = clock;
    this.#ties = ties;
  }

  /** Events run so far. */
  get activations(): number {
    return this.#activations;
  }

  /** Calls `run` at time `at` (ns); cancel it by setting `cancelled`. */
  at(at: number, run: () => void): TimedEvent {
    const tie = this.#ties === null ? 0 : this.#ties.nextUint32();
    const event = { at, tie, sequence: this.#sequence++, run, cancelled: false };
    this.#events.push(event);
    return event;
  }

  /** Starts a process; its first step runs at the present instant, not inside this call. */
  spawn(name: string, process: Process<unknown>): Task {
    const task: RunningTask = {
      name,
      scheduler: this,
      finished: new WaitQueue(`${name}.finished`),
      done: false,
      error: null,
      runnable: false,
      process,
    };
    this.resume(task);
    return task;
  }

  /** Makes a waiting task look at its condition again, or take the lock it was handed. */
  resume(task: Task): void {
    if (task.done || task.runnable) return;
    task.runnable = true;
    this.at(this.clock.now(), () => this.#activate(task as RunningTask));
  }

  /** Ends a task where it waits; its `finally` blocks run and release what it holds. */
  kill(task: Task): void {
    if (task.done) return;
    const running = task as RunningTask;
    running.process.return(undefined);
    this.#finish(running, null);
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

  #runNext(): void {
    const event = this.#events.pop()!;
    this.#activations++;
    event.run();
  }

  #activate(task: RunningTask): void {
    task.runnable = false;
    if (task.done) return;
    try {
      this.#advance(task);
    } catch (error) {
      this.#finish(task, error);
      throw error;
    }
  }

  /** Runs a task to its next wait that has to wait. */
  #advance(task: RunningTask): void {
    for (;;) {
      const next = task.process.next();
      if (next.done === true) {
        this.#finish(task, null);
        return;
      }
      const wait = next.value;
      if (wait.kind === "sleep") {
        task.runnable = true;
        this.at(this.clock.now() + wait.ns, () => this.#activate(task));
        return;
      }
      if (wait.kind === "until") {
        wait.queue.tasks.push(task);
        return;
      }
      if (!wait.mutex.enter(wait.ticket, task)) return;
    }
  }

  #finish(task: RunningTask, error: unknown): void {
    task.done = true;
    task.error = error;
    task.finished.wakeAll();
  }
}
