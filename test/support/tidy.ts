/** The tidy rules: from files in memory to violations in words. */
import { posix } from "node:path";
import {
  LAYERS,
  NODE_MODULES,
  PACKAGES,
  TOP_LEVEL,
  TOP_LEVEL_IGNORED,
  TYPE_LAYERS,
  WORDS,
} from "./tidy-layers.ts";
import { blank, functionsOf, type ImportLine, importsOf, lineOf } from "./tidy-source.ts";

export const FILE_LINES_MAX = 400;
export const FUNCTION_LINES_MAX = 70;
export const LINE_COLUMNS_MAX = 100;

export interface SourceFile {
  /** From the top level, with slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Violation {
  readonly rule: string;
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

type Report = (rule: string, line: number, message: string) => void;

/** `host`, `guest`, their `worker`, `index`, or the folder below src; undefined for tests. */
export function layerOf(path: string): string | undefined {
  if (path === "host/worker.ts" || path === "guest/worker.ts") return "worker";
  const [top, below] = path.split("/");
  if (top === "host" || top === "guest") return top;
  if (top !== "src") return undefined;
  return below === "index.ts" ? "index" : below;
}

/** All violations of one TypeScript file, in the order of the rules. */
export function tidyFile(file: SourceFile): Violation[] {
  const found: Violation[] = [];
  const report: Report = (rule, line, message) =>
    found.push({ rule, path: file.path, line, message });
  checkSizes(file, report);
  checkName(file, report);
  if (layerOf(file.path) === undefined) return found;
  checkHeader(file, report);
  checkImports(file, report);
  checkWords(file, report);
  checkSyntax(file, report);
  return found;
}

function checkSizes({ text, path }: SourceFile, report: Report): void {
  const lines = text.split("\n");
  const count = lines.at(-1) === "" ? lines.length - 1 : lines.length;
  if (count > FILE_LINES_MAX) {
    report("file-length", count, `${count} lines, at most ${FILE_LINES_MAX}: split it`);
  }
  lines.forEach((line, i) => {
    if (line.length <= LINE_COLUMNS_MAX) return;
    report("line-length", i + 1, `${line.length} columns, at most ${LINE_COLUMNS_MAX}`);
  });
  const isTest = path.endsWith(".test.ts");
  for (const { line, lines: length, callee } of functionsOf(text)) {
    // A suite is a list of tests, however long.
    if (isTest && /^describe\b/.test(callee)) continue;
    if (length <= FUNCTION_LINES_MAX) continue;
    report("function-length", line, `${length} lines, at most ${FUNCTION_LINES_MAX}: split it`);
  }
}

function checkName({ path }: SourceFile, report: Report): void {
  const name = posix.basename(path);
  if (/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|config|d))?\.ts$/.test(name)) return;
  report("file-name", 1, `${name} is not kebab-case`);
}

function checkHeader({ text }: SourceFile, report: Report): void {
  if (/^(?:#![^\n]*\n)?\/\*\*/.test(text)) return;
  report("header", 1, "the file does not open with its purpose in a /** */ comment");
}

function checkImports(file: SourceFile, report: Report): void {
  for (const line of importsOf(file.text)) {
    if (line.reexport && file.path !== "src/index.ts") {
      report("barrel", line.line, `re-exports ${line.specifier}: only src/index.ts may`);
    }
    if (line.specifier.startsWith(".")) checkRelative(file, line, report);
    else if (line.specifier.startsWith("node:")) checkNodeModule(file, line, report);
    else checkPackage(file, line, report);
  }
}

function checkRelative({ path }: SourceFile, found: ImportLine, report: Report): void {
  const { specifier, line, typeOnly } = found;
  if (!specifier.endsWith(".ts")) report("suffix", line, `${specifier} lacks its .ts suffix`);
  const from = layerOf(path)!;
  const target = posix.join(posix.dirname(path), specifier);
  const to = layerOf(target);
  if (to === from) return;
  if (to === undefined) {
    report("layers", line, `${from} imports ${target}, which is not part of the product`);
    return;
  }
  const allowed = LAYERS[from];
  if (allowed === undefined) {
    report("layers", line, `layer ${from} is unknown: add it to the table`);
    return;
  }
  if (allowed.includes(to) || (typeOnly && TYPE_LAYERS[from]?.includes(to))) return;
  const how = typeOnly ? "imports types of" : "imports";
  report("layers", line, `${from} ${how} ${to} (${target}), which it must not know`);
}

function checkNodeModule(
  { path }: SourceFile,
  { specifier, line }: ImportLine,
  report: Report,
): void {
  const places = NODE_MODULES[specifier];
  if (places?.some((place) => path.startsWith(place))) return;
  const rule = specifier.startsWith("node:fs") ? "fs" : "node-module";
  report(rule, line, `${specifier} may be used in ${places?.join(", ") ?? "no place"} only`);
}

function checkPackage({ path }: SourceFile, { specifier, line }: ImportLine, report: Report): void {
  const name = Object.keys(PACKAGES).find(
    (known) => specifier === known || specifier.startsWith(`${known}/`),
  );
  const layer = layerOf(path)!;
  if (name !== undefined && PACKAGES[name]!.includes(layer)) return;
  report("package", line, `${layer} may not use the package ${specifier}`);
}

function checkWords({ path, text }: SourceFile, report: Report): void {
  const code = blank(text, { strings: true });
  for (const { name, pattern, allowed, advice } of WORDS) {
    if (allowed.some((place) => path.startsWith(place))) continue;
    for (const match of code.matchAll(new RegExp(pattern, "g"))) {
      report(name, lineOf(code, match.index), `${match[0].trim()}: ${advice}`);
    }
  }
}

const SYNTAX: readonly { rule: string; pattern: RegExp; message: string }[] = [
  { rule: "default-export", pattern: /^\s*export\s+default\b/gm, message: "name the export" },
  {
    rule: "enum",
    pattern: /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w/gm,
    message: "use a const object or a union",
  },
  {
    rule: "namespace",
    pattern: /^\s*(?:export\s+)?(?:declare\s+)?(?:namespace|module)\s+[\w.]+\s*\{/gm,
    message: "use a file",
  },
];

function checkSyntax({ text }: SourceFile, report: Report): void {
  const code = blank(text, { strings: true });
  for (const { rule, pattern, message } of SYNTAX) {
    for (const match of code.matchAll(pattern)) {
      report(rule, lineOf(code, match.index + match[0].length), message);
    }
  }
  const todo = /\b(?:TODO|FIXME|XXX)\b/.exec(text);
  if (todo !== null) report("todo", lineOf(text, todo.index), `${todo[0]}: do it or drop it`);
}

/** Entries of the top level that nobody expects there. */
export function tidyTopLevel(entries: readonly string[]): Violation[] {
  return entries
    .filter((entry) => !TOP_LEVEL.includes(entry) && !TOP_LEVEL_IGNORED.includes(entry))
    .filter((entry) => !entry.endsWith(".tgz"))
    .map((entry) => ({
      rule: "top-level",
      path: entry,
      line: 1,
      message: "the top level is fixed: find it a place below",
    }));
}

/** `src/base/x.ts:12: line-length: ...`. */
export function formatViolation({ path, line, rule, message }: Violation): string {
  return `${path}:${line}: ${rule}: ${message}`;
}
