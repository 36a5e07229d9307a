/** An error that ended a run, together with what the run had until then. */
import type { RunResult } from "./result.ts";

/** Thrown by `runScenario`; `error` stays the error it was (`InvariantError`, ...). */
export type BrokenRun = Error & { readonly partialResult: RunResult };

export function brokenRun(error: Error, partialResult: RunResult): BrokenRun {
  // Not enumerable: whoever prints the error wants to see the error.
  return Object.defineProperty(error, "partialResult", { value: partialResult }) as BrokenRun;
}

/** The result that came with an error, or null. */
export function partialResultOf(error: unknown): RunResult | null {
  return error instanceof Error && "partialResult" in error
    ? (error as BrokenRun).partialResult
    : null;
}
