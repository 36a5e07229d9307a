/** What takes time is a process: a generator that yields waits to the scheduler. */
import type { Task } from "./scheduler.ts";

/** A process with result `T`. Call another one with `yield*`. */
export type Process<T = void> = Generator<Wait, T, void>;

export type Wait =
  | { readonly kind: "sleep"; readonly ns: number }
  | { readonly kind: "until"; readonly queue: WaitQueue; readonly condition: () => boolean }
  | { readonly kind: "lock"; readonly mutex: Mutex; readonly ticket: LockTicket };

/** Tasks waiting for a condition that some other task or event makes true. */
export class WaitQueue {
  readonly name: string;
  readonly tasks: Task[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** Lets every waiter look at its condition again. Call after changing what they wait for. */
  wakeAll(): void {
    if (this.tasks.length === 0) return;
    for (const task of this.tasks.splice(0)) task.scheduler.resume(task);
  }

  /** Called by the scheduler for a task that is killed while it waits here. */
  remove(task: Task): void {
    const waiting = this.tasks.indexOf(task);
    if (waiting >= 0) this.tasks.splice(waiting, 1);
  }
}

/** One attempt to hold a mutex: waiting, then owning, then gone. */
export interface LockTicket {
  task: Task | null;
}

/** A sleeping lock, handed over first come, first served. */
export class Mutex {
  readonly name: string;
  readonly #waiters: LockTicket[] = [];
  #owner: LockTicket | null = null;

  constructor(name: string) {
    this.name = name;
  }

  get locked(): boolean {
    return this.#owner !== null;
  }

  /** Takes the lock if it is free. */
  tryEnter(ticket: LockTicket): boolean {
    if (this.#owner !== null) return false;
    this.#owner = ticket;
    return true;
  }

  /** Called by the scheduler for a task that yielded a lock wait; false: it has to wait. */
  enter(ticket: LockTicket, task: Task): boolean {
    ticket.task = task;
    if (this.#owner === null) this.#owner = ticket;
    else this.#waiters.push(ticket);
    return this.#owner === ticket;
  }

  /** Gives the lock to the longest waiter, or gives up waiting for it. */
  leave(ticket: LockTicket): void {
    if (this.#owner !== ticket) {
      const waiting = this.#waiters.indexOf(ticket);
      if (waiting >= 0) this.#waiters.splice(waiting, 1);
      return;
    }
    this.#owner = this.#waiters.shift() ?? null;
    const next = this.#owner?.task;
    if (next) next.scheduler.resume(next);
  }
}

/** Who lets time pass for the process that runs, without a wait, where nobody could tell. */
export interface Passer {
  /** True if `ns` have passed: nothing else would have happened meanwhile. */
  pass(ns: number): boolean;
}

let passer: Passer | null = null;

/** From now on `next` may pass the time of what runs; returns who could before. */
export function setPasser(next: Passer | null): Passer | null {
  const before = passer;
  passer = next;
  return before;
}

/**
 * Waits `ns` nanoseconds; 0 is a step in which others may run, on either clock. Call it where the
 * wait is, with yield*: the time may pass in the call itself.
 */
export function sleep(ns: number): Process {
  // Each level of yield* costs at every wait, and a system call has some twenty.
  return passer?.pass(ns) === true ? NOTHING : sleeping(ns);
}

function* sleeping(ns: number): Process {
  yield { kind: "sleep", ns };
}

function* nothing(): Process {}

/** A process that has ended, and does so each time. */
const NOTHING = nothing();
NOTHING.next();

/** A point at which an interrupt or another task may come in between; takes no time of its own. */
export function* step(): Process {
  yield { kind: "sleep", ns: 0 };
}

/** Waits until `condition` holds; it is looked at now and after each `queue.wakeAll()`. */
export function* until(queue: WaitQueue, condition: () => boolean): Process {
  while (!condition()) yield { kind: "until", queue, condition };
}

/** Waits for the lock; whatever happens then, also meanwhile, the ticket has to leave it. */
export function lock(mutex: Mutex, ticket: LockTicket): Process {
  return mutex.tryEnter(ticket) ? NOTHING : locking(mutex, ticket);
}

function* locking(mutex: Mutex, ticket: LockTicket): Process {
  yield { kind: "lock", mutex, ticket };
}

/** Runs `body` with `mutex` held, and releases it however `body` ends. */
export function* withLock<T>(mutex: Mutex, body: () => Process<T>): Process<T> {
  const ticket: LockTicket = { task: null };
  // The wait is inside the try: a task killed while it waits, or while the lock is on its way to
  // it, must leave the queue too.
  try {
    yield* lock(mutex, ticket);
    return yield* body();
  } finally {
    mutex.leave(ticket);
  }
}
