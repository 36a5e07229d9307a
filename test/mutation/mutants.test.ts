import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { EQUIVALENTS } from "./equivalents.ts";
import {
  allMutants,
  changedLines,
  knownEquivalent,
  MUTATED,
  shuffledMutants,
  sourcesUnder,
} from "./mutants.ts";
import { applyMutation, mutationsOf } from "./operators.ts";
import { byDistance } from "./order.ts";

const ROOT = join(import.meta.dirname, "../..");

describe("the mutants of a run", () => {
  it("are the same for the same seed, and others for another one", () => {
    const names = (seed: number) =>
      shuffledMutants(ROOT, ["host/irq/vtd.ts"], seed).map(({ from, text }) => `${from} ${text}`);
    expect(names(1)).toEqual(names(1));
    expect(names(2)).not.toEqual(names(1));
    expect([...names(2)].sort()).toEqual([...names(1)].sort());
  });

  it("come from every source of the folders, each with a place and what changes there", () => {
    const files = sourcesUnder(ROOT, MUTATED);
    expect(files.length).toBeGreaterThan(35);
    const mutants = [...allMutants(ROOT, files).values()].flat();
    expect(mutants.length).toBeGreaterThan(2000);
    for (const { removed, added, line } of mutants) {
      expect(line).toBeGreaterThan(1);
      expect(added).not.toEqual(removed);
    }
  });

  it("leave out what is known to change nothing; nothing known is about code that has gone", () => {
    const mutants = [...allMutants(ROOT, sourcesUnder(ROOT, MUTATED)).values()].flat();
    const met = new Set(mutants.map(knownEquivalent));
    expect(EQUIVALENTS.filter((known) => !met.has(known))).toEqual([]);
    const tried = shuffledMutants(ROOT, MUTATED, 1);
    expect(tried.filter((mutant) => knownEquivalent(mutant) !== undefined)).toEqual([]);
    expect(tried.length).toBeLessThan(mutants.length);
  });
});

it("a change is shown as the whole lines it is in", () => {
  const source = "first;\nif (\n  a < b\n) {}\nlast;\n";
  const [negated] = mutationsOf(source).get("condition")!;
  expect(changedLines(source, negated!)).toEqual({
    removed: ["if (", "  a < b", ") {}"],
    added: ["if (!(", "  a < b", ")) {}"],
  });
  expect(applyMutation(source, negated!)).toBe("first;\nif (!(\n  a < b\n)) {}\nlast;\n");
});

it("tests run from the one that mirrors the source to the recordings", () => {
  const tests = [
    "test/mutation/recordings.ts",
    "test/property/irq.test.ts",
    "test/unit/host/vfio/config.test.ts",
    "test/unit/host/irq/vtd.test.ts",
    "test/unit/host/irq/amd-vi.test.ts",
    "test/unit/host/irq/pool-vtd.test.ts",
  ];
  expect(byDistance(tests, "host/irq/vtd.ts")).toEqual([
    "test/unit/host/irq/vtd.test.ts",
    "test/unit/host/irq/pool-vtd.test.ts",
    "test/unit/host/irq/amd-vi.test.ts",
    "test/unit/host/vfio/config.test.ts",
    "test/property/irq.test.ts",
    "test/mutation/recordings.ts",
  ]);
});
