/** A comparison as a page of text, and what its pages have in common. */
import { formatCount, formatNs } from "../base/units.ts";
import type { ComparedFigure, ComparedSide, Comparison } from "./comparison.ts";
import { PLAIN, type Style } from "./style.ts";
import { clip, tableLines, wrap } from "./table.ts";

const WIDTH = 98;
const NAME_WIDTH = 34;
const NAMED_IN_WORDS = 4;

/** A figure of a comparison with its unit; `signed` puts a plus before what grew. */
export function comparedText(value: number | null, unit: ComparedFigure["unit"], signed = false) {
  if (value === null) return "-";
  const text =
    unit === "ns" ? formatNs(value) : Number.isInteger(value) ? formatCount(value) : short(value);
  return signed && value > 0 ? `+${text}` : text;
}

function short(value: number): string {
  return Math.abs(value) >= 1000 ? formatCount(value) : value.toPrecision(3);
}

export function shareText({ share, difference }: ComparedFigure): string {
  if (difference === 0) return "0 %";
  if (share === null) return "";
  const percent = 100 * share;
  const digits = Math.abs(percent) < 10 ? 2 : Math.abs(percent) < 100 ? 1 : 0;
  return `${percent > 0 ? "+" : ""}${percent.toFixed(digits)} %`;
}

export function intervalOfDifference({ interval, unit }: ComparedFigure): string {
  if (interval === null) return "";
  const [low, high] = [interval.low, interval.high].map((n) => comparedText(n, unit, true));
  return low === high ? low! : `${low} to ${high}`;
}

/** Better, worse or merely different; null: not beyond noise, or it cannot be told. */
export function trendOf(figure: ComparedFigure): "better" | "worse" | "differs" | null {
  const { beyondNoise, difference, better } = figure;
  if (beyondNoise !== true || difference === null) return null;
  if (better === "neither") return "differs";
  return difference < 0 === (better === "less") ? "better" : "worse";
}

export function differs({ a, b }: ComparedFigure): boolean {
  return a !== b;
}

/** What a comparison came to, a sentence each. */
export function comparisonWords({ figures, a, b }: Comparison): string[] {
  const different = figures.filter(differs);
  if (different.length === 0) return [`All ${figures.length} figures are the same.`];
  const beyond = different.filter(({ beyondNoise }) => beyondNoise === true);
  const known = different.some(({ beyondNoise }) => beyondNoise !== null);
  const count = `${different.length} of ${figures.length} figures differ`;
  if (!known) {
    const why = a.runs + b.runs === 2 ? "with one run each" : "with these runs";
    return [`${count}; ${why}, whether by chance cannot be told.`];
  }
  if (beyond.length === 0) return [`${count}, none by more than chance explains.`];
  const most = [...beyond].sort((x, y) => Math.abs(y.share ?? 0) - Math.abs(x.share ?? 0));
  const named = most.slice(0, NAMED_IN_WORDS).map((figure) => {
    const { name, difference, unit } = figure;
    return `${name} (${shareText(figure) || comparedText(difference, unit, true)})`;
  });
  const more = most.length - named.length;
  const list = `${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  return [`${count}, ${beyond.length} by more than chance explains: ${list}.`];
}

/** `2 runs of nvme-reboot, threads, seeds 1, 2`. */
export function sideText({ runs, scenario, engine, seeds }: ComparedSide): string {
  const distinct = [...new Set(seeds)];
  const shown = distinct.slice(0, 8).join(", ") + (distinct.length > 8 ? ", ..." : "");
  const count = runs === 1 ? "a run" : `${runs} runs`;
  return `${count} of ${scenario}, ${engine}, ${distinct.length === 1 ? "seed" : "seeds"} ${shown}`;
}

const BASES: Readonly<Record<ComparedFigure["basis"], string>> = {
  pairs: "runs of equal seeds, in pairs",
  runs: "independent runs",
  samples: "interrupts within one run each",
  exact: "virtual time, one seed",
  none: "",
};

/** What the intervals are made from, each once; "" without any. */
export function basisText({ figures }: Comparison): string {
  const bases = new Set(figures.filter(({ interval }) => interval !== null).map((f) => f.basis));
  if (bases.size === 0) return "";
  const made = [...bases].map((basis) => BASES[basis]).join("; ");
  return `${made}. Of figures that do not differ, one in twenty will seem to`;
}

export function comparisonText(comparison: Comparison, style: Style = PLAIN): string {
  const { a, b, unlike, figures, warnings } = comparison;
  const shown = figures.filter(differs);
  const rows = shown.map(row);
  const known = shown.some(({ interval }) => interval !== null);
  const head = ["", "A", "B", "difference", "", ...(known ? ["95 % interval", ""] : [])];
  const lines = [
    `${style.bold("A")}  ${clip(`${a.label}: ${sideText(a)}`, WIDTH - 3)}`,
    `${style.bold("B")}  ${clip(`${b.label}: ${sideText(b)}`, WIDTH - 3)}`,
    "",
    ...(unlike.length === 0
      ? []
      : [
          style.bold("What differs between them"),
          ...tableLines(
            unlike.map(({ what, a: left, b: right }) => [what, clip(left, 36), clip(right, 36)]),
            { left: [0, 1, 2] },
          ),
          "",
        ]),
    ...(rows.length === 0
      ? []
      : [style.bold("Figures"), ...tableLines([head, ...rows], { left: [0, 6] })]),
    ...(shown.length < figures.length
      ? [`  and ${figures.length - shown.length} that are the same (-o json has them)`]
      : []),
    ...(basisText(comparison) === "" ? [] : [`  intervals from: ${basisText(comparison)}`]),
    "",
    ...(warnings.length === 0
      ? []
      : [
          style.bold("Warnings"),
          ...warnings.flatMap(({ text, advice }) => [
            ...wrap(text, WIDTH - 4).map(
              (line, i) => `  ${i === 0 ? style.warn("!") : " "} ${line}`,
            ),
            ...wrap(`-> ${advice}`, WIDTH - 4).map((line) => `    ${line}`),
          ]),
          "",
        ]),
    ...comparisonWords(comparison).flatMap((words) => wrap(words, WIDTH)),
  ];
  return `${lines.join("\n")}\n`;
}

function row(figure: ComparedFigure): string[] {
  const { name, unit, a, b, difference } = figure;
  return [
    clip(name, NAME_WIDTH),
    comparedText(a, unit),
    comparedText(b, unit),
    comparedText(difference, unit, true),
    shareText(figure),
    intervalOfDifference(figure),
    trendOf(figure) ?? (figure.beyondNoise === false ? "noise" : ""),
  ];
}
