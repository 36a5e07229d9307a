/** The discrete-event clock: stands still while code runs, except for work it is told about. */
import { assert } from "../base/assert.ts";
import type { Clock } from "./clock.ts";

export class VirtualClock implements Clock {
  readonly kind = "virtual";
  #eventNs = 0;
  #spentNs = 0;

  now(): number {
    return this.#eventNs + this.#spentNs;
  }

  stamp(to: Float64Array, at: number): void {
    to[at] = this.#eventNs + this.#spentNs;
  }

  spend(ns: number): void {
    this.#spentNs += ns;
  }

  /** Moves to the next event. Work of the last one may reach past it: other actors overlap. */
  advanceTo(ns: number): void {
    assert(ns >= this.#eventNs, () => `virtual time runs backwards: ${this.#eventNs} to ${ns}`);
    this.#eventNs = ns;
    this.#spentNs = 0;
  }
}
