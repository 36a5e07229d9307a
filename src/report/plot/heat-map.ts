/** One figure of a policy matrix as a heat map: policies x VMMs, a panel a topology. */
import * as Plot from "@observablehq/plot";
import { shortText } from "../matrix-figures.ts";
import { type Panel, panelsOf } from "../matrix-rows.ts";
import type { MatrixMetric, PolicyMatrix } from "../policy-matrix.ts";
import { clip } from "../table.ts";
import { bothSizes, type Drawing, drawPlot, type Size } from "./svg.ts";

/** Steps of colour, `--h0` (best) to `--h5` (worst); each has its own colour of text. */
export const HEATS = 6;

/** Step of colour of each value: 0 for the best, evenly over the logarithms between. */
export function heatOf(value: number, best: number, worst: number): number {
  if (best === worst) return 0;
  const place = (x: number): number => Math.sign(x) * Math.log1p(Math.abs(x));
  const share = (place(value) - place(best)) / (place(worst) - place(best));
  return Math.min(HEATS - 1, Math.max(0, Math.round(share * (HEATS - 1))));
}

export function heatMap(matrix: PolicyMatrix, metric: MatrixMetric): readonly Drawing[] {
  const label = `${metric.title} by policy and VMM, a panel a topology`;
  return bothSizes((size) => draw(matrix, metric, size), label);
}

/** Heights, CSS pixels: a policy, the names of VMMs, the gap between panels with a panel's name. */
const ROW = 24;
const TOP = 8;
const BOTTOM = 48;
const GAP = 34;
/** Panels beside each other, at most; phones have them below each other. */
const COLUMNS = 3;

/** Lines of panels are as full as can be: four are two and two. */
function columnsFor(panels: number): number {
  return Math.max(1, Math.ceil(panels / Math.ceil(panels / COLUMNS)));
}

interface Cell {
  readonly policy: string;
  readonly vmm: string;
  readonly topology: string;
  readonly column: number;
  readonly line: number;
  readonly heat: number | null;
  readonly text: string;
}

interface Placed extends Panel {
  readonly column: number;
  readonly line: number;
}

function cellsOf(matrix: PolicyMatrix, metric: MatrixMetric, panels: readonly Placed[]): Cell[] {
  const means = matrix.cells.flatMap(({ figures }) => figures[metric.key]?.mean ?? []);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const [best, worst] = metric.better === "more" ? [high, low] : [low, high];
  return matrix.cells.flatMap(({ policy, vmm, topology, figures }): Cell[] => {
    const panel = panels.find((one) => one.topology === topology);
    if (panel === undefined) return [];
    const { name, column, line } = panel;
    const mean = figures[metric.key]?.mean;
    const heat = mean === undefined ? null : heatOf(mean, best, worst);
    const text = mean === undefined ? "-" : shortText(mean, metric.unit);
    return [{ policy, vmm, topology: name, column, line, heat, text }];
  });
}

function draw(matrix: PolicyMatrix, metric: MatrixMetric, size: Size): string {
  const { policies, vmms } = matrix;
  const all = panelsOf(matrix);
  const columns = size.narrow ? 1 : columnsFor(all.length);
  const panels = all.map(
    (panel, i): Placed => ({ ...panel, column: i % columns, line: Math.floor(i / columns) }),
  );
  const lines = Math.max(1, Math.ceil(panels.length / columns));
  const letters = Math.max(4, ...policies.map((name) => Math.min(16, name.length)));
  const panelHeight = policies.length * ROW + GAP;
  // A share of a panel and its gap: the gap is above the first one, too.
  const padding = GAP / panelHeight;
  const cells = cellsOf(matrix, metric, panels);
  const facets = { fx: "column", fy: "line" } as const;
  return drawPlot({
    width: size.width,
    height: TOP + (lines + padding) * panelHeight + BOTTOM,
    marginLeft: letters * 6.4 + 12,
    marginRight: 30,
    marginTop: TOP,
    marginBottom: BOTTOM,
    fx: { domain: range(columns), axis: null, padding: 0.06 },
    fy: { domain: range(lines), axis: null, padding },
    x: {
      domain: [...vmms],
      label: null,
      tickSize: 0,
      tickRotate: 24,
      tickFormat: (name: string) => clip(name, size.narrow ? 9 : 12),
    },
    y: {
      domain: [...policies],
      label: null,
      tickSize: 0,
      tickFormat: (name: string) => clip(name, 16),
    },
    marks: [
      Plot.text(panels, {
        ...facets,
        text: ({ name }: Placed) => clip(name, 40),
        frameAnchor: "top-left",
        dy: -13,
        fontWeight: "bold",
      }),
      Plot.cell(cells, {
        x: "vmm",
        y: "policy",
        ...facets,
        fill: ({ heat }: Cell) => (heat === null ? "var(--panel)" : `var(--h${heat})`),
        inset: 0.5,
        title: ({ policy, vmm, topology, text }: Cell) => `${policy}, ${vmm}, ${topology}: ${text}`,
      }),
      Plot.text(cells, {
        x: "vmm",
        y: "policy",
        ...facets,
        text: "text",
        fontSize: size.narrow ? 9 : 10,
        fill: ({ heat }: Cell) => (heat === null ? "var(--muted)" : `var(--ht${heat})`),
        pointerEvents: "none",
      }),
    ],
  });
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
