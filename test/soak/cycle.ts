/** One run of a soak: random lives, and threads that are killed at random moments. */
import { Prng } from "../../src/base/prng.ts";
import { CHAOS, stressDocument } from "../../src/explore/stress-scenario.ts";
import type { Progress, RunResult } from "../../src/run/result.ts";
import { resultOf } from "../../src/run/run.ts";
import { ThreadsRun } from "../../src/run/threads/engine.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";
import type { Scenario } from "../../src/scenario/types.ts";

export interface CycleOptions {
  readonly seed: number;
  readonly guests: number;
  readonly durationNs: number;
  readonly rate: number;
  readonly wait: string;
  /** Guests that lose their thread; at most all but one. */
  readonly kills: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

export interface Cycle {
  readonly seed: number;
  readonly raised: number;
  readonly delivered: number;
  /** Threads that were killed; VM processes that ended otherwise, as their timelines have it. */
  readonly killed: number;
  readonly ended: number;
  /** What is wrong, in words. */
  readonly failures: readonly string[];
  readonly interrupted: boolean;
}

/** A run that nothing ended early may miss its end by this much. */
const EARLY = 0.95;

export function soakScenario(
  options: Pick<CycleOptions, "seed" | "guests" | "durationNs" | "rate" | "wait">,
): Scenario {
  const { seed, guests, durationNs, rate, wait } = options;
  const document = stressDocument({ seed, guests, duration: durationNs, rate, chaos: CHAOS });
  return scenarioFromData({ ...document, run: { wait, limit: "24h" } }, { engine: "threads" });
}

/** Who loses its thread, and when (share of the run); the same for the same seed. */
function victimsOf({ seed, guests, kills }: CycleOptions): { guest: number; at: number }[] {
  const random = Prng.stream(seed, "soak:kills");
  const victims = new Map<number, number>();
  // The last guest is spared, so that a run never ends for lack of guests alone.
  const most = Math.min(kills, guests - 1);
  while (victims.size < most) victims.set(random.nextBelow(guests - 1), random.nextFloat());
  return [...victims].map(([guest, at]) => ({ guest, at }));
}

/** Runs it; throws nothing: what goes wrong is among the failures. */
export async function runCycle(options: CycleOptions): Promise<Cycle> {
  const { seed, signal, onProgress } = options;
  const victims = victimsOf(options);
  const killed = new Set<number>();
  const scenario = soakScenario(options);
  try {
    const run: ThreadsRun = new ThreadsRun(scenario, {
      signal,
      onProgress: (progress) => {
        onProgress(progress);
        for (const { guest, at } of victims) {
          if (killed.has(guest) || progress.elapsedNs < at * progress.durationNs) continue;
          killed.add(guest);
          void run.guests[guest]?.worker.terminate();
        }
      },
    });
    const result = resultOf(scenario, await run.run());
    const failures = failuresOf(scenario, result, killed, signal.aborted);
    const { raised, totals } = result.ledger;
    const dead = result.guests.filter(({ state }) => state.startsWith("dead: ")).length;
    return {
      seed,
      raised,
      delivered: totals.delivered ?? 0,
      killed: killed.size,
      ended: Math.max(0, dead - killed.size),
      failures,
      interrupted: signal.aborted,
    };
  } catch (error) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const none = { raised: 0, delivered: 0, killed: killed.size, ended: 0, interrupted: false };
    return { seed, ...none, failures: [`the run broke: ${what}`] };
  }
}

function failuresOf(
  scenario: Scenario,
  result: RunResult,
  killed: ReadonlySet<number>,
  aborted: boolean,
): string[] {
  const failures = [
    ...result.ledger.violations.map((text) => `ledger: ${text}`),
    ...result.checks.filter(({ ok }) => !ok).map(({ check, detail }) => `${check}: ${detail}`),
  ];
  const { leaked } = result;
  if (leaked === null) failures.push("leaks: the guests could not be closed");
  else if (leaked.irqs + leaked.irtes + leaked.vectors > 0) {
    failures.push(`leaks: ${JSON.stringify(leaked)}`);
  }
  for (const guest of killed) {
    const { name, state } = result.guests[guest]!;
    if (!state.startsWith("dead: ")) failures.push(`${name} lost its thread and is ${state}`);
  }
  const allGone = result.guests.every(({ state }) => state.startsWith("dead: "));
  if (!aborted && !allGone && result.durationNs < EARLY * scenario.duration) {
    failures.push(`ended after ${result.durationNs} ns: ${result.partial}`);
  }
  return failures;
}
