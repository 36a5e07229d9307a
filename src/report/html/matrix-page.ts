/** A comparison of retention policies as a page: verdict, heat maps, figures, sensitivity. */
import { intervalText, unitText } from "../matrix-figures.ts";
import { columnsOf, foldedTopologies, matrixRows } from "../matrix-rows.ts";
import { sortedEntries } from "../natural-order.ts";
import { HEATS, heatMap } from "../plot/heat-map.ts";
import type { MatrixMetric, PolicyMatrix } from "../policy-matrix.ts";
import { html, type Markup } from "./markup.ts";
import { figure, legend, pageHtml, type Section } from "./page.ts";
import { warningList } from "./summary.ts";
import { type Row, table } from "./table.ts";

/** Figures with a heat map of their own, of those that differ; the others are in the tables. */
const HEAT_MAPS = 8;
/** Figures in one table: as many as fit beside each other. */
const COLUMNS = 4;

function sentences(items: readonly string[]): Markup {
  return html`<ul>${items.map((item) => html`<li>${item}</li>`)}</ul>`;
}

/** The answer; a matrix of an older version has only what it rests on. */
function summarySection({ short, verdict, warnings }: PolicyMatrix): Section {
  const answer = short === undefined || short.length === 0 ? verdict.slice(0, 1) : short;
  const body = html`<div class="verdict plain">${
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
  const differing = matrix.metrics.filter((metric) => differs(matrix, metric));
  const shown = differing.length === 0 ? matrix.metrics : differing;
  const maps = shown.slice(0, HEAT_MAPS).map((metric) => heatFigure(matrix, metric));
  const { about = {}, topologies } = matrix;
  const known = topologies.filter((name) => about[name] !== undefined);
  const names = known.map((name) => html`<li><b>${name}</b>: ${about[name]}</li>`);
  const note = "A row a policy, a column a VMM, a panel a topology; topologies with = are equal.";
  return {
    id: "matrix",
    title: "Policies by VMM and topology",
    short: "Matrix",
    body: html`<p class="note">${note}</p>
${known.length === 0 ? null : html`<ul class="note">${names}</ul>`}
${maps}`,
  };
}

/** Policies have different means somewhere. */
function differs({ cells, vmms, topologies }: PolicyMatrix, { key }: MatrixMetric): boolean {
  return topologies.some((topology) =>
    vmms.some((vmm) => {
      const here = cells.filter((cell) => cell.topology === topology && cell.vmm === vmm);
      return new Set(here.map(({ figures }) => figures[key]?.mean)).size > 1;
    }),
  );
}

function titleOf({ title, unit }: MatrixMetric): string {
  return unitText(unit) === "" ? title : `${title}, ${unitText(unit)}`;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function heatFigure(matrix: PolicyMatrix, metric: MatrixMetric): Markup {
  const ends = metric.better === "more" ? ["most", "least"] : ["least", "most"];
  const items = [0, HEATS - 1].map((heat, i) => ({ colour: `var(--h${heat})`, text: ends[i]! }));
  const { seeds } = matrix;
  const caption = seeds.length === 1 ? "One run each." : `Means over ${seeds.length} runs each.`;
  const map = figure(heatMap(matrix, metric), legend(items), caption);
  return html`<h3>${capital(titleOf(metric))}</h3>${map}`;
}

function figureSection(matrix: PolicyMatrix): Section {
  const { metrics, topologies, seeds } = matrix;
  const folded = foldedTopologies(matrix);
  const tables = topologies.map((topology) => {
    const like = folded.get(topology);
    const content =
      like === undefined
        ? columnsOf(metrics, COLUMNS).map((columns) => figureTable(matrix, topology, columns))
        : html`<p>Every figure is as on ${like}.</p>`;
    return html`<h3>${topology}</h3>${content}`;
  });
  const several = `Means over ${seeds.length} seeds, \u00b1 half of the 95 % interval.`;
  const note = html`<p class="note">${seeds.length > 1 ? several : "One seed: no intervals."}
Policies with = between have the same figures in that table.</p>`;
  return { id: "figures", title: "Figures", body: html`${note}${tables}` };
}

/** Lines may end between names, and not in them. */
function unbroken(policies: string): Markup {
  const names = policies.split(" = ");
  return html`${names.map(
    (name, i) => html`<span class="held">${name}${i + 1 < names.length ? " =" : ""}</span> `,
  )}`;
}

function figureTable(
  matrix: PolicyMatrix,
  topology: string,
  metrics: readonly MatrixMetric[],
): Markup {
  const rows = matrixRows(matrix, topology, metrics).map(
    ({ vmm, policies, cell, note }, i, all): Row => [
      i > 0 && all[i - 1]!.vmm === vmm ? "" : vmm,
      note === ""
        ? unbroken(policies)
        : html`${unbroken(policies)} <span class="note">${note}</span>`,
      ...metrics.map(({ key, unit }) => intervalText(cell.figures[key], unit)),
    ],
  );
  const head = ["VMM", "policy", ...metrics.map(titleOf)];
  return html`<div class="matrix">${table(head, rows, { left: [0, 1] })}</div>`;
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
