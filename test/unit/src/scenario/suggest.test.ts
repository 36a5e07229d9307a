/** Hints for slips of the keyboard. */
import { describe, expect, it } from "vitest";
import { didYouMean, editDistance, suggest } from "../../../../src/scenario/suggest.ts";

describe("suggestions", () => {
  it("count insertions, deletions, replacements and swaps as one each", () => {
    expect(editDistance("rate", "rates")).toBe(1);
    expect(editDistance("rate", "ate")).toBe(1);
    expect(editDistance("rate", "rave")).toBe(1);
    expect(editDistance("rate", "rtae")).toBe(1);
    expect(editDistance("", "abc")).toBe(3);
  });

  it("offer the nearest word if it is near", () => {
    expect(suggest("exepct", ["expect", "exit"])).toBe("expect");
    expect(suggest("VCPUS", ["vcpus"])).toBe("vcpus");
    expect(suggest("banana", ["expect", "exit"])).toBeUndefined();
  });

  it("list what there is if nothing is near", () => {
    expect(didYouMean("banana", ["a", "b"])).toBe("known: a, b");
    expect(didYouMean("banana", [])).toBeUndefined();
  });
});
