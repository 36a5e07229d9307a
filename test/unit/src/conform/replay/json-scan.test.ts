import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonErrorAt, valueAt } from "../../../../../src/conform/replay/json-scan.ts";

describe("the place of an error in JSON", () => {
  it.each([
    ["not json", 0],
    ['{"a":1', 6],
    ['{"a":1,}', 7],
    ['{"a" 1}', 5],
    ['{"a":1 "b":2}', 7],
    ['{"a":01}', 6],
    ['{"a":"b', 7],
    ['{"a":"\\x"}', 6],
    ['{"a":"\u0001"}', 6],
    ["[1,2", 4],
    ["[1,]", 3],
    ["{}}", 2],
    ["{} x", 3],
    ["", 0],
    ["  ", 2],
    ["{'a':1}", 1],
    ['{"a":undefined}', 5],
    ["[1 2]", 3],
  ])("%j is at %i", (text, at) => {
    expect(() => JSON.parse(text)).toThrow();
    expect(jsonErrorAt(text)).toBe(at);
  });

  it("is the end for all that JSON.parse takes, and for whatever is cut off it", () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), (text, cut) => {
        expect(jsonErrorAt(text)).toBe(text.length);
        const start = text.slice(0, cut % (text.length + 1));
        expect(jsonErrorAt(start)).toBeLessThanOrEqual(start.length);
      }),
    );
  });

  it("does not fear what is nested deeply, or long", () => {
    const deep = `${"[".repeat(100_000)}x`;
    expect(jsonErrorAt(deep)).toBe(100_000);
    expect(jsonErrorAt(`"${"a\\n".repeat(500_000)}`)).toBe(1_500_001);
  });
});

describe("the place of a value", () => {
  it("is that of the object's own key, not of others that look like it", () => {
    const text = ' {"x":{"a":1}, "b":"\\"a\\":2", "a" :  3}';
    expect(text.slice(valueAt(text, "a"))).toBe("3}");
    expect(valueAt(text, "none")).toBe(1);
    expect(text[valueAt(text, "x")]).toBe("{");
  });

  it("is where the value of each key of any object starts", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        const text = JSON.stringify(object);
        for (const [key, value] of Object.entries(JSON.parse(text) as object)) {
          const written = JSON.stringify(value);
          expect(text.slice(valueAt(text, key)).startsWith(written)).toBe(true);
        }
      }),
    );
  });
});
