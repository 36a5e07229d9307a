/** Plots as SVG text: drawn by Observable Plot on a document that no browser has (linkedom). */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { plain } from "../html/markup.ts";

/** Widths, CSS pixels: one for pages and paper, one for phones; style.ts shows one of them. */
export const WIDE = 880;
export const NARROW = 336;

export interface Size {
  readonly width: number;
  readonly narrow: boolean;
}

const SIZES: readonly Size[] = [
  { width: WIDE, narrow: false },
  { width: NARROW, narrow: true },
];

const { document } = parseHTML("<!doctype html><html><body></body></html>");

/** One plot of a given size; text in it is text, whatever it says. */
export function drawPlot(options: Plot.PlotOptions): string {
  const svg = Plot.plot({ ...options, document: document as never, className: "plot" });
  // The page has these rules once for all plots.
  for (const style of svg.querySelectorAll("style")) style.remove();
  // Names in plots are as harmless as names elsewhere: the document has escaped all else.
  return plain(svg.outerHTML);
}

/** A plot for wide windows and paper, and one for phones; `label` is read out instead of it. */
export function bothSizes(draw: (size: Size) => string, label: string): readonly Drawing[] {
  return SIZES.map((size) => ({ svg: draw(size), narrow: size.narrow, label }));
}

export interface Drawing {
  /** Markup that is safe as it is. */
  readonly svg: string;
  readonly narrow: boolean;
  readonly label: string;
}

/** The unit in which times up to `ns` read best, for an axis. */
export function timeUnit(ns: number): { readonly unit: string; readonly ns: number } {
  if (ns >= 2e9) return { unit: "s", ns: 1e9 };
  if (ns >= 2e6) return { unit: "ms", ns: 1e6 };
  return ns >= 2e3 ? { unit: "\u00b5s", ns: 1e3 } : { unit: "ns", ns: 1 };
}
