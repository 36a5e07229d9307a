/** Which changes a run tries: all sites of all sources, in an order that a seed decides. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Prng } from "../../src/base/prng.ts";
import { EQUIVALENTS, type Equivalent } from "./equivalents.ts";
import { applyMutation, type Mutation, mutationsOf } from "./operators.ts";

/** What is mutated unless told otherwise. */
export const MUTATED: readonly string[] = ["host/vfio", "host/irq"];

export interface Mutant extends Mutation {
  readonly file: string;
  /** The source lines that change, as they are and as they become. */
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

/** TypeScript files at or below `paths`, relative to `root`, ascending. */
export function sourcesUnder(root: string, paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    if (path.endsWith(".ts")) return [path];
    const names = readdirSync(join(root, path), { recursive: true, encoding: "utf8" });
    const sources = names.map((name) => `${path}/${name.replaceAll("\\", "/")}`);
    return sources.filter((name) => name.endsWith(".ts")).sort();
  });
}

/** The lines that `mutation` changes: whole ones, as a diff shows them. */
export function changedLines(
  source: string,
  mutation: Mutation,
): Pick<Mutant, "removed" | "added"> {
  const start = source.lastIndexOf("\n", mutation.from - 1) + 1;
  const at = source.indexOf("\n", mutation.to);
  const end = at < 0 ? source.length : at;
  const grown = mutation.text.length - (mutation.to - mutation.from);
  const lines = (text: string, to: number): string[] => text.slice(start, to).split("\n");
  return {
    removed: lines(source, end),
    added: lines(applyMutation(source, mutation), end + grown),
  };
}

/** Every change of `files`, by operator. */
export function allMutants(root: string, files: readonly string[]): Map<string, Mutant[]> {
  const byOperator = new Map<string, Mutant[]>();
  for (const file of files) {
    const source = readFileSync(join(root, file), "utf8");
    for (const [operator, sites] of mutationsOf(source)) {
      const all = byOperator.get(operator) ?? [];
      all.push(...sites.map((site) => ({ ...site, file, ...changedLines(source, site) })));
      byOperator.set(operator, all);
    }
  }
  return byOperator;
}

export function knownEquivalent({ file, removed, added }: Mutant): Equivalent | undefined {
  const words = (lines: readonly string[]): string => lines.map((line) => line.trim()).join(" ");
  return EQUIVALENTS.find((known) => {
    return known.file === file && known.before === words(removed) && known.after === words(added);
  });
}

/**
 * All mutants that are not known to change nothing, in an order that depends on the seed alone:
 * operators in turn, sites by chance.
 */
export function shuffledMutants(root: string, paths: readonly string[], seed: number): Mutant[] {
  const piles = [...allMutants(root, sourcesUnder(root, paths)).values()].map((pile) => {
    return pile.filter((mutant) => knownEquivalent(mutant) === undefined);
  });
  const random = Prng.stream(seed, "mutants");
  const mutants: Mutant[] = [];
  while (piles.some((pile) => pile.length > 0)) {
    for (const pile of piles) {
      if (pile.length > 0) mutants.push(...pile.splice(random.nextBelow(pile.length), 1));
    }
  }
  return mutants;
}
