/** Which test files a mutant meets first: those that are likeliest to notice it, then the rest. */
import { basename, dirname } from "node:path";

/** 0 for the unit test that mirrors `source`, more for those that are further away from it. */
export function distance(test: string, source: string): number {
  if (test === `test/unit/${source.replace(/\.ts$/, ".test.ts")}`) return 0;
  const sameFolder = dirname(test) === `test/unit/${dirname(source)}`;
  const topic = basename(source, ".ts");
  if (sameFolder && basename(test).includes(topic)) return 1;
  if (sameFolder) return 2;
  if (test.startsWith("test/unit/")) return 3;
  return test.startsWith("test/property/") ? 4 : 5;
}

/** `tests` from near to far; equals by name, so that the order is always the same. */
export function byDistance(tests: readonly string[], source: string): string[] {
  return [...tests].sort((a, b) => {
    return distance(a, source) - distance(b, source) || (a < b ? -1 : 1);
  });
}
