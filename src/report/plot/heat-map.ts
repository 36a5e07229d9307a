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
  // Phones have the panels below each other, and policies in rows either way.
  const facet = size.narrow ? "fy" : "fx";
  const letters = Math.max(4, ...policies.map((name) => Math.min(16, name.length)));
  const rowHeight = 26;
  const height = policies.length * rowHeight;
  return drawPlot({
    width: size.width,
    height: size.narrow ? panels * (height + 30) + 70 : height + 100,
    marginLeft: letters * 6.4 + 12,
    marginRight: 6,
    marginTop: size.narrow ? 46 : 62,
    marginBottom: size.narrow ? 4 : 10,
    [facet]: { domain: [...topologies], label: null, padding: size.narrow ? 0.12 : 0.06 },
    x: {
      domain: [...vmms],
      label: null,
      axis: "top",
      tickSize: 0,
      tickRotate: -24,
      tickFormat: (name: string) => clip(name, size.narrow ? 9 : 11),
    },
    y: {
      domain: [...policies],
      label: null,
      tickSize: 0,
      tickFormat: (name: string) => clip(name, 16),
    },
    marks: [
      Plot.cell(cellsOf(matrix, metric), {
        x: "vmm",
        y: "policy",
        [facet]: "topology",
        fill: ({ heat }: Cell) => (heat === null ? "var(--panel)" : `var(--h${heat})`),
        inset: 0.5,
        title: ({ policy, vmm, topology, text }: Cell) => `${policy}, ${vmm}, ${topology}: ${text}`,
      }),
      Plot.text(cellsOf(matrix, metric), {
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
