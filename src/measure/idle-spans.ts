/**
 * How long irqs without a handler stay unused, and what ends it; how long arming takes. One for
 * each policy of a machine.
 */
import { DIGITS_DEFAULT, type HistogramJson, LatencyHistogram } from "./histogram.ts";

/** What gave an irq back that had no handler. */
export const IDLE_RELEASES = ["teardown", "cap", "timeout", "pressure", "disable"] as const;
export type IdleRelease = (typeof IDLE_RELEASES)[number];

export function noReleases(): Record<IdleRelease, number> {
  return { teardown: 0, cap: 0, timeout: 0, pressure: 0, disable: 0 };
}

/** Spans longer than 1 ms, ..., in ns: "unusual for an extended period" as numbers. */
export const IDLE_LIMITS_NS = [1e6, 10e6, 100e6, 1e9, 10e9, 60e9] as const;

/** 39 hours, for fleets over a simulated day. */
const HIGHEST_NS = 2 ** 47;

export interface IdleSpansReport {
  /** Spans until a trigger came, or until the irq was freed, and those not ended: their age. */
  readonly spans: HistogramJson;
  readonly reused: number;
  readonly released: Readonly<Record<IdleRelease, number>>;
  readonly open: number;
  /** Spans of each of IDLE_LIMITS_NS and more. */
  readonly over: readonly number[];
  readonly sumNs: number;
  /** From the work for a vector to its trigger armed: had one before; had none. */
  readonly rearm: HistogramJson;
  readonly arm: HistogramJson;
}

export class IdleSpans {
  readonly #spans = new LatencyHistogram(DIGITS_DEFAULT, HIGHEST_NS);
  readonly #rearm = new LatencyHistogram();
  readonly #arm = new LatencyHistogram();
  readonly #released = noReleases();
  readonly #over: number[] = IDLE_LIMITS_NS.map(() => 0);
  #reused = 0;
  #sumNs = 0;

  /** An idle irq got a trigger again, after `ns`. */
  reused(ns: number): void {
    this.#reused++;
    this.#span(ns);
  }

  /** An idle irq went with its mode, after `ns`. */
  released(ns: number, cause: IdleRelease): void {
    this.#released[cause]++;
    this.#span(ns);
  }

  /** A single irq was freed; `ns` is null where it never had the time to be idle. */
  freed(cause: IdleRelease, ns: number | null): void {
    if (ns !== null) this.released(ns, cause);
    else this.#released[cause]++;
  }

  /** A trigger was armed, which took `ns`. */
  armed(ns: number, again: boolean): void {
    (again ? this.#rearm : this.#arm).record(ns);
  }

  /** With what is still idle at the end, `ages` long (ns): they count as what they are so far. */
  report(ages: readonly number[]): IdleSpansReport {
    const spans = new LatencyHistogram(DIGITS_DEFAULT, HIGHEST_NS);
    spans.add(this.#spans);
    for (const age of ages) spans.record(age);
    const older = (limit: number): number => ages.filter((age) => age >= limit).length;
    return {
      spans: spans.toJSON(),
      reused: this.#reused,
      released: { ...this.#released },
      open: ages.length,
      over: this.#over.map((n, i) => n + older(IDLE_LIMITS_NS[i]!)),
      sumNs: ages.reduce((sum, age) => sum + age, this.#sumNs),
      rearm: this.#rearm.toJSON(),
      arm: this.#arm.toJSON(),
    };
  }

  #span(ns: number): void {
    this.#spans.record(ns);
    this.#sumNs += ns;
    for (const [i, limit] of IDLE_LIMITS_NS.entries()) if (ns >= limit) this.#over[i]!++;
  }
}
