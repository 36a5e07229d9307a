/** A comparison of retention policies as a page: verdict, heat maps, figures, sensitivity. */
import { foldedTopologies, intervalText, unitText } from "../matrix-figures.ts";
import { sortedEntries } from "../natural-order.ts";
import { HEATS, heatMap } from "../plot/heat-map.ts";
import type { MatrixMetric, PolicyMatrix } from "../policy-matrix.ts";
import { html, type Markup } from "./markup.ts";
import { figure, legend, pageHtml, type Section } from "./page.ts";
import { warningList } from "./summary.ts";
import { type Row, table } from "./table.ts";

/** Figures with a heat map of their own; the others are in the tables. */
const HEAT_MAPS = 4;

function sentences(items: readonly string[]): Markup {
  return html`<ul>${items.map((item) => html`<li>${item}</li>`)}</ul>`;
}

/** The answer; a matrix of an older version has only what it rests on. */
function summarySection({ short, verdict, warnings }: PolicyMatrix): Section {
  const answer = short === undefined || short.length === 0 ? verdict.slice(0, 1) : short;
  const body = html`<div class="verdict warn">${
    answer.length === 0 ? html`<p>There is no verdict.</p>` : sentences(answer)
  }</div>
${warningList(warnings ?? [])}`;
  return { id: "summary", title: "In short", body };
}

function detailSection({ verdict, limits }: PolicyMatrix): Section {
  const body = html`${sentences(verdict)}
${limits.length === 0 ? null : html`<h3>What this does not say</h3>${sentences(limits)}`}`;
  return { id: "detail", title: "In detail", body };
}

function heatSection(matrix: PolicyMatrix): Section {
  const maps = matrix.metrics.slice(0, HEAT_MAPS).map((metric) => heatFigure(matrix, metric));
  return {
    id: "matrix",
    title: "Policies by VMM and topology",
    short: "Matrix",
    body: html`${maps}`,
  };
}

function heatFigure(matrix: PolicyMatrix, metric: MatrixMetric): Markup {
  const ends = metric.better === "more" ? ["most", "least"] : ["least", "most"];
  const items = [0, HEATS - 1].map((heat, i) => ({ colour: `var(--h${heat})`, text: ends[i]! }));
  const unit = unitText(metric.unit);
  const what = unit === "" ? metric.title : `${metric.title}, ${unit}`;
  const caption = `${what}; a row a policy, a column a VMM.`;
  return html`<h3>${metric.title}</h3>${figure(heatMap(matrix, metric), legend(items), caption)}`;
}

function figureSection(matrix: PolicyMatrix): Section {
  const { metrics, topologies, cells, seeds } = matrix;
  const head = [
    "VMM",
    "policy",
    ...metrics.map(({ title, unit }) => `${title}${unitText(unit) && `, ${unitText(unit)}`}`),
  ];
  const folded = foldedTopologies(matrix);
  const tables = topologies.map((topology) => {
    const like = folded.get(topology);
    if (like !== undefined) {
      return html`<h3>${topology}</h3><p>Every figure is as on ${like}.</p>`;
    }
    const rows = cells
      .filter((cell) => cell.topology === topology)
      .map(({ vmm, policy, figures, note }): Row => {
        const name =
          note === undefined ? policy : html`${policy} <span class="note">${note}</span>`;
        return [vmm, name, ...metrics.map(({ key, unit }) => intervalText(figures[key], unit))];
      });
    return html`<h3>${topology}</h3>${table(head, rows, { left: [0, 1] })}`;
  });
  const several = `Means over ${seeds.length} seeds, with 95 % intervals.`;
  const note = html`<p class="note">${seeds.length > 1 ? several : "One seed: no intervals."}</p>`;
  return { id: "figures", title: "Figures", body: html`${note}${tables}` };
}

function sensitivitySection({ sensitivity }: PolicyMatrix): Section | null {
  if (sensitivity === undefined || sensitivity.length === 0) return null;
  const rows = sensitivity.map(({ cost, change, flips, verdict }): Row => {
    const found = flips ? html`<b class="warn">flips</b>` : "stands";
    return [html`<code>${cost}</code>`, change, found, verdict];
  });
  const body = table(["cost", "", "verdict", "which then is"], rows, { left: [0, 1, 2, 3] });
  return { id: "sensitivity", title: "Sensitivity to costs", short: "Sensitivity", body };
}

function provenanceSection({ provenance, seeds, schema }: PolicyMatrix): Section {
  const rows = [
    ...sortedEntries(provenance).map(([key, value]): Row => [key, `${value}`]),
    ["seeds", seeds.join(", ")],
    ["schema", schema],
  ];
  return { id: "provenance", title: "Provenance", body: table([], rows, { left: [0, 1] }) };
}

export function matrixPage(matrix: PolicyMatrix): string {
  const { scenario, policies, vmms, topologies, seeds } = matrix;
  const sections = [
    summarySection(matrix),
    heatSection(matrix),
    detailSection(matrix),
    figureSection(matrix),
    sensitivitySection(matrix),
    provenanceSection(matrix),
  ].filter((section) => section !== null);
  const counts = [
    `${policies.length} policies`,
    `${vmms.length} VMMs`,
    `${topologies.length} topologies`,
    `${seeds.length} seeds`,
  ];
  return pageHtml({
    title: `${scenario}: retention policies`,
    subtitle: counts.join(" \u00d7 "),
    sections,
  });
}
