/** Compares retention policies: runs the grid of policies, VMMs, topologies and seeds. */
import { loadOwnPolicies } from "../run/own-policies.ts";
import type { Scenario } from "../scenario/types.ts";
import type { CellRuns } from "./comparison.ts";
import type { GridCell } from "./grid.ts";
import { jitterTimelines } from "./jitter.ts";
import type { RunFigures, RunJob } from "./job.ts";
import type { JobOutcome, JobQueue } from "./job-queue.ts";

export type RunQueue = JobQueue<RunJob, RunFigures>;

export interface GridRunOptions {
  readonly seeds: readonly number[];
  readonly jitterNs: number;
  readonly lateNs: number;
  /** In place of those of src/time/costs.ts, ns. */
  readonly costs: Readonly<Record<string, number>>;
  readonly signal?: AbortSignal | undefined;
  /** After each run; `failed` of those done have no figures. */
  readonly onProgress?: ((done: number, total: number, failed: number) => void) | undefined;
}

export interface GridRuns {
  readonly cells: readonly CellRuns[];
  readonly isInterrupted: boolean;
  /** Failures that are no user's fault. */
  readonly bugs: number;
  readonly failed: number;
}

/** Throws UsageError for a policy of the user's that cannot be loaded: not once a run. */
export async function checkOwnPolicies(cells: readonly GridCell[]): Promise<void> {
  const seen = new Set<string>();
  for (const { policy, scenario } of cells) {
    if (scenario === null || seen.has(policy)) continue;
    seen.add(policy);
    await loadOwnPolicies(scenario);
  }
}

/** All cells with the first seed, then all with the second: what is there early tells most. */
export async function runGrid(
  cells: readonly GridCell[],
  queue: RunQueue,
  options: GridRunOptions,
): Promise<GridRuns> {
  const { seeds, signal, onProgress } = options;
  const places: { readonly cell: number; readonly seed: number }[] = [];
  for (const seed of seeds.keys()) {
    for (const [cell, { scenario }] of cells.entries()) {
      if (scenario !== null) places.push({ cell, seed });
    }
  }
  const jobs = places.map(({ cell, seed }) => jobOf(cells[cell]!.scenario!, seeds[seed]!, options));
  let done = 0;
  let failed = 0;
  const onEnd = (_: number, { kind }: JobOutcome<RunFigures>): void => {
    done++;
    if (kind === "failed") failed++;
    onProgress?.(done, jobs.length, failed);
  };
  const outcomes = await queue.run(jobs, { signal, onEnd });
  const collected = cells.map((cell) => new Collected(cell, seeds.length));
  for (const [i, { cell, seed }] of places.entries()) {
    collected[cell]!.add(seed, seeds[seed]!, outcomes[i]!);
  }
  return {
    cells: collected.map((cell) => cell.runs()),
    isInterrupted: outcomes.some(({ kind }) => kind === "interrupted"),
    bugs: collected.reduce((sum, { bugs }) => sum + bugs, 0),
    failed: collected.reduce((sum, cell) => sum + cell.failed, 0),
  };
}

function jobOf(scenario: Scenario, seed: number, options: GridRunOptions): RunJob {
  const costs = { ...scenario.costs, ...options.costs };
  const seeded = jitterTimelines({ ...scenario, seed, costs }, options.jitterNs);
  return { scenario: seeded, figures: null, lateNs: options.lateNs };
}

/** The runs of one cell as they come in. */
class Collected {
  bugs = 0;
  failed = 0;
  readonly #cell: GridCell;
  readonly #runs: (RunFigures | null)[];
  readonly #troubles = new Set<string>();

  constructor(cell: GridCell, seeds: number) {
    this.#cell = cell;
    this.#runs = new Array<RunFigures | null>(seeds).fill(null);
    if (cell.wrong !== null) this.#troubles.add(cell.wrong);
  }

  add(index: number, seed: number, outcome: JobOutcome<RunFigures>): void {
    if (outcome.kind === "interrupted") {
      this.#troubles.add("interrupted");
      return;
    }
    if (outcome.kind === "failed") {
      this.#fail(`seed ${seed}: ${outcome.error}`, outcome.isBug);
      return;
    }
    const { result } = outcome;
    if (result.violations.length > 0) {
      this.#fail(`seed ${seed}: ${result.violations[0]}`, true);
    } else if (result.partial !== null) {
      this.#fail(`seed ${seed}: ended early (${result.partial})`, false);
    } else this.#runs[index] = result;
  }

  #fail(trouble: string, isBug: boolean): void {
    this.failed++;
    if (isBug) this.bugs++;
    this.#troubles.add(trouble);
  }

  runs(): CellRuns {
    const { policy, vmm, topology } = this.#cell;
    return { policy, vmm, topology, runs: this.#runs, troubles: [...this.#troubles] };
  }
}
