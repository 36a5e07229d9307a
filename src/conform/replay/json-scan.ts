/** Places in a JSON text (RFC 8259), which JSON.parse does not tell: of an error, of a value. */

const BLANKS = /[ \t\n\r]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
/** Characters below have to be escaped. */
const FIRST_PRINTABLE = 0x20;
const LITERAL = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** The end of what `pattern` matches at `at`, or -1. */
function end(text: string, at: number, pattern: RegExp): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

function skipBlanks(text: string, at: number): number {
  return end(text, at, BLANKS);
}

/** The end of the string at `at`, or minus the index of what is wrong with it. */
function endOfString(text: string, start: number): number {
  if (text[start] !== '"') return -start;
  let at = start + 1;
  while (at < text.length && text[at] !== '"') {
    const after = text[at] === "\\" ? end(text, at, ESCAPE) : at + 1;
    if (after < 0 || text.charCodeAt(at) < FIRST_PRINTABLE) return -at;
    at = after;
  }
  return at < text.length ? at + 1 : -text.length;
}

/** What may come next: a value, one that a `]` may stand for, a key, an end or a comma. */
type Next = "value" | "value-or-end" | "key" | "key-or-end" | "more";

/** Index of the first character with which `text` is no JSON; its length if it only ends early. */
export function jsonErrorAt(text: string): number {
  const open: string[] = [];
  let next: Next = "value";
  let at = skipBlanks(text, 0);
  while (at < text.length) {
    const char = text[at]!;
    if (next === "more") {
      if (open.length === 0) return at;
      const close = open.at(-1) === "{" ? "}" : "]";
      if (char === close) open.pop();
      else if (char === ",") next = close === "}" ? "key" : "value";
      else return at;
      at = skipBlanks(text, at + 1);
      continue;
    }
    if ((next === "key-or-end" && char === "}") || (next === "value-or-end" && char === "]")) {
      open.pop();
      next = "more";
      at = skipBlanks(text, at + 1);
      continue;
    }
    if (next === "key" || next === "key-or-end") {
      const after = endOfString(text, at);
      if (after <= 0) return -after;
      at = skipBlanks(text, after);
      if (text[at] !== ":") return at;
      at = skipBlanks(text, at + 1);
      next = "value";
      continue;
    }
    if (char === "{" || char === "[") {
      open.push(char);
      next = char === "{" ? "key-or-end" : "value-or-end";
      at = skipBlanks(text, at + 1);
      continue;
    }
    const after = char === '"' ? endOfString(text, at) : end(text, at, LITERAL);
    if (after <= 0) return char === '"' ? -after : at;
    at = skipBlanks(text, after);
    next = "more";
  }
  return text.length;
}

/**
 * Index of the value that top-level `key` has in the object `text`, which is JSON; of the object
 * where there is no such key.
 */
export function valueAt(text: string, key: string): number {
  let depth = 0;
  let at = skipBlanks(text, 0);
  const start = at;
  while (at < text.length) {
    const char = text[at]!;
    if (char === "{" || char === "[") depth++;
    if (char === "}" || char === "]") depth--;
    if (char !== '"') {
      at++;
      continue;
    }
    const after = endOfString(text, at);
    const colon = skipBlanks(text, after);
    const isKey = depth === 1 && text[colon] === ":";
    if (isKey && JSON.parse(text.slice(at, after)) === key) return skipBlanks(text, colon + 1);
    at = after;
  }
  return start;
}
