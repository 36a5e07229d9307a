/** Every form a latency measurement can be shown in. */
import { UsageError } from "../base/errors.ts";
import { hgrmText } from "../measure/hdr-format.ts";
import { LatencyHistogram } from "../measure/histogram.ts";
import type { Format } from "../report/formats.ts";
import { canonicalJson } from "../report/json.ts";
import { PLAIN, type Style } from "../report/style.ts";
import { measurementCsv } from "./csv.ts";
import { measurementMarkdown } from "./markdown.ts";
import type { LatencyMeasurement } from "./measurement.ts";
import { measurementText } from "./text.ts";

/** The measurement as text that ends with a newline; throws UsageError for what it has not. */
export async function renderMeasurement(
  measured: LatencyMeasurement,
  format: Format,
  style: Style = PLAIN,
): Promise<string> {
  switch (format) {
    case "text":
      return measurementText(measured, style);
    case "json":
      return canonicalJson(measured);
    case "html":
      return await measurementHtml(measured);
    case "markdown":
      return measurementMarkdown(measured);
    case "csv":
      return measurementCsv(measured);
    case "hgrm":
      return measurementHgrm(measured);
  }
}

/** What draws the page is loaded only when one is wanted. */
export async function measurementHtml(measured: LatencyMeasurement): Promise<string> {
  const { measurementPage } = await import("./html.ts");
  return measurementPage(measured);
}

/**
 * Percentile distribution of `total`, of the way of waiting that most samples found: the two are
 * never mixed. A comment says which, and how many were left out.
 */
function measurementHgrm({ wakes }: LatencyMeasurement): string {
  const bySize = [...wakes].sort((a, b) => countOf(b) - countOf(a));
  const most = bySize[0];
  const json = most?.histograms.total;
  if (most === undefined || json === undefined) {
    throw new UsageError("no interrupt reached an ISR: there is no histogram", {
      hint: "measure for longer (--duration)",
    });
  }
  const others = bySize.slice(1).reduce((sum, wake) => sum + countOf(wake), 0);
  const left = others === 0 ? "" : `; ${others} others left out, see -o json`;
  return `${hgrmText(LatencyHistogram.fromJSON(json))}#[Guest = ${most.wake}${left}]\n`;
}

function countOf({ stages }: LatencyMeasurement["wakes"][number]): number {
  return stages.at(-1)?.count ?? 0;
}
