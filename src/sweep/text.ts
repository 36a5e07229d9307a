/** A comparison of policies as a page of text: a table a topology, then what it says. */
import { foldedTopologies } from "../report/matrix-rows.ts";
import type { PolicyMatrix } from "../report/policy-matrix.ts";
import { PLAIN, type Style } from "../report/style.ts";
import { tableLines, wrap } from "../report/table.ts";
import type { CellRuns, Place } from "./comparison.ts";
import { placesOf } from "./comparison.ts";
import { METRICS, type Metric } from "./metrics.ts";
import { withInterval } from "./numbers.ts";
import { ALIKE } from "./order.ts";
import { distinct, listText, together } from "./words.ts";

export interface ComparisonText {
  readonly matrix: PolicyMatrix;
  readonly cells: readonly CellRuns[];
  /** What each topology is, by name. */
  readonly about: Readonly<Record<string, string>>;
}

type Blocks = readonly (readonly Metric[])[];

const HELD = /^(?:idle|peak|alloc|frees)/;
const WORK = /^(?:rearm|iec)/;

/** Figures side by side in one table or, on a narrow page, in several below each other. */
function blocksFor(places: readonly Place[], width: number): Blocks {
  const only = (of: (key: string) => boolean): Metric[] => METRICS.filter(({ key }) => of(key));
  const harm = only((key) => !HELD.test(key) && !WORK.test(key));
  const layouts: readonly Blocks[] = [
    [METRICS],
    [harm, only((key) => HELD.test(key) || WORK.test(key))],
    [harm, only((key) => HELD.test(key)), only((key) => WORK.test(key))],
  ];
  const fits = (blocks: Blocks): boolean =>
    blocks.every((metrics) =>
      topologyTable(places, metrics).every(({ length }) => length <= width),
    );
  return layouts.find(fits) ?? layouts.at(-1)!;
}

export function comparisonPage(
  { matrix, cells, about }: ComparisonText,
  width: number,
  style: Style = PLAIN,
): string {
  const places = placesOf(cells);
  const blocks = blocksFor(places, width);
  const folded = foldedTopologies(matrix);
  const lines: string[] = [];
  for (const topology of matrix.topologies) {
    const like = folded.get(topology);
    const same = like === undefined ? [] : [`Every figure is as on ${like}.`];
    lines.push(...titleLines(topology, [about[topology] ?? "", ...same], width, style));
    if (like !== undefined) {
      lines.push("");
      continue;
    }
    const here = places.filter((place) => place.topology === topology);
    for (const metrics of blocks) lines.push(...topologyTable(here, metrics), "");
  }
  lines.push(...legend(matrix, width), "");
  lines.push(...section("In short", matrix.short ?? [], width, style));
  lines.push(...section("In detail", matrix.verdict, width, style));
  lines.push(...sensitivityLines(matrix, width, style));
  lines.push(...section("What this does not say", matrix.limits, width, style));
  lines.push(...warningLines(matrix, width, style));
  while (lines.at(-1) === "") lines.pop();
  return `${lines.join("\n")}\n`;
}

/** `vtd: what it is.`, in as many lines as it takes. */
function titleLines(
  name: string,
  sentences: readonly string[],
  width: number,
  style: Style,
): string[] {
  const [first = "", ...others] = wrap(`${name}: ${sentences.join(". ")}`, width - 2);
  return [style.bold(name) + first.slice(name.length), ...others.map((line) => `  ${line}`)];
}

function topologyTable(places: readonly Place[], metrics: readonly Metric[]): string[] {
  const rows = places.flatMap((place) => placeRows(place, metrics));
  const heads = [0, 1].map((line) => ["", "", ...metrics.map(({ head }) => head[line]!)]);
  return tableLines([...heads, ...rows], { left: [0, 1] });
}

/** A row for each group of policies that are equal in these figures; the others below its first. */
function placeRows(place: Place, metrics: readonly Metric[]): string[][] {
  const groups = place.groups(metrics);
  return groups.flatMap((group, i) => {
    const [first, ...equals] = group as [string, ...string[]];
    const name = i === 0 ? place.vmm : "";
    const figures = metrics.map((metric) => figureCell(place, metric, first));
    if (groups.length === 1 && equals.length > 0) return [[name, "all equal", ...figures]];
    return [[name, first, ...figures], ...equals.map((equal) => ["", `= ${equal}`])];
  });
}

/** `12.3~0.4*`: the mean, half of its interval, and whether nothing is better. */
function figureCell(place: Place, { key, unit }: Metric, policy: string): string {
  const estimate = place.estimate(key, policy);
  if (estimate === null) return "- ";
  const scale = unit === "ns" ? 1e-3 : 1;
  const mark = place.best(key).includes(policy) ? "*" : " ";
  const { mean, high, runs } = estimate;
  return `${withInterval(mean * scale, runs < 2 ? 0 : (high - mean) * scale)}${mark}`;
}

function legend({ seeds, policies }: PolicyMatrix, width: number): string[] {
  const n = seeds.length;
  const several = `means over ${n} seeds, ~ half of the 95 % interval where seeds differ`;
  const words =
    `${n === 1 ? "one seed" : several}; * nothing is better (where not all are alike); ` +
    `= as the one above, in every figure of the table and seed; re-arm in us; ` +
    `differences below ${100 * ALIKE} % do not count` +
    (policies.length > 1
      ? `; caused by idle: requests that others' idle irqs made fail; refused again: of what the ` +
        `policy had given back`
      : "");
  return wrap(words, width - 2).map((line) => `  ${line}`);
}

function section(
  title: string,
  sentences: readonly string[],
  width: number,
  style: Style,
): string[] {
  if (sentences.length === 0) return [];
  return [style.bold(title), ...sentences.flatMap((text) => bullet(text, width)), ""];
}

function bullet(text: string, width: number, mark = "-"): string[] {
  return wrap(text, width - 4).map((line, i) => `  ${i === 0 ? mark : " "} ${line}`);
}

/** Changes that flip something each have a row; the others are named together. */
function sensitivityLines({ sensitivity }: PolicyMatrix, width: number, style: Style): string[] {
  if (sensitivity === undefined || sensitivity.length === 0) return [];
  const rows = sensitivity
    .filter(({ flips }) => flips)
    .flatMap(({ cost, change, verdict }) =>
      wrap(verdict, Math.max(40, width - 34)).map((line, i) =>
        i === 0 ? [cost, change, line] : ["", "", line],
      ),
    );
  const standing = together(
    distinct(sensitivity.filter(({ flips }) => !flips).map(({ cost }) => cost)),
    (cost) => {
      const of = sensitivity.filter((row) => row.cost === cost && !row.flips);
      return listText(of.map(({ change }) => change));
    },
  ).flatMap(({ text, items }) => bullet(`all orders stand, ${text}: ${items.join(", ")}`, width));
  const table = tableLines(rows, { left: [0, 1, 2] });
  return [style.bold("Sensitivity to costs"), ...table, ...standing, ""];
}

function warningLines({ warnings = [] }: PolicyMatrix, width: number, style: Style): string[] {
  if (warnings.length === 0) return [];
  return [
    style.bold("Warnings"),
    ...warnings.flatMap(({ text, advice }) => [
      ...bullet(text, width, style.warn("!")),
      ...wrap(`-> ${advice}`, width - 4).map((line) => `    ${line}`),
    ]),
    "",
  ];
}
