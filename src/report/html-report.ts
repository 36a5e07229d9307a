/** Pages for browsers. What draws them is loaded only when one is wanted. */
import type { RunResult } from "../run/result.ts";

/** A run as one self-contained HTML file: no network, no scripts, light, dark and on paper. */
export async function htmlReport(result: RunResult): Promise<string> {
  const { runPage } = await import("./html/run-page.ts");
  return runPage(result);
}
