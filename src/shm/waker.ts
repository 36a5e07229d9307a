/** Parking and waking a worker: an eventcount on one futex word (Atomics.wait and notify). */

/*
 * The sleeper: epoch = prepare(); look at all its sources; sleep(epoch) or retract().
 * A waker: publish the work; wake().
 * prepare() reads the epoch, then sets the parked flags, then come the looks. wake() publishes,
 * then looks at the flag; if it is set: clears it, then moves the epoch, then notifies.
 * A waker that finds the flag set moves the epoch that the sleeper has read, so its sleep ends or
 * does not begin. A waker that finds it clear came before the sleeper set it, and then the
 * sleeper's look, later still, sees the work; or another waker cleared it after it was set, and
 * that one moves the epoch later than the sleeper read it. (That is why the epoch is read first: a
 * slow waker of the sleep before may clear the new flag; read after that, its epoch would hide it.)
 *
 * A sleeper with many wakers (the host) has one flag in the memory of each, and one epoch word
 * that all of them can reach. A hostile waker can spoil the epoch; sleeps are therefore bounded.
 */

/** Longest sleep: what a spoilt epoch can cost the other wakers' sleeper. */
export const SLEEP_MS_MAX = 100;

/** Tells one sleeping worker that there is work. */
export interface Waker {
  wake(): void;
}

/** Word of a parked flag or an epoch. */
export interface SharedWord {
  readonly words: Int32Array;
  readonly index: number;
}

export class FutexWaker implements Waker {
  readonly #parked: SharedWord;
  readonly #epoch: SharedWord;

  constructor(parked: SharedWord, epoch: SharedWord) {
    this.#parked = parked;
    this.#epoch = epoch;
  }

  wake(): void {
    const parked = this.#parked;
    if (Atomics.load(parked.words, parked.index) === 0) return;
    Atomics.store(parked.words, parked.index, 0);
    Atomics.add(this.#epoch.words, this.#epoch.index, 1);
    Atomics.notify(this.#epoch.words, this.#epoch.index);
  }
}

/** Wakes without a look at any flag: for control, where one wake too many costs nothing. */
export class AlwaysWaker implements Waker {
  readonly #epoch: SharedWord;

  constructor(epoch: SharedWord) {
    this.#epoch = epoch;
  }

  wake(): void {
    Atomics.add(this.#epoch.words, this.#epoch.index, 1);
    Atomics.notify(this.#epoch.words, this.#epoch.index);
  }
}

export class Parker {
  readonly #epoch: SharedWord;
  readonly #parked: SharedWord[] = [];

  constructor(epoch: SharedWord, parked: readonly SharedWord[] = []) {
    this.#epoch = epoch;
    this.#parked.push(...parked);
  }

  /** Adds the flag of one more waker. */
  addFlag(flag: SharedWord): void {
    this.#parked.push(flag);
  }

  /** Announces that this worker is about to sleep; look at all sources after it. */
  prepare(): number {
    const epoch = Atomics.load(this.#epoch.words, this.#epoch.index);
    for (let i = 0; i < this.#parked.length; i++) {
      const flag = this.#parked[i]!;
      Atomics.store(flag.words, flag.index, 1);
    }
    return epoch;
  }

  /**
   * Sleeps for `timeoutMs`, at most SLEEP_MS_MAX, or until woken: "ok"; "not-equal" if a waker
   * came before the sleep.
   */
  sleep(epoch: number, timeoutMs: number): "ok" | "not-equal" | "timed-out" {
    // Atomics.wait takes NaN for ever.
    const ms = Math.min(timeoutMs || 0, SLEEP_MS_MAX);
    const outcome = Atomics.wait(this.#epoch.words, this.#epoch.index, epoch, ms);
    this.retract();
    return outcome;
  }

  /** Work was found after all. */
  retract(): void {
    for (let i = 0; i < this.#parked.length; i++) {
      const flag = this.#parked[i]!;
      Atomics.store(flag.words, flag.index, 0);
    }
  }
}

/** A word that main sets when it wants a busy or parked worker to read its messages. */
export class Attention {
  readonly #word: SharedWord;

  constructor(word: SharedWord) {
    this.#word = word;
  }

  /** Main: before sending a message; the caller then wakes the worker. */
  raise(): void {
    Atomics.store(this.#word.words, this.#word.index, 1);
  }

  raised(): boolean {
    return Atomics.load(this.#word.words, this.#word.index) !== 0;
  }

  /** As `raised`, by a plain read, which may be stale. */
  glance(): boolean {
    return this.#word.words[this.#word.index] !== 0;
  }

  /** Worker: true if it was raised since the last look. */
  take(): boolean {
    return Atomics.exchange(this.#word.words, this.#word.index, 0) !== 0;
  }
}

/** Stops the calling thread for `ns`; nobody can wake it. */
export function blockThread(ns: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ns / 1e6);
}
