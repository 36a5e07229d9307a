/**
 * Expectations: `lost == 0`, `latency.p99 < 20 * floor.p50`.
 *
 *   expectation = sum ("==" | "!=" | "<" | "<=" | ">" | ">=") sum
 *   sum         = product (("+" | "-") product)*
 *   product     = factor (("*" | "/") factor)*
 *   factor      = NUMBER | DURATION | NAME | "(" sum ")" | "-" factor
 *
 * Names are those of expect-names.ts; a duration such as 200us counts in nanoseconds.
 */
import { UsageError } from "../base/errors.ts";
import { parseDurationNs } from "../base/units.ts";
import type { ExpectationResult, RunResult } from "../run/result.ts";
import {
  expectationNames,
  expectationValue,
  isExpectationName,
  isMeasuredOnly,
} from "./expect-names.ts";
import { type Subjects, subjectNames } from "./expect-subjects.ts";
import type { Issue, Path } from "./issues.ts";
import { suggest } from "./suggest.ts";

export const COMPARISONS = ["==", "!=", "<=", ">=", "<", ">"] as const;
type Comparison = (typeof COMPARISONS)[number];

type Term =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "name"; readonly name: string }
  | {
      readonly kind: "binary";
      readonly op: "+" | "-" | "*" | "/";
      readonly left: Term;
      readonly right: Term;
    };

export interface Expectation {
  readonly text: string;
  readonly comparison: Comparison;
  readonly left: Term;
  readonly right: Term;
  /** Names it mentions, in order. */
  readonly names: readonly string[];
}

const TOKEN = /\s*(?:(\d+(?:\.\d+)?[A-Za-z]*)|([A-Za-z_][\w.]*)|(==|!=|<=|>=|[<>+\-*/()]))/y;

class Parser {
  readonly #text: string;
  readonly #tokens: string[] = [];
  readonly names: string[] = [];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    TOKEN.lastIndex = 0;
    while (text.slice(TOKEN.lastIndex).trim() !== "") {
      const at = TOKEN.lastIndex;
      const match = TOKEN.exec(text);
      if (match === null) throw this.#wrong(`cannot read "${text.slice(at).trim()}"`);
      this.#tokens.push((match[1] ?? match[2] ?? match[3])!);
    }
  }

  parse(): Expectation {
    const left = this.#sum();
    const comparison = COMPARISONS.find((candidate) => candidate === this.#tokens[this.#next]);
    if (comparison === undefined) throw this.#wrong("there is no comparison");
    this.#next++;
    const right = this.#sum();
    if (this.#next < this.#tokens.length) {
      throw this.#wrong(`"${this.#tokens[this.#next]}" is too much`);
    }
    return { text: this.#text, comparison, left, right, names: this.names };
  }

  #wrong(what: string): UsageError {
    return new UsageError(`expectation "${this.#text}": ${what}`, {
      hint: "write a comparison such as lost == 0 or latency.p99 < 20 * floor.p50",
    });
  }

  #take(...wanted: string[]): string | undefined {
    const token = this.#tokens[this.#next];
    if (token === undefined || !wanted.includes(token)) return undefined;
    this.#next++;
    return token;
  }

  #sum(): Term {
    let left = this.#product();
    for (;;) {
      const op = this.#take("+", "-");
      if (op === undefined) return left;
      left = { kind: "binary", op: op as "+" | "-", left, right: this.#product() };
    }
  }

  #product(): Term {
    let left = this.#factor();
    for (;;) {
      const op = this.#take("*", "/");
      if (op === undefined) return left;
      left = { kind: "binary", op: op as "*" | "/", left, right: this.#factor() };
    }
  }

  #factor(): Term {
    if (this.#take("-")) {
      const zero: Term = { kind: "number", value: 0 };
      return { kind: "binary", op: "-", left: zero, right: this.#factor() };
    }
    if (this.#take("(")) {
      const inner = this.#sum();
      if (this.#take(")") === undefined) throw this.#wrong("a bracket is not closed");
      return inner;
    }
    const token = this.#tokens[this.#next];
    if (token === undefined) throw this.#wrong("it ends too early");
    this.#next++;
    if (/^\d/.test(token)) {
      const value = /[A-Za-z]$/.test(token) ? parseDurationNs(token) : Number(token);
      return { kind: "number", value };
    }
    if (!/^[A-Za-z_]/.test(token)) throw this.#wrong(`"${token}" is out of place`);
    this.names.push(token);
    return { kind: "name", name: token };
  }
}

/** Throws UsageError if the text is no comparison; names are not looked at. */
export function parseExpectation(text: string): Expectation {
  return new Parser(text).parse();
}

/** Subjects whose names are looked through for the nearest. */
const SUGGESTED_MAX = 64;

/** What is wrong with an expectation at `path`; `subjects` are the scenario's. */
export function nameIssues(text: string, subjects: Subjects, path: Path): Issue[] {
  let names: readonly string[];
  try {
    names = parseExpectation(text).names;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return [{ path, message: error.message, hint: error.hint }];
  }
  const known = expectationNames().map(({ name }) => name);
  const guests = subjects.guests.slice(0, SUGGESTED_MAX);
  known.push(...subjectNames({ guests, devices: subjects.devices.slice(0, SUGGESTED_MAX) }));
  return names
    .filter((name) => !isExpectationName(name, subjects))
    .map((name) => ({
      path,
      message: `expectation "${text}": there is no figure ${name}`,
      hint: suggestion(name, known),
    }));
}

function suggestion(name: string, known: readonly string[]): string {
  const nearest = suggest(name, known);
  return nearest === undefined
    ? "vfio-cosim list --figures shows them all"
    : `did you mean ${nearest}?`;
}

function evaluate(term: Term, value: (name: string) => number | null): number | null {
  if (term.kind === "number") return term.value;
  if (term.kind === "name") return value(term.name);
  const left = evaluate(term.left, value);
  const right = evaluate(term.right, value);
  if (left === null || right === null) return null;
  if (term.op === "+") return left + right;
  if (term.op === "-") return left - right;
  return term.op === "*" ? left * right : left / right;
}

function compare(left: number, comparison: Comparison, right: number): boolean {
  switch (comparison) {
    case "==":
      return left === right;
    case "!=":
      return left !== right;
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
  }
}

/**
 * What became of each expectation. One about the floor in a run without a floor decides nothing
 * (null); any other figure that is missing (no latency samples, say) fails it.
 */
export function evaluateExpectations(
  texts: readonly string[],
  result: Omit<RunResult, "expectations">,
): ExpectationResult[] {
  const all: RunResult = { ...result, expectations: [] };
  return texts.map((text) => {
    const { left, comparison, right, names } = parseExpectation(text);
    const value = (name: string): number | null => expectationValue(name, all);
    const l = evaluate(left, value);
    const r = evaluate(right, value);
    if (l !== null && r !== null) return { text, ok: compare(l, comparison, r), left: l, right: r };
    const missing = names.filter((name) => value(name) === null);
    const excused = result.latency.floor === null && missing.every(isMeasuredOnly);
    return { text, ok: excused ? null : false, left: l, right: r };
  });
}
