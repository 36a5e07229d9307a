/** Pages for browsers. What draws them is loaded only when one is wanted. */
import type { RunResult } from "../run/result.ts";
import type { Comparison } from "./comparison.ts";
import type { ComparedRuns } from "./html/compare-page.ts";
import type { PolicyMatrix } from "./policy-matrix.ts";

/** A run as one self-contained HTML file: no network, no scripts, light, dark and on paper. */
export async function htmlReport(result: RunResult): Promise<string> {
  const { runPage } = await import("./html/run-page.ts");
  return runPage(result);
}

/** The same of a comparison of policies, with heat maps. */
export async function htmlPolicyReport(matrix: PolicyMatrix): Promise<string> {
  const { matrixPage } = await import("./html/matrix-page.ts");
  return matrixPage(matrix);
}

/** The same of two results side by side. */
export async function htmlComparison(comparison: Comparison, runs: ComparedRuns): Promise<string> {
  const { comparePage } = await import("./html/compare-page.ts");
  return comparePage(comparison, runs);
}
