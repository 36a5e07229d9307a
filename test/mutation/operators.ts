/** Small changes to a program that its tests should notice, found in text without strings. */
import { blank } from "../support/tidy-source.ts";

/** One change: characters `from` to `to` of the file become `text`. */
export interface Mutation {
  readonly operator: string;
  readonly line: number;
  readonly from: number;
  readonly to: number;
  readonly before: string;
  readonly text: string;
}

type Change = Pick<Mutation, "from" | "to" | "text">;

interface Operator {
  readonly name: string;
  /** Matched against `code`, which is the source with blanks for strings and comments. */
  readonly pattern: RegExp;
  /** What a match may become; null leaves it alone. */
  change(match: RegExpExecArray, code: string, source: string): string | Change | null;
}

/** One of `pairs` for the other, either way. */
function swap(
  name: string,
  pattern: RegExp,
  pairs: readonly (readonly [string, string])[],
): Operator {
  const both = new Map(pairs.flatMap(([a, b]) => [[a, b] as const, [b, a] as const]));
  return { name, pattern, change: ([text]) => both.get(text) ?? null };
}

/** -EPERM, which nothing here returns. */
const NO_ERRNO_HERE = "-1";

/** Another error of the same file, or one that cannot be. */
function otherErrno({ 0: text }: RegExpExecArray, code: string): string {
  const names = [...new Set(code.match(/-E[A-Z]+\b/g))];
  const at = names.indexOf(text);
  return names[at + 1] ?? (at > 0 ? names[0]! : NO_ERRNO_HERE);
}

/** The condition of an `if` or `while`, negated. */
function negated(match: RegExpExecArray, code: string, source: string): Change | null {
  const from = match.index + match[0].length - 1;
  let depth = 0;
  for (let i = from; i < code.length; i++) {
    if (code[i] === "(") depth++;
    else if (code[i] === ")" && --depth === 0) {
      return { from, to: i + 1, text: `(!${source.slice(from, i + 1)})` };
    }
  }
  return null;
}

/** Begin of a line that declares, returns or leads on: without it nothing would compile. */
const NEEDED =
  /^ *(?:(?:return .|throw|const|let|if|else|for|while|import|export|readonly|type|case)\b|[#}.])/;
const ACTS = /[\w\])](?:\(| (?:[-+|&]|>>>)?= |\+\+|--)|^ *(?:return|break|continue);/;

/** A statement that fills its line is dropped. */
function dropped({ 0: text, index }: RegExpExecArray, code: string): string | null {
  if (NEEDED.test(text) || !ACTS.test(text)) return null;
  const before = code.slice(0, index).trimEnd().at(-1) ?? "";
  return ";{}".includes(before) ? text.replace(/\S.*$/, ";") : null;
}

const OPERATORS: readonly Operator[] = [
  {
    name: "boundary",
    pattern: / (?:<|<=|>|>=) /g,
    change: ([text]) => (text.includes("=") ? text.replace("=", "") : `${text.trimEnd()}= `),
  },
  swap("equality", / [!=]== /g, [[" === ", " !== "]]),
  swap("logic", / (?:&&|\|\|) /g, [[" && ", " || "]]),
  swap("arithmetic", / [-+] /g, [[" + ", " - "]]),
  swap("bits", / [&|] (?!~|null|number|string|undefined|[A-Z][a-z])/g, [[" & ", " | "]]),
  swap("step", /\+\+|--/g, [["++", "--"]]),
  swap("assignment", / [-+]= /g, [[" += ", " -= "]]),
  swap("limit", /Math\.(?:min|max)\b/g, [["Math.min", "Math.max"]]),
  swap("truth", /\b(?:true|false)\b/g, [["true", "false"]]),
  { name: "negation", pattern: /(?<=[\s(])!(?=[\w(])/g, change: () => "" },
  {
    name: "constant",
    pattern: /(?<![\w.#$])\d[\d_]*(?![\w.])/g,
    change: ([text]) => String(Number(text.replaceAll("_", "")) + 1),
  },
  {
    name: "mask",
    pattern: /\b0x[\da-f]+\b/gi,
    change: ([text]) => `0x${(BigInt(text) ^ 1n).toString(16)}`,
  },
  { name: "errno", pattern: /-E[A-Z]+\b/g, change: otherErrno },
  { name: "condition", pattern: /\b(?:if|while) \(/g, change: negated },
  { name: "statement", pattern: /^ +[^\n]*;$/gm, change: dropped },
];

/**
 * Lines that only tell people (trace points, words of assertions) or only shape virtual time, name
 * types or import: no answer depends on them. What the kernel prints does count.
 */
const LEFT_ALONE =
  /\btracer\b|\bemit\(|\bsleep\(|\bcosts?\b|Ns\b|\bclock\b|^import\b|^export (?:interface|type)\b/;
const PRINTS = /\bemit\("printk"/;
/** Fields and methods of types: a union of literals may hold true, false and numbers. */
const TYPED = /^\s*(?:readonly )?\w+\??(?:\(.*\))?: [^=]*;$/;

/** Everything that can be changed in `source`, by operator. */
export function mutationsOf(source: string): Map<string, Mutation[]> {
  const code = blank(source, { strings: true });
  const found = new Map<string, Mutation[]>();
  for (const operator of OPERATORS) found.set(operator.name, sitesOf(operator, code, source));
  return found;
}

function sitesOf({ name, pattern, change }: Operator, code: string, source: string): Mutation[] {
  const sites: Mutation[] = [];
  for (const match of code.matchAll(pattern)) {
    const start = code.lastIndexOf("\n", match.index) + 1;
    const end = code.indexOf("\n", match.index + 1);
    const text = code.slice(start, end);
    const prints = PRINTS.test(source.slice(start, end));
    if ((LEFT_ALONE.test(text) && !prints) || TYPED.test(text)) continue;
    const changed = change(match, code, source);
    if (changed === null) continue;
    const whole = { from: match.index, to: match.index + match[0].length };
    const { from, to, ...rest } =
      typeof changed === "string" ? { ...whole, text: changed } : changed;
    const line = code.slice(0, match.index).split("\n").length;
    sites.push({ operator: name, line, from, to, before: source.slice(from, to), text: rest.text });
  }
  return sites;
}

export function applyMutation(source: string, { from, to, text }: Mutation): string {
  return source.slice(0, from) + text + source.slice(to);
}
