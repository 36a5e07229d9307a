/** The axes of a sweep: `--param host.irtes=64,128`, and all points between them. */
import { UsageError } from "../base/errors.ts";
import { distinct } from "./words.ts";

export interface Param {
  /** Of the scenario: `guests.g1.vcpus`. */
  readonly path: string;
  /** As written; each is read as YAML. */
  readonly values: readonly string[];
}

/** Throws UsageError that shows what is wrong. */
export function parseParam(text: string): Param {
  const equals = text.indexOf("=");
  const path = text.slice(0, equals).trim();
  const values = equals < 0 ? [] : splitValues(text.slice(equals + 1)).map((value) => value.trim());
  if (path === "" || values.length === 0 || values.includes("")) {
    throw new UsageError(`--param ${text}: there is no path with values`, {
      hint: "--param host.irtes=64,128,256",
    });
  }
  return { path, values: [...new Set(values)] };
}

/** Axes, each of another path. Throws UsageError that shows what is wrong. */
export function parseParams(texts: readonly string[]): Param[] {
  const params = texts.map(parseParam);
  params.forEach(({ path }, i) => {
    const first = params.findIndex((param) => param.path === path);
    if (first === i) return;
    const values = distinct([...params[first]!.values, ...params[i]!.values]);
    throw new UsageError(`--param ${texts[i]}: ${path} is an axis already`, {
      hint: `--param ${path}=${values.join(",")}`,
    });
  });
  return params;
}

const OPEN = "{[(";
const CLOSE = "}])";

/** At commas that stand in no brackets and no quotes. */
function splitValues(text: string): string[] {
  const values: string[] = [];
  let depth = 0;
  let quote = "";
  let value = "";
  for (const character of text) {
    if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (OPEN.includes(character)) depth++;
    else if (CLOSE.includes(character)) depth--;
    else if (character === "," && depth === 0) {
      values.push(value);
      value = "";
      continue;
    }
    value += character;
  }
  return [...values, value];
}

/** Every combination, the last axis fastest; one empty point without axes. */
export function pointsOf(params: readonly Param[]): string[][] {
  return params.reduce<string[][]>(
    (points, { values }) => points.flatMap((point) => values.map((value) => [...point, value])),
    [[]],
  );
}
