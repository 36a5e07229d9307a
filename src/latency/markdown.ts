/** A latency measurement in Markdown, for an issue or a pull request. */
import { breakWords, TRACE_SHOWN, traceCells } from "../report/broke.ts";
import { markdownTable, markdownText } from "../report/markdown.ts";
import type { LatencyMeasurement, WakeSummary } from "./measurement.ts";
import {
  floorWords,
  INTERVAL_HEAD,
  interruptWords,
  intervalRows,
  measuredVerdict,
  RUN_HEAD,
  rowCells,
  runCells,
  STAGE_HEAD,
  settingWords,
  stageRows,
  wakeTitle,
} from "./words.ts";

export function measurementMarkdown(measured: LatencyMeasurement): string {
  const { settings, runs, warnings, broke, version, machine } = measured;
  const where =
    machine === null
      ? []
      : [`${machine.cpus} x ${machine.cpuModel}`, `Node ${machine.node}, ${machine.os}`];
  const blocks = [
    "### latency",
    `**${markdownText(measuredVerdict(measured).text)}**`,
    ...measured.wakes.flatMap(wakeBlocks),
    markdownText(interruptWords(measured).join(", ")),
    ...(runs.length > 1 ? [markdownTable(RUN_HEAD, runs.map(runCells))] : []),
    ...(broke === null ? [] : [markdownText(breakWords(broke)), fenced(broke)]),
    warnings
      .map(({ text, advice }) => `- ${markdownText(text)} \u2192 ${markdownText(advice)}`)
      .join("\n"),
    `<sub>${[`vfio-cosim ${version}`, ...settingWords(settings), ...where]
      .map(markdownText)
      .join(", ")}</sub>`,
  ];
  return `${blocks.filter((block) => block !== "").join("\n\n")}\n`;
}

function wakeBlocks(wake: WakeSummary): string[] {
  const rows = stageRows(wake).map((row) => rowCells(row).map(markdownText));
  const intervals = intervalRows(wake);
  return [
    `#### ${markdownText(wakeTitle(wake.wake))}`,
    markdownTable(STAGE_HEAD, rows),
    markdownText(floorWords(wake)),
    ...(intervals.length === 0 ? [] : [markdownTable(INTERVAL_HEAD, intervals)]),
  ];
}

function fenced(broke: NonNullable<LatencyMeasurement["broke"]>): string {
  const rows = broke.trace.slice(-TRACE_SHOWN).map((line) => {
    return traceCells(broke, line).map(markdownText);
  });
  return markdownTable(["us", "who", "event", ""], rows);
}
