/** JSON that is the same for the same result. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "../../../../src/report/json.ts";
import { SAMPLE } from "../../../support/sample-result.ts";

describe("canonical JSON", () => {
  it("puts the schema first, sorts other keys and ends with a line break", () => {
    expect(canonicalJson({ b: 1, a: { d: [], c: {} }, schema: "x/1" })).toBe(
      '{ "schema": "x/1", "a": { "c": {}, "d": [] }, "b": 1 }\n',
    );
    expect(canonicalJson(SAMPLE)).toMatch(/^\{\n {2}"schema": "vfio-cosim\/run\/1",\n/);
  });

  it("does not depend on the order in which keys were made", () => {
    const { schema, latency, ...rest } = SAMPLE;
    expect(canonicalJson({ latency, ...rest, schema })).toBe(canonicalJson(SAMPLE));
  });

  it("says the same as plain JSON, whatever it is", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { seed: 1 },
    );
  });

  it("fills lines with numbers", () => {
    const numbers = Array.from({ length: 60 }, (_, i) => i * 1000);
    const text = canonicalJson({ a: numbers });
    const lines = text.split("\n");
    expect(JSON.parse(text)).toEqual({ a: numbers });
    expect(lines[2]).toMatch(/^ {4}0, 1000, 2000, .*,$/);
    expect(lines.length).toBeLessThan(12);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(100);
  });

  it("keeps short things on a line and breaks long ones", () => {
    const lines = canonicalJson({ a: Array.from({ length: 40 }, (_, i) => ({ at: i })) }).split(
      "\n",
    );
    expect(lines[2]).toBe('    { "at": 0 },');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(100);
  });
});
