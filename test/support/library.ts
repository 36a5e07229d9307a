/** Scenarios of the library under test: they hold, and they do not without what they are about. */
import { describe, expect, test } from "vitest";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { loadScenario } from "../../src/scenario/loader.ts";

export async function runLibrary(name: string, set: readonly string[] = []): Promise<RunResult> {
  return runScenario(loadScenario(name, { engine: "virtual", set }), { engine: "virtual" });
}

/** Texts of the expectations that failed. */
export function failed({ expectations }: RunResult): string[] {
  return expectations.filter(({ ok }) => ok === false).map(({ text }) => text);
}

export interface Removal {
  /** Why there is no cause any more: `with ...` or `without ...`. */
  readonly cause: string;
  readonly set: readonly string[];
  /** The expectations that fail then; others may fail as well. */
  readonly fails: readonly string[];
}

export interface SuiteOptions {
  /** More tests of the same scenario. */
  readonly more?: () => void;
  /** In all runs: what makes a long scenario short enough for a test. */
  readonly set?: readonly string[];
}

/**
 * A scenario whose expectations hold, and fail once its cause is removed. Every interrupt is
 * accounted for in all of these runs, and no VM process outlives the run with an irq.
 */
export function suite(
  name: string,
  removals: readonly Removal[],
  { more, set: always = [] }: SuiteOptions = {},
): void {
  describe(name, () => {
    test("its expectations hold", async () => {
      const result = await runLibrary(name, always);
      expect(failed(result)).toEqual([]);
      expect(result.expectations.length).toBeGreaterThan(0);
      expect(result.expectations.every(({ ok }) => ok === true)).toBe(true);
      expect(result.ledger.violations).toEqual([]);
      expect(result.partial).toBe(null);
    });

    for (const { cause, set, fails } of removals) {
      test(`they fail ${cause}`, async () => {
        const result = await runLibrary(name, [...always, ...set]);
        expect(failed(result)).toEqual(expect.arrayContaining([...fails]));
        expect(result.ledger.violations).toEqual([]);
      });
    }

    more?.();
  });
}
