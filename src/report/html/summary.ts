/** The first section of a run's page: how it ended, what it came to, what to know and to do. */
import type { ExpectationResult, RunResult } from "../../run/result.ts";
import { figure as figureText, verdictOf } from "../text.ts";
import { type KeyFigure, keyFigures, summaryWords } from "../words.ts";
import { html, type Markup } from "./markup.ts";
import type { Section } from "./page.ts";

const GOOD = html`<b class="good">\u2713</b>`;
const BAD = html`<b class="bad">\u2717</b>`;
const NEITHER = html`<b class="warn">\u2013</b>`;

export function figureTiles(figures: readonly KeyFigure[]): Markup {
  const tiles = figures.map(({ label, value, beside, bad }) => {
    const inside = html`<span>${label}</span><b>${value}</b><span>${beside}</span>`;
    return bad ? html`<li class="bad">${inside}</li>` : html`<li>${inside}</li>`;
  });
  return html`<ul class="figures">${tiles}</ul>`;
}

export function warningList(
  warnings: readonly { readonly text: string; readonly advice: string }[],
): Markup | null {
  if (warnings.length === 0) return null;
  return html`<h3>Warnings</h3>
<ul class="list">${warnings.map(
    ({ text, advice }) =>
      html`<li><b class="warn">!</b> ${text}<span class="advice">\u2192 ${advice}</span></li>`,
  )}</ul>`;
}

function expectation({ text, ok, left, right }: ExpectationResult): Markup {
  const sign = ok === null ? NEITHER : ok ? GOOD : BAD;
  const found =
    ok === null
      ? "this engine measures no floor"
      : `${figureText(left, text)} against ${figureText(right, text)}`;
  return html`<li>${sign} <code>${text}</code> <span class="note">${found}</span></li>`;
}

function checkList({ checks, ledger, expectations }: RunResult): Markup {
  const violations = ledger.violations.slice(0, 8).map((text) => html`<li>${BAD} ${text}</li>`);
  return html`<h3>Checks and expectations</h3>
<ul class="list">${checks.map(
    ({ check, ok, detail }) =>
      html`<li>${ok ? GOOD : BAD} ${check} <span class="note">${detail}</span></li>`,
  )}${violations}${expectations.map(expectation)}</ul>`;
}

export function summarySection(result: RunResult): Section {
  const { kind, text } = verdictOf(result);
  const words = summaryWords(result).join(" ");
  const body = html`<div class="verdict ${kind}"><strong>${text}</strong><p>${words}</p></div>
${figureTiles(keyFigures(result))}
${warningList(result.warnings)}
${checkList(result)}`;
  return { id: "summary", title: "Summary", body };
}
