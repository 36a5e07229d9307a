/** A scenario at every point of a grid of its own settings, with chosen figures of each run. */
import { UsageError } from "../base/errors.ts";
import { VERSION } from "../base/version.ts";
import type { Engine } from "../run/result.ts";
import { expectationNames, isExpectationName } from "../scenario/expect-names.ts";
import { resolveScenario } from "../scenario/library.ts";
import { loadScenarioText } from "../scenario/loader.ts";
import { didYouMean } from "../scenario/suggest.ts";
import type { Scenario } from "../scenario/types.ts";
import type { RunQueue } from "./compare.ts";
import type { RunFigures, RunJob } from "./job.ts";
import type { JobOutcome } from "./job-queue.ts";
import { LATE_NS } from "./metrics.ts";
import { estimateOf } from "./order.ts";
import { type Param, pointsOf } from "./params.ts";

export const SWEEP_SCHEMA = "vfio-cosim/sweep/1";

export interface SweepOptions {
  /** A library name or a file. */
  readonly scenario: string;
  readonly set: readonly string[];
  readonly params: readonly Param[];
  /** Names of `list --figures`. */
  readonly figures: readonly string[];
  /** How many, from the scenario's own on. */
  readonly seeds: number;
  readonly engine: Engine;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number, failed: number) => void) | undefined;
}

/** What is shown unless a user names figures. */
export const DEFAULT_FIGURES = [
  "delivered",
  "lost",
  "latency.p50",
  "latency.p99",
  "pool.irqsPeak",
  "allocationFailures",
] as const;

export interface SweptRun {
  readonly seed: number;
  /** Null: it failed or was interrupted, and `trouble` says why. */
  readonly figures: Readonly<Record<string, number | null>> | null;
  readonly trouble: string | null;
}

export interface SweptFigure {
  readonly mean: number;
  /** Of the 95 % interval; left out with less than two runs. */
  readonly low?: number;
  readonly high?: number;
}

export interface SweptPoint {
  /** By path of its parameter, as written. */
  readonly at: Readonly<Record<string, string>>;
  readonly figures: Readonly<Record<string, SweptFigure | null>>;
  readonly runs: readonly SweptRun[];
}

export interface SweepResult {
  readonly schema: typeof SWEEP_SCHEMA;
  readonly version: string;
  readonly scenario: string;
  readonly engine: Engine;
  readonly set: readonly string[];
  readonly params: readonly Param[];
  readonly figures: readonly string[];
  readonly seeds: readonly number[];
  readonly points: readonly SweptPoint[];
}

export interface Sweep {
  readonly result: SweepResult;
  readonly isInterrupted: boolean;
  readonly failed: number;
  /** Of those, for which the model is to blame. */
  readonly bugs: number;
}

/** All scenarios are checked before the first one runs: throws UsageError. */
export async function runSweep(options: SweepOptions, queue: RunQueue): Promise<Sweep> {
  const { params, figures, onProgress } = options;
  const points = pointsOf(params);
  const scenarios = points.map((point) => pointScenario(options, point));
  checkFigures(figures, scenarios);
  const first = scenarios[0]!;
  const seeds = Array.from({ length: options.seeds }, (_, i) => first.seed + i);
  const jobs = seeds.flatMap((seed) =>
    scenarios.map((scenario): RunJob => {
      return { scenario: { ...scenario, seed }, figures, lateNs: LATE_NS };
    }),
  );
  let done = 0;
  let failed = 0;
  const outcomes = await queue.run(jobs, {
    signal: options.signal,
    onEnd: (_, { kind }) => {
      if (kind === "failed") failed++;
      onProgress?.(++done, jobs.length, failed);
    },
  });
  const runsOf = (point: number): JobOutcome<RunFigures>[] =>
    seeds.map((_, seed) => outcomes[seed * points.length + point]!);
  const swept = points.map((point, i) => sweptPoint(options, point, seeds, runsOf(i)));
  const troubles = outcomes.map(troubleOf);
  return {
    result: {
      schema: SWEEP_SCHEMA,
      version: VERSION,
      scenario: first.name,
      engine: options.engine,
      set: options.set,
      params,
      figures,
      seeds,
      points: swept,
    },
    isInterrupted: outcomes.some(({ kind }) => kind === "interrupted"),
    failed: troubles.filter((trouble) => trouble?.isFailure === true).length,
    bugs: troubles.filter((trouble) => trouble?.isBug === true).length,
  };
}

function pointScenario({ scenario, set, params, engine }: SweepOptions, point: string[]): Scenario {
  const { file, text } = resolveScenario(scenario);
  const values = point.map((value, i) => `${params[i]!.path}=${value}`);
  try {
    return loadScenarioText(text, { file, set: [...set, ...values], engine });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    // The loader knows them as what --set gives.
    const mine = values.find((value) => error.message.startsWith(`--set ${value}:`));
    if (mine === undefined) throw error;
    const { place, hint } = error;
    const message = error.message.replace("--set", "--param");
    throw new UsageError(message, hint === undefined ? { place } : { place, hint });
  }
}

function checkFigures(figures: readonly string[], scenarios: readonly Scenario[]): void {
  const known = expectationNames().map(({ name }) => name);
  for (const { guests, devices } of scenarios) {
    const subjects = {
      guests: guests.map(({ name }) => name),
      devices: devices.map(({ name }) => name),
    };
    for (const figure of figures) {
      if (isExpectationName(figure, subjects)) continue;
      const near = didYouMean(figure, known);
      const hint = near?.startsWith("did") ? near : "vfio-cosim list --figures tells them";
      throw new UsageError(`--figure ${figure}: there is no such figure`, { hint });
    }
  }
}

interface Trouble {
  readonly text: string;
  readonly isFailure: boolean;
  readonly isBug: boolean;
}

function troubleOf(outcome: JobOutcome<RunFigures>): Trouble | null {
  if (outcome.kind === "interrupted") {
    return { text: "interrupted", isFailure: false, isBug: false };
  }
  if (outcome.kind === "failed") {
    return { text: outcome.error, isFailure: true, isBug: outcome.isBug };
  }
  const { violations, partial } = outcome.result;
  const [violation] = violations;
  if (violation !== undefined) return { text: violation, isFailure: true, isBug: true };
  if (partial === null) return null;
  return { text: `ended early (${partial})`, isFailure: true, isBug: false };
}

function sweptPoint(
  { params, figures }: SweepOptions,
  point: readonly string[],
  seeds: readonly number[],
  outcomes: readonly JobOutcome<RunFigures>[],
): SweptPoint {
  const runs = outcomes.map((outcome, i): SweptRun => {
    const trouble = troubleOf(outcome);
    const whole = trouble === null && outcome.kind === "done" ? outcome.result.figures : null;
    return { seed: seeds[i]!, figures: whole, trouble: trouble?.text ?? null };
  });
  return {
    at: Object.fromEntries(params.map(({ path }, i) => [path, point[i]!])),
    figures: Object.fromEntries(figures.map((name) => [name, sweptFigure(name, runs)])),
    runs,
  };
}

function sweptFigure(name: string, runs: readonly SweptRun[]): SweptFigure | null {
  const estimate = estimateOf(runs.map(({ figures }) => figures?.[name]));
  if (estimate === null) return null;
  const { mean, low, high, runs: n } = estimate;
  return n < 2 ? { mean } : { mean, low, high };
}
