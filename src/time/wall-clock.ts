/** CLOCK_MONOTONIC without BigInt or allocation, comparable between worker threads. */
import { performance } from "node:perf_hooks";
import type { Clock } from "./clock.ts";

/**
 * `performance.now()` is cheap but starts at each thread's own origin; `process.hrtime()` is the
 * absolute monotonic clock but allocates. One reading of both at start gives the offset.
 */
export class WallClock implements Clock {
  readonly kind = "wall";
  readonly #offsetNs: number;

  constructor() {
    // The tightest of several pairs, so that a preemption between the readings does not skew it.
    let best = Number.POSITIVE_INFINITY;
    let offset = 0;
    for (let i = 0; i < 16; i++) {
      const before = performance.now();
      const [seconds, ns] = process.hrtime();
      const after = performance.now();
      if (after - before >= best) continue;
      best = after - before;
      offset = seconds * 1e9 + ns - ((before + after) / 2) * 1e6;
    }
    this.#offsetNs = offset;
  }

  now(): number {
    return performance.now() * 1e6 + this.#offsetNs;
  }

  spend(_ns: number): void {}
}
