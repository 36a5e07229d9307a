/** How tables and plots of a policy matrix say nothing twice: equal topologies, equal policies. */
import { sortedEntries } from "./natural-order.ts";
import type { MatrixCell, MatrixMetric, PolicyMatrix } from "./policy-matrix.ts";

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

/** A topology, and the names of those that are equal to it: `vtd = amd`. */
export interface Panel {
  readonly topology: string;
  readonly name: string;
}

export function panelsOf(matrix: PolicyMatrix): Panel[] {
  const folded = foldedTopologies(matrix);
  return matrix.topologies
    .filter((topology) => !folded.has(topology))
    .map((topology) => {
      const like = matrix.topologies.filter((other) => folded.get(other) === topology);
      return { topology, name: [topology, ...like].join(" = ") };
    });
}

/** Policies under one VMM that have the same figures. */
export interface MatrixRow {
  readonly vmm: string;
  /** `all equal`, or names with ` = ` between. */
  readonly policies: string;
  readonly cell: MatrixCell;
  /** What to know of it, but for which other it equals. */
  readonly note: string;
}

/** Rows of the table of a topology, of these metrics. */
export function matrixRows(
  { cells, vmms }: PolicyMatrix,
  topology: string,
  metrics: readonly MatrixMetric[],
): MatrixRow[] {
  return vmms.flatMap((vmm) => {
    const here = cells.filter((cell) => cell.topology === topology && cell.vmm === vmm);
    const groups = new Map<string, MatrixCell[]>();
    for (const cell of here) {
      const figures = metrics.map(({ key }) => cell.figures[key] ?? null);
      const content = JSON.stringify([figures, noteOf(cell)]);
      groups.set(content, [...(groups.get(content) ?? []), cell]);
    }
    return [...groups.values()].map((group): MatrixRow => {
      const isAll = group.length === here.length && group.length > 1;
      const policies = isAll ? "all equal" : group.map(({ policy }) => policy).join(" = ");
      return { vmm, policies, cell: group[0]!, note: noteOf(group[0]!) };
    });
  });
}

function noteOf({ note = "" }: MatrixCell): string {
  return note.replace(/^equal to [^;]*(?:; )?/, "");
}

/** Metrics in tables of at most so many columns, none of them much smaller than another. */
export function columnsOf(metrics: readonly MatrixMetric[], most: number): MatrixMetric[][] {
  const tables = Math.ceil(metrics.length / most);
  return Array.from({ length: tables }, (_, i) =>
    metrics.slice(
      Math.ceil((i * metrics.length) / tables),
      Math.ceil(((i + 1) * metrics.length) / tables),
    ),
  );
}
