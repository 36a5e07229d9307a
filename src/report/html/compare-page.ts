/** A comparison of results as a page. */
import type { RunResult } from "../../run/result.ts";
import {
  basisText,
  comparedText,
  comparisonWords,
  differs,
  intervalOfDifference,
  shareText,
  sideText,
  trendOf,
} from "../compare-text.ts";
import { type ComparedFigure, type Comparison, histogramsOf } from "../comparison.ts";
import { histogramPoints, percentilesPlot, type StageLine } from "../plot/percentiles.ts";
import { html, type Markup } from "./markup.ts";
import { figure, legend, pageHtml, type Section } from "./page.ts";
import { warningList } from "./summary.ts";
import { type Row, table } from "./table.ts";

/** The runs of both sides, for the plot. */
export interface ComparedRuns {
  readonly a: readonly RunResult[];
  readonly b: readonly RunResult[];
}

const SIGNS = { better: "\u2713", worse: "\u2717", differs: "\u2260" } as const;
const CLASSES = { better: "good", worse: "bad", differs: "warn" } as const;

function trend(compared: ComparedFigure): Markup {
  const found = trendOf(compared);
  if (found !== null) return html`<b class="${CLASSES[found]}">${SIGNS[found]} ${found}</b>`;
  return html`<span class="sub">${compared.beyondNoise === false ? "noise" : ""}</span>`;
}

function rowOf(compared: ComparedFigure): Row {
  const { name, unit, a, b, difference, effect } = compared;
  return [
    html`<code>${name}</code>`,
    comparedText(a, unit),
    comparedText(b, unit),
    comparedText(difference, unit, true),
    shareText(compared),
    intervalOfDifference(compared),
    effect === null ? "" : effect.toFixed(1),
    trend(compared),
  ];
}

const HEAD = ["", "A", "B", "difference", "share", "95 % interval", "effect (g)", ""];

function figuresSection(comparison: Comparison): Section {
  const different = comparison.figures.filter(differs);
  const same = comparison.figures.filter((compared) => !differs(compared));
  const basis = basisText(comparison);
  const sameRows = same.map(({ name, unit, a }): Row => {
    return [html`<code>${name}</code>`, comparedText(a, unit)];
  });
  const rows = different.map(rowOf);
  const body = html`${rows.length > 0 ? table(HEAD, rows, { left: [0, 7] }) : null}
${basis === "" ? null : html`<p class="note">Intervals from: ${basis}.</p>`}
<details><summary>${same.length} figures that are the same</summary>${table(
    ["", "A and B"],
    sameRows,
  )}</details>`;
  return { id: "figures", title: "Figures", body };
}

function summarySection(comparison: Comparison): Section {
  const { a, b, unlike, warnings } = comparison;
  const settings = unlike.map(({ what, a: left, b: right }): Row => [what, left, right]);
  const sides = [
    ["A", `${a.label}: ${sideText(a)}`],
    ["B", `${b.label}: ${sideText(b)}`],
  ];
  const body = html`<p>${comparisonWords(comparison).join(" ")}</p>
${table([], sides, { left: [0, 1] })}
${settings.length === 0 ? null : html`<h3>What differs between them</h3>`}
${settings.length === 0 ? null : table(["", "A", "B"], settings, { left: [0, 1, 2] })}
${warningList(warnings)}`;
  return { id: "summary", title: "Summary", body };
}

function latencySection({ a, b }: ComparedRuns): Section | null {
  const sides = [
    { stage: "A", colour: "var(--c0)", dash: "none", total: histogramsOf(a).get("total") },
    { stage: "B", colour: "var(--c5)", dash: "7,3", total: histogramsOf(b).get("total") },
  ];
  const lines = sides.flatMap(({ total, ...side }): StageLine[] =>
    total === undefined ? [] : [{ ...side, width: 2.2, points: histogramPoints(total) }],
  );
  if (lines.length === 0) return null;
  const items = lines.map(({ colour, dash, stage }) => ({ colour, dash, text: stage }));
  const caption = "Device to ISR by percentile, all runs of a side together.";
  const body = figure(percentilesPlot({ lines, floors: [] }), legend(items), caption);
  return { id: "latency", title: "Latency", body };
}

export function comparePage(comparison: Comparison, runs: ComparedRuns): string {
  const { a, b } = comparison;
  const sections = [
    summarySection(comparison),
    figuresSection(comparison),
    latencySection(runs),
  ].filter((section) => section !== null);
  return pageHtml({
    title: a.scenario === b.scenario ? `${a.scenario}: A and B` : `${a.scenario} and ${b.scenario}`,
    subtitle: `${a.label} \u00b7 ${b.label}`,
    sections,
  });
}
