/** A comparison of policies as the PolicyMatrix that reports take. */
import { VERSION } from "../base/version.ts";
import {
  MATRIX_SCHEMA,
  type MatrixCell,
  type MatrixFigure,
  type MatrixSensitivity,
  type PolicyMatrix,
} from "../report/policy-matrix.ts";
import { type CellRuns, type Place, placesOf } from "./comparison.ts";
import { inShort } from "./in-short.ts";
import { limitsOf } from "./limits.ts";
import { METRICS } from "./metrics.ts";
import { verdictOf } from "./verdict.ts";
import { distinct, listText, placesText, plural, together } from "./words.ts";

export interface MatrixInput {
  readonly scenario: string;
  readonly cells: readonly CellRuns[];
  /** What each topology is, by name. */
  readonly about: Readonly<Record<string, string>>;
  readonly seeds: readonly number[];
  readonly jitterNs: number;
  readonly lateNs: number;
  readonly isInterrupted: boolean;
  /** Null: costs were not varied. */
  readonly sensitivity: readonly MatrixSensitivity[] | null;
  readonly moreShort: readonly string[];
  readonly moreLimits: readonly string[];
  readonly provenance: Readonly<Record<string, string | number | boolean>>;
}

export function policyMatrix(input: MatrixInput): PolicyMatrix {
  const { scenario, cells, seeds, sensitivity } = input;
  const places = placesOf(cells);
  return {
    schema: MATRIX_SCHEMA,
    scenario,
    policies: distinct(cells.map(({ policy }) => policy)),
    vmms: distinct(cells.map(({ vmm }) => vmm)),
    topologies: distinct(cells.map(({ topology }) => topology)),
    about: input.about,
    seeds,
    metrics: METRICS.map(({ key, title, unit, better }) => ({ key, title, unit, better })),
    cells: places.flatMap((place) => place.policies.map((policy) => matrixCell(place, policy))),
    short: [...inShort(places, seeds.length), ...input.moreShort],
    verdict: verdictOf(places, seeds.length),
    limits: [...limitsOf(scenario, places, input), ...input.moreLimits],
    ...(sensitivity === null ? {} : { sensitivity }),
    warnings: warningsOf(input),
    provenance: { version: VERSION, engine: "virtual", ...input.provenance },
  };
}

function matrixCell(place: Place, policy: string): MatrixCell {
  const { vmm, topology } = place;
  const figures = METRICS.map(({ key }): [string, MatrixFigure | null] => {
    const estimate = place.estimate(key, policy);
    if (estimate === null) return [key, null];
    const { mean, low, high, runs } = estimate;
    return [key, runs < 2 ? { mean } : { mean, low, high }];
  });
  const note = noteOf(place, policy);
  return {
    policy,
    vmm,
    topology,
    figures: Object.fromEntries(figures),
    ...(note === "" ? {} : { note }),
  };
}

/** Which earlier policy it equals, and what is missing. */
function noteOf(place: Place, policy: string): string {
  const first = place.groups().find((group) => group.includes(policy))![0]!;
  const { troubles } = place.cell(policy);
  return [...(first === policy ? [] : [`equal to ${first}`]), ...troubles].join("; ");
}

function warningsOf({ cells, isInterrupted }: MatrixInput): { text: string; advice: string }[] {
  const warnings: { text: string; advice: string }[] = [];
  if (isInterrupted) {
    const text = "it was interrupted: some cells have fewer seeds than others, or none";
    warnings.push({ text, advice: "run it to its end, or with fewer --seeds, VMMs or topologies" });
  }
  const whyOf = ({ troubles }: CellRuns): string =>
    troubles.filter((text) => text !== "interrupted").join("; ");
  const failed = cells.filter((cell) => whyOf(cell) !== "");
  for (const why of distinct(failed.map(whyOf))) {
    const alike = failed.filter((cell) => whyOf(cell) === why);
    const which = together(distinct(alike.map(({ policy }) => policy)), (policy) =>
      placesText(
        alike.filter((cell) => cell.policy === policy),
        cells,
      ),
    ).map(({ text, items }) => `${listText(items)} under ${text}`);
    warnings.push({
      text: `${which.join("; ")}: ${why}`,
      advice: "the figures there are of the other seeds, if there are any",
    });
  }
  if (failed.length > 0) {
    const lack = failed.length === 1 ? "lacks" : "lack";
    const text = `${failed.length} of ${plural(cells.length, "cell")} ${lack} runs`;
    warnings.unshift({ text, advice: "what is said of them rests on fewer seeds, or on none" });
  }
  return warnings;
}
