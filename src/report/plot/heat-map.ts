/** One figure of a policy matrix as a heat map: policies x VMMs, a panel a topology. */
import * as Plot from "@observablehq/plot";
import { figureText } from "../matrix-figures.ts";
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

/** Heights, CSS pixels: a policy, the names of a panel and of VMMs, the gap between panels. */
const ROW = 26;
const TOP = 28;
const BOTTOM = 48;
const PANEL_GAP = 26;

interface Cell {
  readonly policy: string;
  readonly vmm: string;
  readonly topology: string;
  readonly heat: number | null;
  readonly text: string;
}

function cellsOf(matrix: PolicyMatrix, metric: MatrixMetric): Cell[] {
  const means = matrix.cells.flatMap(({ figures }) => figures[metric.key]?.mean ?? []);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const [best, worst] = metric.better === "more" ? [high, low] : [low, high];
  return matrix.cells.map(({ policy, vmm, topology, figures }) => {
    const mean = figures[metric.key]?.mean;
    const heat = mean === undefined ? null : heatOf(mean, best, worst);
    const text = mean === undefined ? "-" : figureText(mean, metric.unit);
    return { policy, vmm, topology, heat, text };
  });
}

function draw(matrix: PolicyMatrix, metric: MatrixMetric, size: Size): string {
  const { policies, vmms, topologies } = matrix;
  const panels = Math.max(1, topologies.length);
  // Phones have the panels below each other.
  const facet = size.narrow ? "fy" : "fx";
  const letters = Math.max(4, ...policies.map((name) => Math.min(16, name.length)));
  const rows = policies.length * ROW;
  const cells = cellsOf(matrix, metric);
  return drawPlot({
    width: size.width,
    height: (size.narrow ? panels * (rows + PANEL_GAP) : rows) + TOP + BOTTOM,
    marginLeft: letters * 6.4 + 12,
    marginRight: 6,
    marginTop: TOP,
    marginBottom: BOTTOM,
    [facet]: { domain: [...topologies], axis: null, padding: size.narrow ? 0.14 : 0.06 },
    x: {
      domain: [...vmms],
      label: null,
      tickSize: 0,
      tickRotate: 24,
      tickFormat: (name: string) => clip(name, size.narrow ? 9 : 11),
    },
    y: {
      domain: [...policies],
      label: null,
      tickSize: 0,
      tickFormat: (name: string) => clip(name, 16),
    },
    marks: [
      Plot.text(topologies, {
        [facet]: (name: string) => name,
        text: (name: string) => clip(name, 34),
        frameAnchor: "top-left",
        dy: -12,
        fontWeight: "bold",
      }),
      Plot.cell(cells, {
        x: "vmm",
        y: "policy",
        [facet]: "topology",
        fill: ({ heat }: Cell) => (heat === null ? "var(--panel)" : `var(--h${heat})`),
        inset: 0.5,
        title: ({ policy, vmm, topology, text }: Cell) => `${policy}, ${vmm}, ${topology}: ${text}`,
      }),
      Plot.text(cells, {
        x: "vmm",
        y: "policy",
        [facet]: "topology",
        text: "text",
        fontSize: size.narrow ? 9 : 10,
        fill: ({ heat }: Cell) => (heat === null ? "var(--muted)" : `var(--ht${heat})`),
        pointerEvents: "none",
      }),
    ],
  });
}
