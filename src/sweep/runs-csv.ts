/** Every run of a comparison as a line, for other programs. */
import { csvCell } from "../report/csv.ts";
import type { CellRuns } from "./comparison.ts";
import { METRICS } from "./metrics.ts";

/** `topology,vmm,policy,seed` and a column a figure; runs that are missing have no line. */
export function runsCsv(seeds: readonly number[], cells: readonly CellRuns[]): string {
  const keys = METRICS.map(({ key }) => key);
  const lines = [["topology", "vmm", "policy", "seed", ...keys].join(",")];
  for (const { topology, vmm, policy, runs } of cells) {
    for (const [i, run] of runs.entries()) {
      if (run === null) continue;
      const figures = keys.map((key) => run.figures[key] ?? null);
      lines.push([topology, vmm, policy, seeds[i]!, ...figures].map(csvCell).join(","));
    }
  }
  return `${lines.join("\r\n")}\r\n`;
}
