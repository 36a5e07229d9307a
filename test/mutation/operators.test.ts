import { describe, expect, it } from "vitest";
import { applyMutation, mutationsOf } from "./operators.ts";

/** What `source` can become by one operator. */
function become(operator: string, source: string): string[] {
  const sites = mutationsOf(source).get(operator)!;
  return sites.map((site) => applyMutation(source, site));
}

describe("mutations", () => {
  it.each([
    ["boundary", "if (a < b) {}", ["if (a <= b) {}"]],
    ["boundary", "return a >= b;", ["return a > b;"]],
    ["equality", "return a === b;", ["return a !== b;"]],
    ["logic", "return a && b || c;", ["return a || b || c;", "return a && b && c;"]],
    ["arithmetic", "f(a + 1);", ["f(a - 1);"]],
    ["bits", "f(FLAG_A | FLAG_B);", ["f(FLAG_A & FLAG_B);"]],
    ["step", "n++;", ["n--;"]],
    ["assignment", "n += 2;", ["n -= 2;"]],
    ["limit", "return Math.min(a, b);", ["return Math.max(a, b);"]],
    ["truth", "return false;", ["return true;"]],
    ["negation", "if (!f(a!)) {}", ["if (f(a!)) {}"]],
    ["mask", "f(a & 0xff);", ["f(a & 0xfe);"]],
    ["statement", '{\n  tracer.emit("printk", { text });\n}', ["{\n  ;\n}"]],
    ["constant", "f(4_096);", ["f(4097);"]],
    ["errno", "x = -EBUSY; return -EINVAL;", ["x = -EINVAL; return -EINVAL;"]],
    ["condition", "if (f(a)) {}", ["if (!(f(a))) {}"]],
    ["statement", "{\n  this.#n = 1;\n}", ["{\n  ;\n}"]],
    ["statement", "{\n  yield* step();\n}", ["{\n  ;\n}"]],
    ["statement", "{\n  return;\n}", ["{\n  ;\n}"]],
  ])("%s of %s", (operator, source, expected) => {
    expect(become(operator, source)).toEqual(expect.arrayContaining(expected));
  });

  it("leave comments, strings, types, imports and traces alone", () => {
    const source = [
      "// a < b + 1",
      'const text = "a < b && 7";',
      'import { EINVAL } from "../x1.ts";',
      "  readonly kind: true | 1;",
      "  f(x: number | null): Promise<void>;",
      '    tracer.emit("point", { a: 1 + 1 });',
      "    yield* sleep(2 * n);",
    ].join("\n");
    const all = [...mutationsOf(source).values()].flat();
    expect(all.map(({ line, operator }) => `${line} ${operator}`)).toEqual([]);
  });

  it("keep what a declaration, a block's end or a broken line needs", () => {
    const source = "{\n  const a = f();\n  return a;\n  g(\n    a = 1,\n  );\n  .then(b);\n}";
    expect(become("statement", source)).toEqual([]);
  });
});
