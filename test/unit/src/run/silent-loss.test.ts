/** Warnings of vectors that a VMM was refused: a few guests by name, then how many more. */
import { expect, it } from "vitest";
import type { GuestOutcome } from "../../../../src/run/outcome.ts";
import { silentLossWarnings } from "../../../../src/run/silent-loss.ts";

/** A guest's outcome as far as its counters go. */
function outcome(counters: Record<string, number>): GuestOutcome {
  return { report: { counters }, dead: null, fates: [] } as unknown as GuestOutcome;
}

function texts(refusals: readonly number[]): string[] {
  const guests = refusals.map((_, i) => ({ name: `vm${i}` }));
  const outcomes = refusals.map((n) => outcome({ msix_errors: n }));
  return silentLossWarnings(guests, outcomes).map(({ text }) => text);
}

it("tells of each guest, if they are few", () => {
  expect(texts([0, 0])).toEqual([]);
  const [first, second, ...more] = texts([0, 1, 2]);
  expect(first).toContain("refused vectors to vm1's VMM once");
  expect(second).toContain("refused vectors to vm2's VMM 2 times");
  expect(more).toEqual([]);
});

it("tells of three, and how many more there are", () => {
  const told = texts([1, 1, 0, 1, 5, 6, 7]);
  expect(told.length).toBe(4);
  expect(told[3]).toBe("silent loss: so it went for 3 more guests, 18 times in all, vm4 to vm6");
});
