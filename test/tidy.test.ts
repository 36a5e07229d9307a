/** The tree keeps its own rules; and the rules catch what they are for. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { describe, expect, it } from "vitest";
import { formatViolation, type SourceFile, tidyFile, tidyTopLevel } from "./support/tidy.ts";
import { NODE_MODULES } from "./support/tidy-layers.ts";

const ROOT = join(import.meta.dirname, "..");
const SKIPPED = new Set(["node_modules", "dist", "build", "coverage", "recordings"]);

function sources(top: string): SourceFile[] {
  const found: SourceFile[] = [];
  const walk = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory() && !SKIPPED.has(entry.name)) walk(path);
      if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
      const text = readFileSync(path, "utf8");
      found.push({ path: relative(ROOT, path).split(sep).join("/"), text });
    }
  };
  walk(join(ROOT, top));
  return found;
}

/** Rules that a file with this text breaks. */
function rules(path: string, text: string): string[] {
  return tidyFile({ path, text: `/** Purpose. */\n${text}` }).map(({ rule }) => rule);
}

describe("the tree", () => {
  const files = ["src", "host", "guest", "test"].flatMap(sources);

  it("was really looked at", () => {
    const count = (top: string): number =>
      files.filter(({ path }) => path.startsWith(`${top}/`)).length;
    expect(count("src")).toBeGreaterThan(60);
    expect(count("host")).toBeGreaterThan(20);
    expect(count("guest")).toBeGreaterThan(15);
    expect(count("test")).toBeGreaterThan(20);
  });

  it("breaks none of the rules", () => {
    expect(files.flatMap(tidyFile).map(formatViolation)).toEqual([]);
  });

  it("has nothing unexpected at the top level", () => {
    expect(tidyTopLevel(readdirSync(ROOT)).map(formatViolation)).toEqual([]);
  });

  it("has every single file that a rule makes an exception for", () => {
    const named = Object.values(NODE_MODULES).flat();
    const gone = named.filter((path) => path.endsWith(".ts") && !existsSync(join(ROOT, path)));
    expect(gone).toEqual([]);
  });
});

describe("layering", () => {
  it("lets a layer import those below it", () => {
    expect(rules("src/pci/msix.ts", 'import { X } from "../uapi/pci-regs.ts";')).toEqual([]);
    expect(rules("host/irq/vtd.ts", 'import { X } from "../../src/base/bitmap.ts";')).toEqual([]);
  });

  it("stops a layer from importing those above it", () => {
    expect(rules("src/base/x.ts", 'import { X } from "../time/clock.ts";')).toEqual(["layers"]);
    expect(rules("src/shm/x.ts", 'import { X } from "../wire/messages.ts";')).toEqual(["layers"]);
    expect(rules("src/time/x.ts", 'import {\n  X,\n} from "../trace/trace.ts";')).toEqual([
      "layers",
    ]);
  });

  it("keeps host and guest apart", () => {
    const text = 'import type { X } from "../../guest/vmm/types.ts";';
    expect(rules("host/vfio/x.ts", text)).toEqual(["layers"]);
    expect(rules("guest/vmm/x.ts", 'import { X } from "../../host/host.ts";')).toEqual(["layers"]);
  });

  it("keeps src from importing either side, dynamically too", () => {
    expect(rules("src/run/x.ts", 'import { X } from "../../host/host.ts";')).toEqual(["layers"]);
    expect(rules("src/run/x.ts", 'await import("../../guest/guest.ts");')).toEqual(["layers"]);
  });

  it("lets the sides see the contract as types, not as code", () => {
    const path = "../../src/run/contract.ts";
    expect(rules("host/irq/x.ts", `import type { X } from "${path}";`)).toEqual([]);
    expect(rules("host/irq/x.ts", `import { X } from "${path}";`)).toEqual(["layers"]);
  });

  it("keeps the product from importing its tests", () => {
    expect(rules("src/base/x.ts", 'import { X } from "../../test/support/x.ts";')).toEqual([
      "layers",
    ]);
  });

  it("knows every layer by name", () => {
    expect(rules("src/novel/x.ts", 'import { X } from "../base/bits.ts";')).toEqual(["layers"]);
  });

  it("gives packages and Node's modules to the layers that need them", () => {
    expect(rules("src/wire/x.ts", 'import { Packr } from "msgpackr";')).toEqual([]);
    expect(rules("host/irq/x.ts", 'import { Packr } from "msgpackr";')).toEqual(["package"]);
    expect(rules("src/cli/x.ts", 'import { readFileSync } from "node:fs";')).toEqual([]);
    expect(rules("src/run/x.ts", 'import { readFileSync } from "node:fs";')).toEqual(["fs"]);
    expect(rules("host/irq/x.ts", 'import { cpus } from "node:os";')).toEqual(["node-module"]);
  });

  it("wants suffixes and allows one barrel", () => {
    expect(rules("src/base/x.ts", 'import { X } from "./bits";')).toEqual(["suffix"]);
    expect(rules("src/base/x.ts", 'export { X } from "./bits.ts";')).toEqual(["barrel"]);
    expect(rules("src/index.ts", 'export { X } from "./base/bits.ts";')).toEqual([]);
  });
});

