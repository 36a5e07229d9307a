/** What is wrong with a scenario: a path into it, words, what to do; and zod's, in our words. */
import type { z } from "zod";
import { didYouMean } from "./suggest.ts";

export type Path = readonly (string | number)[];

export interface Issue {
  readonly path: Path;
  /** Points at the key itself instead of its value. */
  readonly atKey?: boolean;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** `guests[0].vcpus`. */
export function pathText(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

/** The value at `path` of plain data, undefined if there is none. */
export function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Object.hasOwn(value, part)
      ? (value as Record<string | number, unknown>)[part]
      : undefined;
  }
  return value;
}

/** A value as a message quotes it. */
export function quote(value: unknown): string {
  const text = typeof value === "string" ? `"${value}"` : (JSON.stringify(value) ?? "nothing");
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

const LIMIT_REASONS: Readonly<Record<string, string>> = {
  msixVectors: "an MSI-X table holds 1 to 2048 vectors, 0 means no MSI-X",
  msiVectors: "MSI has 1 to 32 vectors, 0 means no MSI",
  vcpus: "a guest has 1 to 32 vCPUs",
  irtes: "VT-d has up to 65536 entries, some of which the machine needs; AMD-Vi up to 2048",
  lpis: "an ITS has at most 57344 LPIs in use, of which the machine needs some itself",
  vectorsPerCpu: "x86 leaves about 200 of its 256 vectors to devices",
};

/** Translates zod's issues; `known` tells which keys exist at a path. */
export function issuesOf(
  error: z.ZodError,
  data: unknown,
  known: (path: Path) => readonly string[],
): Issue[] {
  return error.issues.flatMap((issue) => translate(issue, data, known));
}

function translate(
  issue: z.core.$ZodIssue,
  data: unknown,
  known: (path: Path) => readonly string[],
): Issue[] {
  const path = issue.path.filter((part) => typeof part !== "symbol");
  const value = valueAt(data, path);
  const what = path.length === 0 ? "the scenario" : pathText(path);
  if (issue.code === "invalid_union") {
    // The way of writing it that was meant: the one that is not wrong as a whole.
    const meant = issue.errors.find((branch) => branch.every((inner) => inner.path.length > 0));
    const inner = meant ?? issue.errors[0] ?? [];
    return inner.flatMap((one) => translate({ ...one, path: [...path, ...one.path] }, data, known));
  }
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key],
      atKey: true,
      message: `unknown key "${key}"${path.length === 0 ? "" : ` in ${what}`}`,
      hint: didYouMean(key, known(path)),
    }));
  }
  if (issue.code === "invalid_type" && value === undefined) {
    return [{ path, message: `${what} is missing`, hint: `add ${path.at(-1)}: ...` }];
  }
  if (issue.code === "invalid_value") {
    const words = issue.values.map(String);
    const hint = didYouMean(String(value), words);
    return [{ path, message: `${what}: ${quote(value)} is not one of ${words.join(", ")}`, hint }];
  }
  if (issue.code === "too_small" || issue.code === "too_big")
    return [limitIssue(issue, path, value)];
  if (issue.code === "invalid_type" && issue.message.startsWith("Invalid input")) {
    return [{ path, message: `${what} must be ${article(issue.expected)}, not ${quote(value)}` }];
  }
  if (issue.code === "custom") {
    const hint = issue.params?.hint;
    const message = `${what}: ${issue.message}`;
    return [typeof hint === "string" ? { path, message, hint } : { path, message }];
  }
  return [{ path, message: `${what}: ${quote(value)} ${issue.message}` }];
}

function limitIssue(
  issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig,
  path: Path,
  value: unknown,
): Issue {
  const what = pathText(path);
  const bound = issue.code === "too_small" ? issue.minimum : issue.maximum;
  const side = issue.code === "too_small" ? "at least" : "at most";
  if (issue.origin === "array") return { path, message: `${what}: needs ${side} ${bound} entry` };
  const hint = LIMIT_REASONS[String(path.at(-1))];
  return { path, message: `${what}: ${quote(value)} is impossible: ${side} ${bound}`, hint };
}

function article(expected: string): string {
  if (expected === "int") return "a whole number";
  if (expected === "object") return "a map of keys and values";
  if (expected === "array") return "a list";
  if (expected === "string") return "text";
  return expected === "boolean" ? "true or false" : `a ${expected}`;
}
