/** Runs on threads that a test disturbs in a phase of its choice: choreography, not sleeps. */
import type { Progress, RunResult } from "../../src/run/result.ts";
import { resultOf } from "../../src/run/run.ts";
import { ThreadsRun } from "../../src/run/threads/engine.ts";
import type { Scenario } from "../../src/scenario/types.ts";
import { fromDist } from "./program.ts";

export const PHASES = ["starting", "calibrating", "running", "settling"] as const;
export type Phase = (typeof PHASES)[number];

/** Built by `npm test`, as the workers they stand for. */
const faulty = (side: string): URL => {
  const file = `faulty-${side}-worker`;
  const here = fromDist ? `../../build/test/support/${file}.js` : `${file}.ts`;
  return new URL(here, import.meta.url);
};

export const FAULTY = { guest: faulty("guest"), host: faulty("host") };

interface Disturbed {
  readonly scenario: Scenario;
  readonly phase: Phase;
  readonly disturb: (run: ThreadsRun, abort: AbortController) => void;
}

/** Runs the scenario and calls `disturb` once, when `phase` has begun. */
export async function runDisturbed({ scenario, phase, disturb }: Disturbed): Promise<RunResult> {
  const abort = new AbortController();
  let done = false;
  const once = (): void => {
    if (!done) disturb(run, abort);
    done = true;
  };
  const onProgress = ({ elapsedNs, durationNs, interrupts }: Progress): void => {
    if (phase === "running" && interrupts > 0) once();
    // The loop of the run ends with this call.
    if (phase === "settling" && elapsedNs >= durationNs) setImmediate(once);
  };
  const run = new ThreadsRun(scenario, { signal: abort.signal, onProgress });
  const watch = setInterval(() => {
    const { guests } = run;
    const ready = guests.length === scenario.guests.length && guests.every((g) => g.ready);
    if (phase === "starting" && guests.length > 0) once();
    if (phase === "calibrating" && ready) once();
  }, 1);
  try {
    return resultOf(scenario, await run.run());
  } finally {
    clearInterval(watch);
  }
}

/** A run with faulty workers, its guests renamed to what they do wrong. */
export async function runFaulty(scenario: Scenario, names: readonly string[]): Promise<RunResult> {
  const guests = scenario.guests.map((guest, i) => ({ ...guest, name: names[i] ?? guest.name }));
  const faulty = { ...scenario, guests };
  return resultOf(faulty, await new ThreadsRun(faulty, {}, FAULTY).run());
}
