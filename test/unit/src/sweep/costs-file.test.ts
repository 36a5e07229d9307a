/** --costs FILE: what is wrong is told with its place and what to do. */
import { describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { parseCosts } from "../../../../src/sweep/costs-file.ts";

function errorOf(text: string): string {
  try {
    parseCosts(text, "costs.yaml");
  } catch (error) {
    if (error instanceof UsageError) return error.format();
    throw error;
  }
  return "";
}

describe("a file of costs", () => {
  it("is YAML or JSON, with units", () => {
    const costs = { irqAlloc: 3000, syscall: 0, deviceReset: 1e8 };
    expect(parseCosts("irqAlloc: 3us\nsyscall: 0ns\ndeviceReset: 100ms\n", "f")).toEqual(costs);
    const json = '{ "irqAlloc": "3us", "syscall": "0ns", "deviceReset": "100ms" }';
    expect(parseCosts(json, "f")).toEqual(costs);
  });

  it.each([
    ["", "costs.yaml: has no costs in it", "write one cost a line: irqAlloc: 3us"],
    ["# none yet\n", "costs.yaml: has no costs in it", "write one cost a line"],
    ["[irqAlloc]", "costs.yaml: is no mapping of costs to times", "write one cost a line"],
    ["syscall: 1us\nirqAlocc: 3us", "costs.yaml:2:1: there is no cost irqAlocc", "did you mean"],
    ["costs: { irqAlloc: 3us }", "costs.yaml:1:1: there is no cost costs", "the costs themselves"],
    ["irqAlloc: 3 parsecs", 'costs.yaml:1:11: "3 parsecs" is not a duration', "such as 3us"],
    ["irqAlloc: -3us", 'costs.yaml:1:11: "-3us" is not a duration', "one of ns, us, ms, s"],
    ["irqAlloc: 3", "costs.yaml:1:11: a cost needs a unit", "such as 3ns or 3us"],
    ["irqAlloc:", "costs.yaml:1:10: a cost needs a unit", "write a duration"],
    ["irqAlloc: 1000s", "costs.yaml:1:11: 1000s is too long for a cost", "at most 1s"],
    ["irqAlloc: 3us\nirqAlloc: 4us", "costs.yaml:2:1: not YAML", "keep one of the two"],
  ])("that says %j is refused, with place and remedy", (text, message, hint) => {
    const error = errorOf(text);
    expect(error).toContain(message);
    expect(error).toContain(hint);
  });
});
