/** Stops at the first latency beyond a limit, as cyclictest's --breaktrace: what came before it. */
import { MOMENTS } from "./stages.ts";

/** Samples that are kept, the one beyond the limit included. */
export const WATCHED_SAMPLES = 256;
const RAISED = 0;
const ISR = MOMENTS.length - 1;
const ROW = MOMENTS.length;
const SEQUENCE = ROW + 1;
const PARKED = ROW + 2;
const DOUBLES = ROW + 3;

/** One interrupt; `moments` are those of `MOMENTS`, ns. */
export interface WatchedSample {
  readonly row: number;
  readonly sequence: number;
  readonly parked: boolean;
  readonly moments: readonly number[];
}

export interface WatchReport {
  readonly limitNs: number;
  /** Null: none was beyond the limit. */
  readonly hit: WatchedSample | null;
  /** Those before it, in the order in which they were recorded. */
  readonly before: readonly WatchedSample[];
}

/** Keeps a guest's last samples until one took longer than the limit, from then on nothing. */
export class LatencyWatch {
  readonly limitNs: number;
  readonly #onHit: () => void;
  readonly #ring = new Float64Array(WATCHED_SAMPLES * DOUBLES);
  #seen = 0;
  #hit = false;

  constructor(limitNs: number, onHit: () => void) {
    this.limitNs = limitNs;
    this.#onHit = onHit;
  }

  get hit(): boolean {
    return this.#hit;
  }

  /** A sample of which `moments` has the times. Hot path of runs that watch. */
  sample(row: number, sequence: number, moments: Float64Array, parked: boolean): void {
    if (this.#hit) return;
    const at = (this.#seen++ % WATCHED_SAMPLES) * DOUBLES;
    const ring = this.#ring;
    ring.set(moments, at);
    ring[at + ROW] = row;
    ring[at + SEQUENCE] = sequence;
    ring[at + PARKED] = parked ? 1 : 0;
    if (moments[ISR]! - moments[RAISED]! <= this.limitNs) return;
    this.#hit = true;
    this.#onHit();
  }

  report(): WatchReport {
    const first = Math.max(0, this.#seen - WATCHED_SAMPLES);
    const kept: WatchedSample[] = [];
    for (let index = first; index < this.#seen; index++) kept.push(this.#sampleAt(index));
    const hit = this.#hit ? (kept.pop() ?? null) : null;
    return { limitNs: this.limitNs, hit, before: kept };
  }

  #sampleAt(index: number): WatchedSample {
    const at = (index % WATCHED_SAMPLES) * DOUBLES;
    const ring = this.#ring;
    return {
      row: ring[at + ROW]!,
      sequence: ring[at + SEQUENCE]!,
      parked: ring[at + PARKED] === 1,
      moments: Array.from(ring.subarray(at, at + MOMENTS.length)),
    };
  }
}
