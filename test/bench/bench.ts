/** What a benchmark is, and how one is measured beside its floor. */
import { median, pairedRatio } from "../../src/measure/statistics.ts";
import type { Clock } from "../../src/time/clock.ts";
import type { NativeFloor } from "./native-floor.ts";

/** One figure beside the floor that was measured in the same minute. */
export interface BenchResult {
  /** `eventfd.signal-read`. */
  readonly name: string;
  readonly value: number;
  /** `ns`, `M/s`, ... */
  readonly unit: string;
  /** What the floor is, "" without one. */
  readonly floorName: string;
  /** In the same unit; null if it could not be measured here. */
  readonly floor: number | null;
  /** value / floor: the median over interleaved pairs where there are pairs. */
  readonly ratio: number | null;
  readonly better: "lower" | "higher";
  /** What is promised, for people, and whether it holds; left out where nothing is. */
  /** What the value is made of, in the same unit. */
  readonly parts?: readonly { readonly name: string; readonly ns: number }[];
  /** Other figures of the same measurement, for JSON. */
  readonly detail?: Readonly<Record<string, number | null>>;
  readonly target?: { readonly text: string; readonly met: boolean };
}

export interface BenchContext {
  readonly clock: Clock;
  /** Fewer rounds: for a look, not for a record. */
  readonly quick: boolean;
  /** The same hand-overs in C; null without a compiler. */
  readonly native: NativeFloor | null;
  /** Text that goes before the table of results. */
  note(text: string): void;
}

/** A bench file exports `benches`; main.ts lists the files. */
export interface Bench {
  /** Prefix of its results' names; `--only` selects by it. */
  readonly name: string;
  run(context: BenchContext): Promise<BenchResult[]>;
}

export interface Interleaved {
  readonly value: number;
  readonly floor: number;
  readonly ratio: number;
}

/** Measures A and B in turns (A B A B), once unrecorded; medians, and the median of the ratios. */
export async function interleave(
  context: BenchContext,
  measure: () => number | Promise<number>,
  measureFloor: () => number | Promise<number>,
): Promise<Interleaved> {
  const rounds = context.quick ? 3 : 11;
  const values: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const value = await measure();
    const floor = await measureFloor();
    if (round === 0) continue;
    values.push(value);
    floors.push(floor);
  }
  return { value: median(values), floor: median(floors), ratio: pairedRatio(values, floors) };
}

/** Nanoseconds each of `times` passes of `body` takes; `body` makes all of them itself. */
export function timeEach(clock: Clock, times: number, body: (times: number) => void): number {
  const start = clock.now();
  body(times);
  return (clock.now() - start) / times;
}

/** Throws if a benchmark did not do the work it claims to have timed. */
export function verify(condition: boolean, what: string): void {
  if (!condition) throw new Error(`benchmark broken: ${what}`);
}
