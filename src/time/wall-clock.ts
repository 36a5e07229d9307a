/** CLOCK_MONOTONIC without BigInt or allocation, comparable between worker threads. */
import { performance } from "node:perf_hooks";
import type { Clock } from "./clock.ts";

/** Readings that narrow the offset down: some milliseconds, most of them before the code is hot. */
const CALIBRATION_READINGS = 10_000;

/**
 * `performance.now()` is cheap but starts at each thread's own origin; `process.hrtime()` is the
 * absolute monotonic clock but allocates. Each absolute reading between two cheap ones bounds the
 * offset from both sides. What the tightest bounds of many leave open is half a reading, the same
 * in every thread; that matters where two threads' stamps are a hundred nanoseconds apart.
 */
export class WallClock implements Clock {
  readonly kind = "wall";
  #offsetNs: number;

  constructor() {
    let least = Number.NEGATIVE_INFINITY;
    let most = Number.POSITIVE_INFINITY;
    for (let i = 0; i < CALIBRATION_READINGS; i++) {
      const before = performance.now();
      const [seconds, ns] = process.hrtime();
      const after = performance.now();
      const absolute = seconds * 1e9 + ns;
      least = Math.max(least, absolute - after * 1e6);
      most = Math.min(most, absolute - before * 1e6);
    }
    this.#offsetNs = (least + most) / 2;
  }

  /**
   * It was found to be ahead of another thread's by `ns`: on a busy machine the readings above may
   * be over before their code is compiled, and then lie far apart.
   */
  setBack(ns: number): void {
    this.#offsetNs -= ns;
  }

  now(): number {
    return performance.now() * 1e6 + this.#offsetNs;
  }

  /** V8 puts what performance.now() returns on the heap, 16 bytes; the sum never gets there. */
  stamp(to: Float64Array, at: number): void {
    to[at] = performance.now() * 1e6 + this.#offsetNs;
  }

  spend(_ns: number): void {}
}
