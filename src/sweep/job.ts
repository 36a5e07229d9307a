/** One run of a sweep: a scenario in, the figures that are asked for out. */
import type { Engine, RunResult } from "../run/result.ts";
import { runScenario } from "../run/run.ts";
import { expectationValue } from "../scenario/expect-names.ts";
import type { Scenario } from "../scenario/types.ts";
import { METRICS } from "./metrics.ts";

export interface RunJob {
  readonly scenario: Scenario;
  /** Names of `list --figures`; in place of them null: those by which policies are compared. */
  readonly figures: readonly string[] | null;
  readonly lateNs: number;
}

/** How many requests a device made that failed, and how many of them idle irqs of others caused. */
export interface Suffered {
  readonly failed: number;
  readonly causedByIdle: number;
}

/** What a sweep keeps of a run. */
export interface RunFigures {
  /** By name; null: the run has no such figure. */
  readonly figures: Readonly<Record<string, number | null>>;
  /** False where single irqs cannot be given back, whatever the policy. */
  readonly effective: boolean;
  /** Devices whose requests failed. */
  readonly victims: Readonly<Record<string, Suffered>>;
  /** Failures of others that idle irqs of a device caused. */
  readonly holders: Readonly<Record<string, number>>;
  /** Why the run ended early, or null. */
  readonly partial: string | null;
  /** What the checks beside the model found wrong: a bug of ours. */
  readonly violations: readonly string[];
}

/** Runs to the end or to the scenario's limit; throws what the run throws. */
export async function runJob(
  { scenario, figures, lateNs }: RunJob,
  engine: Engine,
  signal?: AbortSignal,
): Promise<RunFigures> {
  const result = await runScenario(scenario, { engine, signal });
  return {
    figures: figures === null ? comparedFigures(result, lateNs) : named(result, figures),
    effective: result.retention.effective,
    victims: result.retention.failures.victims,
    holders: result.retention.failures.holders,
    partial: result.partial,
    violations: violationsOf(result),
  };
}

function comparedFigures(result: RunResult, lateNs: number): Record<string, number | null> {
  return Object.fromEntries(METRICS.map(({ key, value }) => [key, value(result, lateNs)]));
}

function named(result: RunResult, names: readonly string[]): Record<string, number | null> {
  return Object.fromEntries(names.map((name) => [name, expectationValue(name, result)]));
}

function violationsOf({ checks, ledger }: RunResult): string[] {
  const failed = checks.filter(({ ok }) => !ok).map(({ check, detail }) => `${check}: ${detail}`);
  return [...new Set([...failed, ...ledger.violations])];
}
