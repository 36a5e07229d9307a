/** Every figure of a run by name, with what it counts and which way is good. */
import type { RunResult } from "../run/result.ts";
import { expectationNames, expectationValue } from "../scenario/expect-names.ts";
import { LATENCY_FIGURES } from "../scenario/expect-subjects.ts";

export interface Figure {
  readonly value: number | null;
  readonly unit: "ns" | "number";
  readonly better: "less" | "more" | "neither";
}

const TIME = /^(latency|idle|rearm|arm)\.(?!.*count$)|^floor\.|^duration$/;
const LATENCY = /^(latency|rearm|arm)\.(?!.*count$)/;
const LESS = /^(lost|leaked|violations|dropped|fates\.dropped|ratio)|[iI]dle|[fF]ail/;
const MORE = /^delivered$/;

function figure(name: string, value: number | null): Figure {
  return {
    value,
    unit: TIME.test(name) ? "ns" : "number",
    better: LESS.test(name) || LATENCY.test(name) ? "less" : MORE.test(name) ? "more" : "neither",
  };
}

/** Names are those of expectations, then `latency.STAGE.p50` of each stage and `calls.NAME`. */
export function figuresOf(result: RunResult): ReadonlyMap<string, Figure> {
  const figures = new Map<string, Figure>();
  for (const { name } of expectationNames()) {
    const value = expectationValue(name, result);
    // Fates that did not occur on either side are no news, and two names say the same.
    if (value === null || (value === 0 && name.startsWith("fates."))) continue;
    if (name === "fates.delivered" || name === "interrupts") continue;
    figures.set(name, figure(name, value));
  }
  for (const row of result.latency.stages) {
    if (row.stage === "total") continue;
    // Each stage has as many as the whole way.
    for (const key of LATENCY_FIGURES.filter((figure) => figure !== "count")) {
      const name = `latency.${row.stage}.${key}`;
      figures.set(name, figure(name, row[key]));
    }
  }
  for (const [call, n] of Object.entries(result.ioctls)) {
    figures.set(`calls.${call}`, figure(`calls.${call}`, n));
  }
  return figures;
}

/** Figures that count what happened: a run that does not have them has none of it. */
export function countsFromZero(name: string): boolean {
  return /^(fates|calls)\./.test(name);
}
