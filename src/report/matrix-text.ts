/** A policy matrix as text, Markdown and CSV. */
import { csvCell } from "./csv.ts";
import { markdownTable, markdownText } from "./markdown.ts";
import { figureText, intervalText, unitText } from "./matrix-figures.ts";
import type { MatrixMetric, PolicyMatrix } from "./policy-matrix.ts";
import { PLAIN, type Style } from "./style.ts";
import { tableLines, wrap } from "./table.ts";

const WIDTH = 96;

/** Title of a column, short enough for a table of many. */
function heading({ title, unit }: MatrixMetric): string {
  return unitText(unit) === "" ? title : `${title}, ${unitText(unit)}`;
}

/** A table for each topology; the verdict comes last, as in a run's report. */
export function matrixText(matrix: PolicyMatrix, style: Style = PLAIN): string {
  const { scenario, topologies, metrics, cells, verdict, limits, sensitivity, seeds } = matrix;
  const lines = [style.bold(`${scenario}: retention policies, ${seeds.length} seed(s)`), ""];
  const letters = metrics.map((_, i) => `[${i + 1}]`);
  lines.push(...metrics.map((metric, i) => `  ${letters[i]} ${heading(metric)}`), "");
  for (const topology of topologies) {
    const rows = cells
      .filter((cell) => cell.topology === topology)
      .map(({ vmm, policy, figures }) => [
        vmm,
        policy,
        ...metrics.map(({ key, unit }) => {
          const mean = figures[key]?.mean;
          return mean === undefined ? "-" : figureText(mean, unit);
        }),
      ]);
    lines.push(
      style.bold(topology),
      ...tableLines([["", "", ...letters], ...rows], { left: [0, 1] }),
      "",
    );
  }
  const flips = (sensitivity ?? []).filter((entry) => entry.flips);
  for (const { cost, change, verdict: then } of flips) {
    lines.push(...wrap(`${cost} ${change}: ${then}`, WIDTH).map((line) => `  ${line}`));
  }
  if (flips.length > 0) lines.push("");
  for (const sentence of verdict) lines.push(...wrap(sentence, WIDTH));
  for (const limit of limits) lines.push(...wrap(`(${limit})`, WIDTH));
  return `${lines.join("\n")}\n`;
}

export function matrixMarkdown(matrix: PolicyMatrix): string {
  const { scenario, topologies, metrics, cells, verdict, limits } = matrix;
  const head = ["VMM", "policy", ...metrics.map((metric) => markdownText(heading(metric)))];
  const tables = topologies.map((topology) => {
    const rows = cells
      .filter((cell) => cell.topology === topology)
      .map(({ vmm, policy, figures }) => [
        markdownText(vmm),
        markdownText(policy),
        ...metrics.map(({ key, unit }) => intervalText(figures[key], unit)),
      ]);
    return `#### ${markdownText(topology)}\n\n${markdownTable(head, rows)}`;
  });
  const blocks = [
    `### ${markdownText(scenario)}: retention policies`,
    ...verdict.map(markdownText),
    limits.map((limit) => `- ${markdownText(limit)}`).join("\n"),
    ...tables,
  ];
  return `${blocks.filter((block) => block !== "").join("\n\n")}\n`;
}

/** A figure a line: `scenario,topology,vmm,policy,figure,unit,mean,low,high`. */
export function matrixCsv({ scenario, metrics, cells }: PolicyMatrix): string {
  const lines = ["scenario,topology,vmm,policy,figure,unit,mean,low,high"];
  for (const { topology, vmm, policy, figures } of cells) {
    for (const { key, unit } of metrics) {
      const figure = figures[key];
      if (figure === null || figure === undefined) continue;
      const { mean, low = null, high = null } = figure;
      lines.push(
        [scenario, topology, vmm, policy, key, unit, mean, low, high].map(csvCell).join(","),
      );
    }
  }
  return `${lines.join("\r\n")}\r\n`;
}
