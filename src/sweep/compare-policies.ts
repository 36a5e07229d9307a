/** compare-policies as a function: a scenario under each policy, VMM, topology and seed. */
import type { PolicyMatrix } from "../report/policy-matrix.ts";
import { scenarioHash } from "../scenario/hash.ts";
import type { Costs } from "../time/costs.ts";
import { checkOwnPolicies, type RunQueue, runGrid } from "./compare.ts";
import type { CellRuns } from "./comparison.ts";
import { type Axes, type GridBase, gridCells, gridTableSize } from "./grid.ts";
import { policyMatrix } from "./matrix.ts";
import { limitOfSensitivity, runSensitivity } from "./sensitivity.ts";

export interface ComparisonOptions extends Axes {
  readonly base: GridBase;
  /** How many, from the scenario's own on. */
  readonly seeds: number;
  readonly jitterNs: number;
  readonly lateNs: number;
  readonly costs: Readonly<Record<string, number>>;
  /** Costs to halve and double; null: none. */
  readonly sensitivity: readonly (keyof Costs)[] | null;
  readonly signal?: AbortSignal | undefined;
  /** `step` is what is being run: the policies, or the sensitivity to costs. */
  readonly onProgress?: ((progress: ComparisonProgress) => void) | undefined;
}

export interface ComparisonProgress {
  readonly step: "policies" | "costs";
  readonly done: number;
  readonly total: number;
  readonly failed: number;
}

export interface PolicyComparison {
  readonly matrix: PolicyMatrix;
  readonly cells: readonly CellRuns[];
  /** What each topology is, by name. */
  readonly about: Readonly<Record<string, string>>;
  readonly isInterrupted: boolean;
  /** Runs that failed, and those of them for which the model is to blame. */
  readonly failed: number;
  readonly bugs: number;
}

/** The same options and seeds give the same comparison, on however many threads. */
export async function comparePolicies(
  options: ComparisonOptions,
  queue: RunQueue,
): Promise<PolicyComparison> {
  const { base, sensitivity, onProgress } = options;
  const { scenario } = base;
  const seeds = Array.from({ length: options.seeds }, (_, i) => scenario.seed + i);
  const cells = gridCells(base, options);
  await checkOwnPolicies(cells);
  const report =
    (step: ComparisonProgress["step"]) => (done: number, total: number, failed: number) =>
      onProgress?.({ step, done, total, failed });
  const runs = await runGrid(cells, queue, { ...options, seeds, onProgress: report("policies") });
  const varied =
    sensitivity === null || runs.isInterrupted
      ? null
      : await runSensitivity(cells, runs.cells, queue, {
          ...options,
          seeds,
          names: sensitivity,
          onProgress: report("costs"),
        });
  const isInterrupted = runs.isInterrupted || varied?.isInterrupted === true;
  const { jitterNs, lateNs, costs } = options;
  const matrix = policyMatrix({
    scenario: scenario.name,
    cells: runs.cells,
    about: aboutOf(options),
    seeds,
    jitterNs,
    lateNs,
    isInterrupted,
    sensitivity: varied?.rows ?? null,
    moreShort: varied?.summary == null ? [] : [varied.summary],
    moreLimits: [varied === null ? NOT_VARIED : limitOfSensitivity(seeds.length)],
    provenance: {
      kernel: scenario.host.kernel,
      scenarioHash: scenarioHash(scenario),
      jitterNs,
      lateNs,
      ...(Object.keys(costs).length === 0 ? {} : { costs: JSON.stringify(costs) }),
    },
  });
  return {
    matrix,
    cells: runs.cells,
    about: aboutOf(options),
    isInterrupted,
    failed: runs.failed,
    bugs: runs.bugs,
  };
}

const NOT_VARIED =
  "Whether other costs would change an order was not tried: --sensitivity halves and doubles them.";

function aboutOf({ topologies, base }: ComparisonOptions): Record<string, string> {
  const size = gridTableSize(base);
  return Object.fromEntries(topologies.map(({ name, about }) => [name, about(size)]));
}
