/** A policy matrix as text, Markdown and CSV. */
import { csvCell } from "./csv.ts";
import { markdownTable, markdownText } from "./markdown.ts";
import { figureText, intervalText, unitText } from "./matrix-figures.ts";
import { foldedTopologies, matrixRows } from "./matrix-rows.ts";
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
  const { scenario, topologies, metrics, about = {}, limits, sensitivity, seeds } = matrix;
  const folded = foldedTopologies(matrix);
  const lines = [style.bold(`${scenario}: retention policies, ${seeds.length} seed(s)`), ""];
  const letters = metrics.map((_, i) => `[${i + 1}]`);
  lines.push(...metrics.map((metric, i) => `  ${letters[i]} ${heading(metric)}`), "");
  for (const topology of topologies) {
    const like = folded.get(topology);
    if (like !== undefined) {
      lines.push(...wrap(`${nameOf(topology, about)}. Every figure is as on ${like}.`, WIDTH), "");
      continue;
    }
    const rows = matrixRows(matrix, topology, metrics).map(({ vmm, policies, cell }) => [
      vmm,
      policies,
      ...metrics.map(({ key, unit }) => {
        const mean = cell.figures[key]?.mean;
        return mean === undefined ? "-" : figureText(mean, unit);
      }),
    ]);
    lines.push(
      ...wrap(nameOf(topology, about), WIDTH),
      ...tableLines([["", "", ...letters], ...rows], { left: [0, 1] }),
      "",
    );
  }
  const flips = (sensitivity ?? []).filter((entry) => entry.flips);
  for (const { cost, change, verdict: then } of flips) {
    lines.push(...wrap(`${cost} ${change}: ${then}`, WIDTH).map((line) => `  ${line}`));
  }
  if (flips.length > 0) lines.push("");
  lines.push(...bullets("In short", matrix.short ?? [], style));
  lines.push(...bullets("In detail", matrix.verdict, style));
  lines.push(...bullets("What this does not say", limits, style));
  while (lines.at(-1) === "") lines.pop();
  return `${lines.join("\n")}\n`;
}

/** `vtd: VT-d, one table ...`. */
function nameOf(topology: string, about: Readonly<Record<string, string>>): string {
  return about[topology] === undefined ? topology : `${topology}: ${about[topology]}`;
}

function bullets(title: string, sentences: readonly string[], style: Style): string[] {
  if (sentences.length === 0) return [];
  const lines = sentences.flatMap((text) =>
    wrap(text, WIDTH - 4).map((line, i) => `  ${i === 0 ? "-" : " "} ${line}`),
  );
  return [style.bold(title), ...lines, ""];
}

export function matrixMarkdown(matrix: PolicyMatrix): string {
  const { scenario, topologies, metrics, about = {}, short = [], verdict, limits } = matrix;
  const folded = foldedTopologies(matrix);
  const head = ["VMM", "policy", ...metrics.map((metric) => markdownText(heading(metric)))];
  const tables = topologies.map((topology) => {
    const rows = matrixRows(matrix, topology, metrics).map(({ vmm, policies, cell }) => [
      markdownText(vmm),
      markdownText(policies),
      ...metrics.map(({ key, unit }) => intervalText(cell.figures[key], unit)),
    ]);
    const like = folded.get(topology);
    const content =
      like === undefined
        ? markdownTable(head, rows, 2)
        : `Every figure is as on ${markdownText(like)}.`;
    return `#### ${markdownText(nameOf(topology, about))}\n\n${content}`;
  });
  const blocks = [
    `### ${markdownText(scenario)}: retention policies`,
    markdownList(short),
    ...(verdict.length === 0 ? [] : ["#### In detail", markdownList(verdict)]),
    ...(limits.length === 0 ? [] : ["#### What this does not say", markdownList(limits)]),
    ...tables,
  ];
  return `${blocks.filter((block) => block !== "").join("\n\n")}\n`;
}

function markdownList(sentences: readonly string[]): string {
  return sentences.map((text) => `- ${markdownText(text)}`).join("\n");
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
