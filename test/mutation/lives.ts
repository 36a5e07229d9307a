/** Sequences of system calls that a mutated host has to survive with its books in order. */
import { expect, it } from "vitest";
import { describeFinding, fuzzSequences } from "../fuzz/ioctl-fuzz.ts";

it("no sequence of system calls, of two guests, breaks the host's books", () => {
  const finding = fuzzSequences(20_261_122, 300);
  expect(finding === null ? "" : describeFinding(finding)).toBe("");
});
