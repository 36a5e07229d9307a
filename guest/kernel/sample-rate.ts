/** Keeps latency samples to so many a second that they cost little of the interrupts' own time. */
import type { StampLogReader } from "../../src/shm/stamp-log.ts";

/**
 * Samples a second at most. One costs some 300 ns on both sides together, twice what a posted
 * interrupt costs: at this rate 6 % of one core.
 */
export const SAMPLES_PER_SECOND_MAX = 200_000;
/** Handlers between two looks at the clock. */
const HANDLERS_PER_LOOK = 1024;
/** More would leave nothing to see. */
const EVERY_MAX = 1024;

/** All interrupts are samples where that is no more than the limit, else one in 2, 4, 8, ... */
export class SampleRate {
  readonly #log: Pick<StampLogReader, "setShare">;
  readonly #clock: { now(): number };
  #left = HANDLERS_PER_LOOK;
  #lookedNs: number;
  #every = 1;

  constructor(log: Pick<StampLogReader, "setShare">, clock: { now(): number }) {
    this.#log = log;
    this.#clock = clock;
    this.#lookedNs = clock.now();
  }

  /** A handler ran. Hot path. */
  count(): void {
    if (--this.#left === 0) this.#look();
  }

  #look(): void {
    this.#left = HANDLERS_PER_LOOK;
    const now = this.#clock.now();
    const perSecond = (HANDLERS_PER_LOOK * 1e9) / (now - this.#lookedNs);
    this.#lookedNs = now;
    let every = 1;
    while (perSecond / every > SAMPLES_PER_SECOND_MAX && every < EVERY_MAX) every *= 2;
    if (every === this.#every) return;
    this.#every = every;
    this.#log.setShare(every);
  }
}
