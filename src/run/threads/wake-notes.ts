/** What a worker notes of its waits: when it slept last, and how long it had to wait in all. */

/** Sleeps that are kept for a trace. */
const KEPT = 512;
/**
 * Of waits that end while spinning one in so many is timed: a reading of the clock at the end of
 * each would be on the way of the interrupt that ends it.
 */
const TIMED_EVERY = 8;

const BEGUN = 0;
const ENDED = 1;

export class WakeNotes {
  /** [0]: when the last sleep ended, ns: what was signalled before that found the worker asleep. */
  readonly sleptUntil = new Float64Array(1);
  readonly #log: Float64Array | null;
  #sleeps = 0;
  #spins = 0;
  #asleepNs = 0;
  #spunNs = 0;
  readonly #times = new Float64Array(2);

  /** `traced`: single sleeps are kept. */
  constructor(traced: boolean) {
    this.#log = traced ? new Float64Array(2 * KEPT) : null;
  }

  /** A wait begins; `times` of the wait that has not ended are forgotten. */
  begin(now: number): void {
    this.#times[BEGUN] = now;
  }

  /** It ended without a sleep. */
  spun(clock: { stamp(to: Float64Array, at: number): void }): void {
    if (this.#spins++ % TIMED_EVERY !== 0) return;
    clock.stamp(this.#times, ENDED);
    this.#spunNs += this.#times[ENDED]! - this.#times[BEGUN]!;
  }

  /** It ended after a sleep. */
  slept(clock: { stamp(to: Float64Array, at: number): void }): void {
    const times = this.#times;
    clock.stamp(times, ENDED);
    this.sleptUntil[0] = times[ENDED]!;
    this.#asleepNs += times[ENDED]! - times[BEGUN]!;
    this.#log?.set(times, 2 * (this.#sleeps++ % KEPT));
  }

  /** Time spent in waits so far, ns; that of waits without a sleep is an estimate. */
  get idleNs(): number {
    return this.#asleepNs + TIMED_EVERY * this.#spunNs;
  }

  /** The last sleeps, oldest first: begin, end, begin, end, ... ns. */
  sleeps(): number[] {
    const log = this.#log;
    if (log === null) return [];
    const first = Math.max(0, this.#sleeps - KEPT);
    const times: number[] = [];
    for (let i = first; i < this.#sleeps; i++) {
      times.push(log[2 * (i % KEPT)]!, log[2 * (i % KEPT) + 1]!);
    }
    return times;
  }
}
