/** Who holds how much of the pool over time: a bounded series that keeps the highs and lows. */
import type { PoolOccupancy } from "../../src/run/contract.ts";
import type { Clock } from "../../src/time/clock.ts";

/** Buckets of time; each keeps at most its lowest, its highest and its last state. */
export const BUCKETS_MAX = 128;
/** Holders with a series of their own; the largest ones. */
export const HOLDERS_MAX = 128;
/** The shortest bucket, ns: the next shortest is twice as long. */
const WIDTH_MIN_NS = 1_000;

/** What all holders had from a moment on. */
interface State {
  readonly at: number;
  /** Order of states that share a moment. */
  readonly sequence: number;
  readonly total: number;
  readonly irqs: Float64Array;
  readonly irtes: Float64Array;
}

interface Bucket {
  /** The time it covers begins at `index` widths. */
  index: number;
  lowest: State;
  highest: State;
  last: State;
}

/**
 * Few changes are all kept with their exact times. Where there are more buckets than allowed, all
 * become twice as wide and neighbours are merged, so that the same changes give the same series.
 */
export class OccupancySeries {
  readonly #clock: Clock;
  readonly #bucketsMax: number;
  readonly #holders = new Map<string, number>();
  readonly #irqs: number[] = [];
  readonly #irtes: number[] = [];
  #total = 0;
  /** When the present state began. */
  #since: number;
  #rising = true;
  #sequence = 0;
  #widthNs = WIDTH_MIN_NS;
  #buckets: Bucket[] = [];

  constructor(clock: Clock, bucketsMax = BUCKETS_MAX) {
    this.#clock = clock;
    this.#bucketsMax = bucketsMax;
    this.#since = clock.now();
  }

  /** `who` took (or, below zero, gave back) irqs and entries. */
  change(who: string, irqs: number, irtes: number): void {
    const difference = irqs + irtes;
    if (irqs === 0 && irtes === 0) return;
    const now = this.#now();
    // A state is worth keeping where the series turns, and where a bucket ends.
    const turned = difference !== 0 && difference > 0 !== this.#rising;
    if (turned || this.#indexOf(now) !== this.#indexOf(this.#since)) this.#keep(this.#present());
    if (difference !== 0) this.#rising = difference > 0;
    const holder = this.#holderOf(who);
    this.#irqs[holder]! += irqs;
    this.#irtes[holder]! += irtes;
    this.#total += difference;
    this.#since = now;
  }

  report(): PoolOccupancy {
    const states = this.#buckets.flatMap(statesOf);
    states.push(this.#present(), { ...this.#present(), at: this.#now() });
    const series = [...this.#holders].map(([name, holder]) => ({
      name,
      irqs: states.map((state) => state.irqs[holder] ?? 0),
      irtes: states.map((state) => state.irtes[holder] ?? 0),
    }));
    return { at: states.map(({ at }) => at), ...folded(series) };
  }

  /** Virtual work may reach past the time at which another actor's begins. */
  #now(): number {
    return Math.max(this.#clock.now(), this.#since);
  }

  #holderOf(who: string): number {
    let holder = this.#holders.get(who);
    if (holder !== undefined) return holder;
    holder = this.#holders.size;
    this.#holders.set(who, holder);
    this.#irqs.push(0);
    this.#irtes.push(0);
    return holder;
  }

  #indexOf(at: number): number {
    return Math.floor(at / this.#widthNs);
  }

  #present(): State {
    return {
      at: this.#since,
      sequence: this.#sequence++,
      total: this.#total,
      irqs: Float64Array.from(this.#irqs),
      irtes: Float64Array.from(this.#irtes),
    };
  }

  #keep(state: State): void {
    const index = this.#indexOf(state.at);
    const bucket = this.#buckets.at(-1);
    if (bucket?.index !== index) {
      this.#buckets.push({ index, lowest: state, highest: state, last: state });
      while (this.#buckets.length > this.#bucketsMax) this.#widen();
      return;
    }
    bucket.last = state;
    if (state.total < bucket.lowest.total) bucket.lowest = state;
    if (state.total > bucket.highest.total) bucket.highest = state;
  }

  #widen(): void {
    this.#widthNs *= 2;
    const merged: Bucket[] = [];
    for (const bucket of this.#buckets) {
      const index = Math.floor(bucket.index / 2);
      const before = merged.at(-1);
      if (before?.index !== index) {
        merged.push({ ...bucket, index });
        continue;
      }
      before.last = bucket.last;
      if (bucket.lowest.total < before.lowest.total) before.lowest = bucket.lowest;
      if (bucket.highest.total > before.highest.total) before.highest = bucket.highest;
    }
    this.#buckets = merged;
  }
}

type Series = PoolOccupancy["holders"][number];

/** The largest holders in the order in which they came, all others as one. */
function folded(series: readonly Series[]): Pick<PoolOccupancy, "holders" | "others"> {
  if (series.length <= HOLDERS_MAX) return { holders: series };
  const peaks = new Map(series.map((one) => [one, peakOf(one)]));
  const bySize = [...series].sort((a, b) => peaks.get(b)! - peaks.get(a)!);
  const named = new Set(bySize.slice(0, HOLDERS_MAX));
  const rest = bySize.slice(HOLDERS_MAX);
  const sum = (what: "irqs" | "irtes"): number[] =>
    series[0]!.irqs.map((_, i) => rest.reduce((total, one) => total + one[what][i]!, 0));
  const others = { count: rest.length, irqs: sum("irqs"), irtes: sum("irtes") };
  return { holders: series.filter((one) => named.has(one)), others };
}

function peakOf({ irqs, irtes }: Series): number {
  return irqs.reduce((peak, n, i) => Math.max(peak, n, irtes[i]!), 0);
}

/** The states a bucket kept, in their order, each once. */
function statesOf({ lowest, highest, last }: Bucket): State[] {
  return [...new Set([lowest, highest, last])].sort((a, b) => a.sequence - b.sequence);
}
