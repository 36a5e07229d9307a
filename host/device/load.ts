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
  #nextAt = Number.POSITIVE_INFINITY;

  /** `name` names the random stream: the device's name. */
  start(load: WorkloadSpec, env: DeviceEnv, name: string): void {
    this.#load = load.arrivals === "poisson" || load.arrivals === "fixed" ? load : null;
    this.#env = env;
    this.#random = env.random(`load:${name}`);
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
      this.#nextAt = at + this.#gap();
      target.loadInterrupt(queue, at);
    }
    return this.#nextAt;
  }

  #plan(): void {
    const load = this.#load;
    const streams = load?.per === "queue" ? this.#queues : 1;
    const rate = load === null || this.#queues === 0 ? 0 : load.rate * streams;
    this.#gapNs = 1e9 / rate;
    this.#nextAt = rate > 0 ? this.#env!.clock.now() + this.#gap() : Number.POSITIVE_INFINITY;
  }

  #gap(): number {
    if (this.#load?.arrivals === "fixed") return this.#gapNs;
    return this.#random!.nextExponential(this.#gapNs);
  }

  #nextQueue(): number {
    if (this.#load?.arrivals === "poisson") return this.#random!.nextBelow(this.#queues);
    const queue = this.#turn;
    this.#turn = queue + 1 === this.#queues ? 0 : queue + 1;
    return queue;
  }
}
