/** Every form a result can be shown in. */
import { UsageError } from "../base/errors.ts";
import type { RunResult } from "../run/result.ts";
import { csvReport } from "./csv.ts";
import { hgrmReport } from "./hgrm.ts";
import { htmlPolicyReport, htmlReport } from "./html-report.ts";
import { canonicalJson } from "./json.ts";
import { markdownReport } from "./markdown.ts";
import { matrixCsv, matrixMarkdown, matrixText } from "./matrix-text.ts";
import type { PolicyMatrix } from "./policy-matrix.ts";
import { PLAIN, type Style } from "./style.ts";
import { textReport } from "./text.ts";

export const FORMATS = ["text", "json", "html", "markdown", "csv", "hgrm"] as const;
export type Format = (typeof FORMATS)[number];

/** The whole of `result` in a form that ends with a newline; only text knows colours. */
export async function renderResult(
  result: RunResult,
  format: Format,
  style: Style = PLAIN,
): Promise<string> {
  switch (format) {
    case "text":
      return textReport(result, style);
    case "json":
      return canonicalJson(result);
    case "html":
      return await htmlReport(result);
    case "markdown":
      return markdownReport(result);
    case "csv":
      return csvReport(result);
    case "hgrm":
      return hgrmReport(result);
  }
}

/** The same of a comparison of policies; throws UsageError for what it has not. */
export async function renderMatrix(
  matrix: PolicyMatrix,
  format: Format,
  style: Style = PLAIN,
): Promise<string> {
  switch (format) {
    case "text":
      return matrixText(matrix, style);
    case "json":
      return canonicalJson(matrix);
    case "html":
      return await htmlPolicyReport(matrix);
    case "markdown":
      return matrixMarkdown(matrix);
    case "csv":
      return matrixCsv(matrix);
    case "hgrm":
      throw new UsageError("a comparison of policies has no histogram", {
        hint: "-o hgrm is for the result of a run",
      });
  }
}
