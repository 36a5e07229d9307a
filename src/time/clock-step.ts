/** How fine a clock is: its smallest step, and what a reading of it costs. */

const READINGS = 20_000;

/** Both in the unit of `now`. */
export interface ClockStep {
  readonly step: number;
  readonly cost: number;
}

export function measureClockStep(now: () => number): ClockStep {
  // The first readings are the compiler's.
  for (let i = 0; i < READINGS; i++) now();
  let step = Number.POSITIVE_INFINITY;
  const start = now();
  let last = start;
  for (let i = 0; i < READINGS; i++) {
    const reading = now();
    if (reading > last && reading - last < step) step = reading - last;
    last = reading;
  }
  return { step, cost: (last - start) / READINGS };
}
