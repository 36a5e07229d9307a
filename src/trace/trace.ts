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

/** Keeps the events of one actor, up to a limit; says how many it had to let go. */
export class TraceRecorder implements Tracer {
  readonly #clock: Clock;
  readonly #actor: string;
  readonly #limit: number;
  readonly events: TraceEvent[] = [];
  dropped = 0;

  constructor(clock: Clock, actor: string, limit = 100_000) {
    this.#clock = clock;
    this.#actor = actor;
    this.#limit = limit;
  }

  emit(point: TracePoint, args: Readonly<Record<string, string | number>> = {}): void {
    if (this.events.length >= this.#limit) {
      this.dropped++;
      return;
    }
    this.events.push({ at: this.#clock.now(), actor: this.#actor, point, args });
  }
}
