/** Runs of a comparison of policies that nobody made: figures as a test wants them. */
import type { CellRuns } from "../../src/sweep/comparison.ts";
import type { RunFigures, Suffered } from "../../src/sweep/job.ts";
import { METRICS } from "../../src/sweep/metrics.ts";

export interface SyntheticCell {
  readonly policy: string;
  readonly vmm?: string;
  readonly topology?: string;
  /** By figure, a value a seed; those left out are zero. */
  readonly figures?: Readonly<Record<string, readonly (number | null)[]>>;
  /** How many seeds; default: 3. */
  readonly seeds?: number;
  readonly victims?: Readonly<Record<string, Suffered>>;
  readonly effective?: boolean;
  /** Seeds, by place, whose runs are missing. */
  readonly missing?: readonly number[];
  readonly troubles?: readonly string[];
}

export function syntheticCell(cell: SyntheticCell): CellRuns {
  const { policy, vmm = "qemu", topology = "vtd", seeds = 3, missing = [], troubles = [] } = cell;
  const runs = Array.from({ length: seeds }, (_, seed) =>
    missing.includes(seed) ? null : syntheticRun(cell, seed),
  );
  return { policy, vmm, topology, runs, troubles };
}

function syntheticRun(cell: SyntheticCell, seed: number): RunFigures {
  const { figures = {}, victims = {}, effective = true } = cell;
  const values = METRICS.map(({ key }) => {
    const series = figures[key] ?? [0];
    return [key, series[Math.min(seed, series.length - 1)]!];
  });
  return {
    figures: Object.fromEntries(values),
    effective,
    victims,
    holders: {},
    partial: null,
    violations: [],
  };
}
