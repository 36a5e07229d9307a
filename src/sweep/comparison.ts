/** What the runs of a grid of policies, VMMs and topologies come to, place by place. */
import type { RunFigures } from "./job.ts";
import { METRICS, type Metric } from "./metrics.ts";
import { type Estimate, estimateOf, type Figure, type Order, orderOf } from "./order.ts";

/** One policy under one VMM on one topology. */
export interface CellRuns {
  readonly policy: string;
  readonly vmm: string;
  readonly topology: string;
  /** One a seed, in the order of the seeds; null: that run failed, or there was none. */
  readonly runs: readonly (RunFigures | null)[];
  /** Why runs are missing, each reason once. */
  readonly troubles: readonly string[];
}

/** One VMM on one topology, with all policies. */
export class Place {
  readonly vmm: string;
  readonly topology: string;
  readonly policies: readonly string[];
  readonly #cells: ReadonlyMap<string, CellRuns>;
  readonly #values = new Map<string, readonly Figure[]>();

  constructor(vmm: string, topology: string, cells: readonly CellRuns[]) {
    this.vmm = vmm;
    this.topology = topology;
    this.policies = cells.map(({ policy }) => policy);
    this.#cells = new Map(cells.map((cell) => [cell.policy, cell]));
  }

  cell(policy: string): CellRuns {
    return this.#cells.get(policy)!;
  }

  /** The figure by seed. */
  values(metric: string, policy: string): readonly Figure[] {
    const key = `${policy}\n${metric}`;
    let values = this.#values.get(key);
    if (values === undefined) {
      values = this.cell(policy).runs.map((run) =>
        run === null ? undefined : run.figures[metric],
      );
      this.#values.set(key, values);
    }
    return values;
  }

  estimate(metric: string, policy: string): Estimate | null {
    return estimateOf(this.values(metric, policy));
  }

  /** How policy `a` compares with `b` in a figure. */
  order(metric: string, a: string, b: string): Order {
    return orderOf(this.values(metric, a), this.values(metric, b));
  }

  /** In every figure and seed. */
  areEqual(a: string, b: string, metrics: readonly Metric[] = METRICS): boolean {
    return metrics.every(({ key }) => this.order(key, a, b) === "equal");
  }

  /** Policies that are equal in every figure and seed stand together, in the order of the list. */
  groups(metrics: readonly Metric[] = METRICS): readonly (readonly string[])[] {
    const groups: string[][] = [];
    for (const policy of this.policies) {
      const same = groups.find((group) => this.areEqual(group[0]!, policy, metrics));
      if (same === undefined) groups.push([policy]);
      else same.push(policy);
    }
    return groups;
  }

  /** There is a run of every policy, so that something can be said of them. */
  get isKnown(): boolean {
    return this.policies.every((policy) => this.cell(policy).runs.some((run) => run !== null));
  }

  /** Single irqs can be given back here, as far as any run knows. */
  get isEffective(): boolean {
    return this.policies.some((policy) =>
      this.cell(policy).runs.some((run) => run?.effective === true),
    );
  }

  /**
   * Policies that nothing beats in a figure: least, and those that cannot be told from the least.
   * Empty where all are so, or where the figure has no better.
   */
  best(metric: string): readonly string[] {
    const known = this.policies.filter((policy) => this.estimate(metric, policy) !== null);
    const mean = (policy: string): number => this.estimate(metric, policy)!.mean;
    const least = [...known].sort((a, b) => mean(a) - mean(b))[0];
    if (least === undefined) return [];
    const best = known.filter((policy) => this.order(metric, policy, least) !== "more");
    return best.length === known.length ? [] : best;
  }
}

/** Places in the order of topologies, then VMMs. */
export function placesOf(cells: readonly CellRuns[]): Place[] {
  const byPlace = new Map<string, CellRuns[]>();
  for (const cell of cells) {
    const key = `${cell.topology}\n${cell.vmm}`;
    byPlace.set(key, [...(byPlace.get(key) ?? []), cell]);
  }
  return [...byPlace.values()].map((of) => new Place(of[0]!.vmm, of[0]!.topology, of));
}