describe("sizes", () => {
  it("limits the length of files, lines and functions", () => {
    expect(rules("src/base/x.ts", "\n".repeat(400))).toEqual(["file-length"]);
    expect(rules("src/base/x.ts", `// ${"x".repeat(98)}`)).toEqual(["line-length"]);
    const body = "  f();\n".repeat(69);
    expect(rules("src/base/x.ts", `function f(): void {\n${body}}\n`)).toEqual(["function-length"]);
    expect(rules("src/base/x.ts", `function f(): void {\n${body.slice(7)}}\n`)).toEqual([]);
  });

  it("sees methods, generators and arrow functions, however their parameters are broken", () => {
    const body = "    f();\n".repeat(70);
    const inside = (head: string): string[] =>
      rules("src/base/x.ts", `class C {\n  x = 1;\n  ${head} {\n${body}  }\n}\n`);
    expect(inside("f(a: number): number")).toEqual(["function-length"]);
    expect(inside("*#run(\n    a: number,\n  ): Process<number>")).toEqual(["function-length"]);
    expect(inside("run = (a: () => void): void =>")).toEqual(["function-length"]);
  });

  it("does not take long classes, tables and suites for functions", () => {
    const body = "  x: 1,\n".repeat(90);
    expect(rules("src/base/x.ts", `class C {\n${body}}\n`)).toEqual([]);
    expect(rules("src/base/x.ts", `const table = {\n${body}};\n`)).toEqual([]);
    expect(rules("test/unit/x.test.ts", `describe("x", () => {\n${body}});\n`)).toEqual([]);
  });
});

describe("words", () => {
  it("keeps clocks, randomness and timers where they belong", () => {
    expect(rules("host/irq/x.ts", "const t = Date.now();")).toEqual(["clock"]);
    expect(rules("host/irq/x.ts", "const t = new Date();")).toEqual(["clock"]);
    expect(rules("guest/vmm/x.ts", "const t = performance.now();")).toEqual(["clock"]);
    expect(rules("src/run/x.ts", "const t = process.hrtime();")).toEqual(["clock"]);
    expect(rules("src/time/x.ts", "const t = performance.now();")).toEqual([]);
    expect(rules("src/measure/x.ts", "const r = Math.random();")).toEqual(["randomness"]);
    expect(rules("guest/driver/x.ts", "setTimeout(f, 1);")).toEqual(["timer"]);
  });

  it("keeps shared memory in src/shm, but for its types", () => {
    expect(rules("src/run/x.ts", "Atomics.load(words, 0);")).toEqual(["shared memory"]);
    expect(rules("src/run/x.ts", "new SharedArrayBuffer(8);")).toEqual(["shared memory"]);
    expect(rules("src/run/x.ts", "let memory: SharedArrayBuffer;")).toEqual([]);
    expect(rules("src/shm/x.ts", "Atomics.load(words, 0);")).toEqual([]);
  });

  it("reads code, not comments, strings and regular expressions", () => {
    expect(rules("host/x.ts", "// not Date.now()\n/* Math.random() */")).toEqual([]);
    expect(rules("host/x.ts", 'const a = "Math.random()" + `Date.now() $x`;')).toEqual([]);
    expect(rules("host/x.ts", 'const a = /Math.random()"/.test(b);')).toEqual([]);
    expect(rules("host/x.ts", `const a = \`\${Date.now()} \${{ a: 1 }.a}\`;`)).toEqual(["clock"]);
    expect(rules("host/x.ts", 'const a = b / c; const d = "/"; Date.now();')).toEqual(["clock"]);
  });

  it("has no console, default exports, enums, namespaces or open ends", () => {
    expect(rules("src/cli/x.ts", "console.log(1);")).toEqual(["console"]);
    expect(rules("src/base/x.ts", "export default class {}")).toEqual(["default-export"]);
    expect(rules("src/base/x.ts", "export const enum E { A }")).toEqual(["enum"]);
    expect(rules("src/base/x.ts", "namespace N {}")).toEqual(["namespace"]);
    expect(rules("src/base/x.ts", `// ${"TO"}DO later`)).toEqual(["todo"]);
  });

  it("wants kebab-case names and a purpose at the top of each file", () => {
    expect(rules("src/base/myFile.ts", "")).toEqual(["file-name"]);
    expect(tidyFile({ path: "src/base/x.ts", text: "export {};\n" })[0]!.rule).toBe("header");
    expect(tidyFile({ path: "src/x/main.ts", text: "#!/usr/bin/env node\n/** P. */\n" })).toEqual(
      [],
    );
  });

  it("names the line", () => {
    const [violation] = tidyFile({ path: "host/x.ts", text: "/** P. */\n\nDate.now();\n" });
    expect(formatViolation(violation!)).toBe(
      "host/x.ts:3: clock: Date.now: take a Clock of src/time",
    );
  });
});

it("an unexpected top-level entry is found, generated ones are not minded", () => {
  expect(tidyTopLevel(["src", "node_modules", "notes.md"]).map(({ path }) => path)).toEqual([
    "notes.md",
  ]);
});
