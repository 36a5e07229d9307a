/** A run as a page: order, self-containedness, folding, older results, hostile names. */
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { runPage } from "../../../../../src/report/html/run-page.ts";
import { htmlReport } from "../../../../../src/report/html-report.ts";
import type { RunResult } from "../../../../../src/run/result.ts";
import { FULL, HOSTILE, hostile, withGuests } from "../../../../support/full-result.ts";
import { SAMPLE } from "../../../../support/sample-result.ts";

function open(result: RunResult) {
  return parseHTML(runPage(result)).document;
}

const EMPTY: RunResult = {
  ...SAMPLE,
  guests: [],
  leaked: null,
  ioctls: {},
  ledger: { rows: [], raised: 0, totals: {}, violations: [] },
  latency: { stages: [], guests: [], floor: null, ratio: null },
  checks: [],
  expectations: [],
  warnings: [],
};

describe("the page of a run", () => {
  it("has its sections in order, with links to them", () => {
    const document = open(FULL);
    const ids = [...document.querySelectorAll("section")].map(({ id }) => id);
    expect(ids).toEqual([
      "summary",
      "pool",
      "retention",
      "guests",
      "latency",
      "ledger",
      "calls",
      "provenance",
    ]);
    const links = [...document.querySelectorAll("nav a")].map((a) => a.getAttribute("href"));
    expect(links).toEqual(ids.map((id) => `#${id}`));
  });

  it("says first how the run ended, then what to know and to do", () => {
    const summary = open(FULL).querySelector("#summary")!.textContent;
    expect(summary).toMatch(/^Summary\s+FAILED: 1 of 3 expectations, after 2\.50 s/);
    expect(summary).toContain("2 guests ran 2.50 s on threads. Of 24,400 interrupts");
    expect(summary).toContain("→ use --wait park, fewer guests, or --engine virtual");
    expect(summary.indexOf("Warnings")).toBeLessThan(summary.indexOf("Checks"));
  });

  it("needs nothing but itself, and has nothing that runs", () => {
    const page = runPage(FULL);
    const { document } = parseHTML(page);
    expect(document.querySelectorAll("script, link, img, iframe, object, form, base").length).toBe(
      0,
    );
    expect(page).not.toMatch(/\b(src|on\w+)=|url\(|@import|javascript:|https?:\/\/(?!www\.w3)/);
    expect(page).toContain(`content="default-src 'none'`);
  });

  it("shows each plot in two sizes, with words for those who do not see it", () => {
    const figures = [...open(FULL).querySelectorAll("figure")];
    expect(figures.length).toBe(3);
    for (const figure of figures) {
      expect(figure.querySelectorAll(".wide svg, .narrow svg").length).toBe(2);
      for (const plot of figure.querySelectorAll("[role=img]")) {
        expect(plot.getAttribute("aria-label")).toMatch(/over time|by percentile/);
      }
      expect(figure.querySelector("figcaption")!.textContent).not.toBe("");
    }
  });

  it("takes its colours from variables that each scheme defines, and from nowhere else", () => {
    const page = runPage(withGuests(64));
    const style = /<style>([\s\S]*)<\/style>/.exec(page)![1]!;
    const body = page.slice(page.indexOf("<body>"));
    const used = new Set([...body.matchAll(/var\((--[\w-]+)\)/g)].map(([, name]) => name!));
    expect(used.size).toBeGreaterThan(8);
    const schemes = style.match(/:root\{[^}]*\}/g)!;
    expect(schemes.length).toBe(3);
    for (const scheme of schemes) for (const name of used) expect(scheme).toContain(`${name}:`);
    expect(body).not.toMatch(/(?:fill|stroke|color)[=:]"?(?:#|rgb|black|white)/);
  });

  it("gives a device the same colour in every place", () => {
    const document = open(FULL);
    const legend = [...document.querySelectorAll("#pool .legend li")];
    const colourOf = (name: string) =>
      legend
        .find((item) => item.textContent === name)!
        .querySelector("i")!
        .getAttribute("style");
    const row = [...document.querySelectorAll("#guests .held")].find((item) =>
      item.textContent.endsWith("nvme1"),
    )!;
    expect(row.querySelector("i")!.getAttribute("style")).toBe(colourOf("nvme1"));
    expect(colourOf("nvme0")).not.toBe(colourOf("nvme1"));
  });

  it("folds what many guests would make long", () => {
    const document = open(withGuests(64));
    const summaries = [...document.querySelectorAll("summary")].map((item) => item.textContent);
    expect(summaries).toContain("52 more guests");
    expect(summaries).toContain("48 more guests");
    const legend = document.querySelector("#pool .legend")!.textContent;
    expect(legend).toContain("59 other devices");
    expect(document.querySelectorAll("#pool .legend li").length).toBeLessThanOrEqual(8);
  });

  it("is the same page for the same result", async () => {
    const page = await htmlReport(FULL);
    expect(await htmlReport(JSON.parse(JSON.stringify(FULL)))).toBe(page);
  });

  it("copes with results without series, and with runs in which nothing happened", () => {
    expect(open(SAMPLE).querySelectorAll("#pool figure").length).toBe(0);
    expect(open(SAMPLE).querySelectorAll("#latency figure svg path").length).toBeGreaterThan(6);
    const page = open(EMPTY).documentElement.textContent;
    expect(page).toContain("No device raised an interrupt.");
    expect(page).toContain("No interrupt reached an ISR.");
  });

  it("has no number that is none", () => {
    for (const result of [FULL, SAMPLE, EMPTY, withGuests(40)]) {
      expect(runPage(result)).not.toMatch(/NaN|undefined|Infinity|\[object/);
    }
  });
});

describe("hostile names", () => {
  it("stay text wherever they come", () => {
    const page = runPage(hostile());
    const { document } = parseHTML(page);
    expect(document.querySelectorAll("script, img, [onerror]").length).toBe(0);
    expect(page).not.toContain("<script");
    expect(page).not.toMatch(/<img/);
    expect(page).not.toContain("\u202e");
    expect(page).not.toContain("\u0000");
    const shown = HOSTILE.slice(0, HOSTILE.indexOf("\u0000"));
    expect(document.querySelector("h1")!.textContent).toContain(shown);
    expect(document.querySelector("#guests table")!.textContent).toContain(`g1${shown}`);
  });

  it("do not change what the page is made of", () => {
    const count = (result: RunResult) =>
      open(result).querySelectorAll("section, figure, svg").length;
    expect(count(hostile())).toBe(count(FULL));
  });
});
