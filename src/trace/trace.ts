/** Records what happened: trace points with the kernel's and QEMU's names, on the slow path. */
import type { Clock } from "../time/clock.ts";
import type { TracePoint } from "./points.ts";

/** One event: when (ns), who (`host`, a guest's name), what, and its arguments. */
export interface TraceEvent {
  readonly at: number;
  readonly actor: string;
  readonly point: TracePoint;
  readonly args: Readonly<Record<string, string | number>>;
}

export interface Tracer {
  emit(point: TracePoint, args?: Readonly<Record<string, string | number>>): void;
}

/** Events that are kept beyond the limit: the last ones. */
const LATE_KEPT = 256;

/** Keeps the first events of one actor, and the last; says how many it had to let go between. */
export class TraceRecorder implements Tracer {
  readonly #clock: Clock;
  readonly #actor: string;
  readonly #limit: number;
  readonly events: TraceEvent[] = [];
  dropped = 0;
  /** The last events, from `#limit` on; twice as many as are kept before the older half goes. */
  #late: TraceEvent[] = [];

  constructor(clock: Clock, actor: string, limit = 100_000) {
    this.#clock = clock;
    this.#actor = actor;
    this.#limit = limit;
  }

  emit(point: TracePoint, args: Readonly<Record<string, string | number>> = {}): void {
    const event = { at: this.#clock.now(), actor: this.#actor, point, args };
    if (this.events.length < this.#limit) {
      this.events.push(event);
      return;
    }
    this.#late.push(event);
    if (this.#late.length < 2 * LATE_KEPT) return;
    this.#late = this.#late.slice(LATE_KEPT);
    this.dropped += LATE_KEPT;
  }

  /** All that is kept, in order. */
  all(): TraceEvent[] {
    return [...this.events, ...this.#late];
  }
}
