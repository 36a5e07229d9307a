/** Just enough of a TypeScript scanner for the tidy rules: strings, imports, functions. */

/** One import or re-export. */
export interface ImportLine {
  readonly line: number;
  readonly specifier: string;
  /** Erased by the compiler: `import type`. */
  readonly typeOnly: boolean;
  /** `export ... from`. */
  readonly reexport: boolean;
  /** `import(...)` in code; not the type of the same form. */
  readonly dynamic: boolean;
}

export interface FunctionSpan {
  readonly line: number;
  readonly lines: number;
  readonly header: string;
  /** Of a function that is an argument: what is called with it, else "". */
  readonly callee: string;
}

/** After these a slash begins a regular expression. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|yield|await))\s*$/;

/** `source` with comments, and on demand strings, replaced by blanks; line breaks stay. */
export function blank(source: string, what: { strings: boolean }): string {
  const out: string[] = [];
  const keep = (text: string): void => void out.push(text);
  const drop = (text: string): void => void out.push(text.replace(/[^\n]/g, " "));
  /** Depth of braces inside each template expression that is open. */
  const templates: number[] = [];
  let at = 0;
  const take = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0] ?? source[at]!;
    at += text.length;
    return text;
  };
  const template = (): void => {
    const text = take(/[`}](?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{|$)/y);
    if (text.endsWith("${")) templates.push(0);
    (what.strings ? drop : keep)(text);
  };
  while (at < source.length) {
    const two = source.slice(at, at + 2);
    const char = source[at]!;
    if (two === "//") drop(take(/\/\/[^\n]*/y));
    else if (two === "/*") drop(take(/\/\*[\s\S]*?(?:\*\/|$)/y));
    else if (char === '"' || char === "'") {
      const text = take(char === '"' ? /"(?:[^"\\\n]|\\[\s\S])*"?/y : /'(?:[^'\\\n]|\\[\s\S])*'?/y);
      (what.strings ? drop : keep)(text);
    } else if (char === "`") template();
    else if (char === "}" && templates.at(-1) === 0) {
      templates.pop();
      template();
    } else if (char === "/" && BEFORE_REGEX.test(out.slice(-40).join("").slice(-40))) {
      const text = take(/\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y);
      (what.strings ? drop : keep)(text);
    } else {
      if (templates.length > 0 && char === "{") templates[templates.length - 1]!++;
      if (templates.length > 0 && char === "}") templates[templates.length - 1]!--;
      keep(char);
      at++;
    }
  }
  return out.join("");
}

export function lineOf(source: string, offset: number): number {
  return source.slice(0, offset).split("\n").length;
}

const STATIC_IMPORT =
  /^[ \t]*(import|export)\b(\s+type\b)?(?:[^;"'()=]*?\bfrom)?\s*["']([^"'\n]+)["']/gm;
const DYNAMIC_IMPORT = /\bimport\s*\(\s*["']([^"'\n]+)["']\s*\)(\s*\.\s*[A-Z])?/g;

export function importsOf(source: string): ImportLine[] {
  const code = blank(source, { strings: false });
  const found: ImportLine[] = [];
  for (const match of code.matchAll(STATIC_IMPORT)) {
    found.push({
      line: lineOf(code, match.index + match[0].length),
      specifier: match[3]!,
      typeOnly: match[2] !== undefined,
      reexport: match[1] === "export",
      dynamic: false,
    });
  }
  for (const match of code.matchAll(DYNAMIC_IMPORT)) {
    const typeOnly = match[2] !== undefined;
    const line = lineOf(code, match.index);
    found.push({ line, specifier: match[1]!, typeOnly, reexport: false, dynamic: !typeOnly });
  }
  return found;
}

const NOT_A_FUNCTION =
  /^(?:export\s+)?(?:if|for|while|switch|catch|else|do|try|abstract|class|interface|return|type)\b/;

/** Functions, methods and arrow functions with a block body. */
export function functionsOf(source: string): FunctionSpan[] {
  const code = blank(source, { strings: true });
  const spans: FunctionSpan[] = [];
  for (let open = code.indexOf("{"); open >= 0; open = code.indexOf("{", open + 1)) {
    const header = headerBefore(code, open);
    const arrow = /=>\s*$/.test(header);
    const called = /\)\s*(?::[^=]*)?$/.test(header) && !NOT_A_FUNCTION.test(header);
    if (!arrow && !called) continue;
    const close = matching(code, open);
    const from = open - header.length;
    const first = lineOf(code, from);
    const callee = /([\w.]+)\s*\(\s*$/.exec(code.slice(Math.max(0, from - 200), from))?.[1] ?? "";
    spans.push({ line: first, lines: lineOf(code, close) - first + 1, header, callee });
  }
  return spans;
}

/** Text from the statement's begin to the brace at `open`. */
function headerBefore(code: string, open: number): string {
  let depth = 0;
  let from = open;
  while (from > 0) {
    const char = code[from - 1]!;
    if (char === ")" || char === "]") depth++;
    else if (char === "(" || char === "[") depth--;
    if (depth < 0 || (depth === 0 && /[;{}]/.test(char))) break;
    from--;
  }
  return code.slice(from, open).trimStart();
}

function matching(code: string, open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i++) {
    if (code[i] === "{") depth++;
    else if (code[i] === "}" && --depth === 0) return i;
  }
  return code.length - 1;
}
