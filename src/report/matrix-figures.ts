/** Figures of a policy matrix as people read them. */
import { formatCount, formatNs } from "../base/units.ts";
import { sortedEntries } from "./natural-order.ts";
import type { MatrixCell, MatrixFigure, MatrixUnit, PolicyMatrix } from "./policy-matrix.ts";

export function figureText(value: number, unit: MatrixUnit): string {
  switch (unit) {
    case "ns":
      return formatNs(value);
    case "seconds":
      return formatNs(value * 1e9);
    case "share":
      return `${(100 * value).toFixed(1)} %`;
    case "ratio":
      return value.toFixed(2);
    case "count":
    case "irte-seconds":
      return Number.isInteger(value) || Math.abs(value) >= 100
        ? formatCount(value)
        : value.toFixed(Math.abs(value) < 1 ? 3 : 1);
  }
}

/** What a figure counts, for the head of a column; "" where each value says so itself. */
export function unitText(unit: MatrixUnit): string {
  return unit === "irte-seconds" ? "IRTE-s" : "";
}

/** `12 (10 to 15)`: the mean and, if there is one, its interval. */
export function intervalText(figure: MatrixFigure | null | undefined, unit: MatrixUnit): string {
  if (figure === null || figure === undefined) return "-";
  const mean = figureText(figure.mean, unit);
  const { low, high } = figure;
  if (low === undefined || high === undefined || low === high) return mean;
  return `${mean} (${figureText(low, unit)} to ${figureText(high, unit)})`;
}

/**
 * Topologies of which an earlier one has every figure, in each policy and VMM, and nothing more or
 * less to note: a table of them would say nothing. The earlier one by the later.
 */
export function foldedTopologies({ topologies, cells }: PolicyMatrix): ReadonlyMap<string, string> {
  const firsts = new Map<string, string>();
  const folded = new Map<string, string>();
  for (const topology of topologies) {
    const content = JSON.stringify(
      cells
        .filter((cell) => cell.topology === topology)
        .map(({ policy, vmm, figures, note }) => [policy, vmm, sortedEntries(figures), note]),
    );
    const first = firsts.get(content);
    if (first === undefined) firsts.set(content, topology);
    else folded.set(topology, first);
  }
  return folded;
}

export function cellOf(
  { cells }: PolicyMatrix,
  policy: string,
  vmm: string,
  topology: string,
): MatrixCell | undefined {
  return cells.find(
    (cell) => cell.policy === policy && cell.vmm === vmm && cell.topology === topology,
  );
}
