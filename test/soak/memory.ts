/** Whether memory grows: the median slope of all pairs of samples (Theil 1950, Sen 1968). */
import { median } from "../../src/measure/statistics.ts";

export interface MemorySample {
  readonly minute: number;
  readonly mib: number;
}

export interface MemoryVerdict {
  /** Samples after the warm-up. */
  readonly samples: number;
  /** MiB a minute; null of too few samples. */
  readonly slope: number | null;
  /** Of the pairs, those that grow: a half of what only wobbles. */
  readonly rising: number | null;
  readonly limit: number;
  /** Null: too few samples to tell. */
  readonly flat: boolean | null;
}

/** The first part of a soak: caches fill, code is compiled. */
const WARM_UP = 1 / 3;
const SAMPLES_LEAST = 6;
/** Memory that grows does so in nearly all pairs; less is chance. */
const RISING = 0.75;

/** `limit` in MiB a minute; `samples` in the order of their times. */
export function memoryVerdict(samples: readonly MemorySample[], limit: number): MemoryVerdict {
  const last = samples.at(-1)?.minute ?? 0;
  const warm = samples.filter(({ minute }) => minute >= WARM_UP * last);
  if (warm.length < SAMPLES_LEAST) {
    return { samples: warm.length, slope: null, rising: null, limit, flat: null };
  }
  const slopes = warm.flatMap((a, i) =>
    warm
      .slice(i + 1)
      .filter((b) => b.minute > a.minute)
      .map((b) => (b.mib - a.mib) / (b.minute - a.minute)),
  );
  const slope = median(slopes);
  const rising = slopes.filter((each) => each > 0).length / slopes.length;
  return { samples: warm.length, slope, rising, limit, flat: slope <= limit || rising < RISING };
}
