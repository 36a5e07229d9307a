/** Open-loop traffic of a device: interrupts at times that depend on nobody being ready. */
import type { Prng } from "../../src/base/prng.ts";
import type { WorkloadSpec } from "../../src/scenario/types.ts";
import type { DeviceEnv } from "./types.ts";

/** Who interrupts: `queue` counts from 0 up to what `setQueues` said. */
export interface LoadTarget {
  loadInterrupt(queue: number, atNs: number): void;
}

/** Interrupts raised in one turn at most, so that a stalled host gets to its other work. */
const BURST_MAX = 256;

/**
 * One stream for all queues: independent Poisson streams together are one Poisson stream of the
 * summed rate with queues drawn evenly, and fixed streams at even phases are one fixed stream that
 * goes round. So a turn costs the same for one queue and for two thousand.
 */
export class OpenLoopLoad {
  #load: WorkloadSpec | null = null;
  #env: DeviceEnv | null = null;
  #random: Prng | null = null;
  #queues = 0;
  #turn = 0;
  #gapNs = Number.POSITIVE_INFINITY;
  #stormGapNs = Number.POSITIVE_INFINITY;
  /** When the load began: storms are timed from here. */
  #startNs = 0;
  #nextAt = Number.POSITIVE_INFINITY;

  /** `name` names the random stream: the device's name. */
  start(load: WorkloadSpec, env: DeviceEnv, name: string): void {
    this.#load = load.arrivals === "poisson" || load.arrivals === "fixed" ? load : null;
    this.#env = env;
    this.#random = env.random(`load:${name}`);
    this.#startNs = env.clock.now();
    this.#plan();
  }

  stop(): void {
    this.#load = null;
    this.#plan();
  }

  /** How many queues are enabled from now on; 0 silences the device. */
  setQueues(queues: number): void {
    if (queues === this.#queues) return;
    this.#queues = queues;
    this.#turn = 0;
    this.#plan();
  }

  /** Raises what is due; returns when the next is due (ns): maybe now, or Infinity. Hot path. */
  run(now: number, target: LoadTarget): number {
    for (let raised = 0; this.#nextAt <= now && raised < BURST_MAX; raised++) {
      const at = this.#nextAt;
      const queue = this.#nextQueue();
      // Ahead of the interrupt: what it triggers may stop the load or change the queues.
      this.#nextAt = this.#after(at);
      target.loadInterrupt(queue, at);
    }
    return this.#nextAt;
  }

  #plan(): void {
    const load = this.#load;
    const streams = this.#queues > 0 && load?.per === "queue" ? this.#queues : 1;
    const gapNs = (rate: number): number => 1e9 / (rate * streams);
    this.#gapNs = load === null ? Infinity : gapNs(load.rate);
    this.#stormGapNs = load?.storm === undefined ? Infinity : gapNs(load.storm.rate);
    const silent = load === null || this.#queues === 0;
    this.#nextAt = silent ? Infinity : this.#after(this.#env!.clock.now());
    this.#env?.loadPlanned?.(this.#nextAt);
  }

  /**
   * The arrival after time `at`. Where a storm begins or ends the gap is drawn anew, which is exact
   * for a Poisson stream since it has no memory.
   */
  #after(at: number): number {
    const storm = this.#load?.storm;
    if (storm === undefined) return at + this.#gap(this.#gapNs);
    let from = at;
    for (;;) {
      const sinceNs = (from - this.#startNs) % storm.every;
      const raging = sinceNs < storm.for;
      const changeNs = from + (raging ? storm.for : storm.every) - sinceNs;
      const next = from + this.#gap(raging ? this.#stormGapNs : this.#gapNs);
      if (next < changeNs) return next;
      // A rounded boundary may lie where we are: time has to pass.
      from = Math.max(changeNs, from + 1);
    }
  }

  #gap(meanNs: number): number {
    if (this.#load?.arrivals === "fixed" || meanNs === Infinity) return meanNs;
    return this.#random!.nextExponential(meanNs);
  }

  #nextQueue(): number {
    if (this.#load?.arrivals === "poisson") return this.#random!.nextBelow(this.#queues);
    const queue = this.#turn;
    this.#turn = queue + 1 === this.#queues ? 0 : queue + 1;
    return queue;
  }
}
