/** The frame of a page: one file, no network, no scripts, sections with a table of contents. */
import { VERSION } from "../../base/version.ts";
import type { Drawing } from "../plot/svg.ts";
import { html, Markup } from "./markup.ts";
import { STYLE } from "./style.ts";

export interface Section {
  /** Anchor: letters and hyphens. */
  readonly id: string;
  readonly title: string;
  /** The title in the table of contents, where it should be short. */
  readonly short?: string;
  readonly body: Markup;
}

export interface Page {
  readonly title: string;
  /** Under the title: `seed 42, engine virtual`. */
  readonly subtitle: string;
  readonly sections: readonly Section[];
}

/** Nothing may be loaded and nothing may run, whatever a name managed to say. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

export function pageHtml({ title, subtitle, sections }: Page): string {
  const links = sections.map(
    ({ id, title: text, short }) => html`<a href="#${id}">${short ?? text}</a>`,
  );
  const bodies = sections.map(
    ({ id, title: text, body }) => html`<section id="${id}"><h2>${text}</h2>
${body}
</section>
`,
  );
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Markup(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="vfio-cosim ${VERSION}">
<title>${title}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<header><h1>${title}</h1><p class="sub">${subtitle}</p></header>
<nav aria-label="Contents">${links}</nav>
<main>
${bodies}</main>
</body>
</html>
`;
  return page.text;
}

/** A plot in both its sizes, with its legend and a line of explanation. */
export function figure(
  drawings: readonly Drawing[],
  legend: Markup | null,
  caption: string,
): Markup {
  const plots = drawings.map(({ svg, narrow, label }) => {
    const size = narrow ? "narrow" : "wide";
    return html`<div class="${size}" role="img" aria-label="${label}">${new Markup(svg)}</div>`;
  });
  return html`<figure>${plots}${legend}<figcaption>${caption}</figcaption></figure>`;
}

export interface LegendItem {
  /** A CSS colour of the page's own. */
  readonly colour: string;
  readonly text: string;
  /** Pattern of a line; without it a field of colour is shown. */
  readonly dash?: string;
}

export function legend(items: readonly LegendItem[]): Markup {
  const entries = items.map(({ colour, text, dash }) => {
    if (dash === undefined) return html`<i class="field" style="background:${colour}"></i>${text}`;
    const path = html`<path d="M0,7H26" style="stroke:${colour}" stroke-dasharray="${dash}"/>`;
    return html`<svg width="26" height="14" aria-hidden="true">${path}</svg>${text}`;
  });
  return html`<ul class="legend">${entries.map((entry) => html`<li>${entry}</li>`)}</ul>`;
}
