/** A latency measurement as a page of text. */
import { breakLines } from "../report/broke.ts";
import { PLAIN, type Style } from "../report/style.ts";
import { clip, tableLines, wrap } from "../report/table.ts";
import type { LatencyMeasurement, LatencySettings, WakeSummary } from "./measurement.ts";
import {
  driftWords,
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

const WIDTH = 96;
const NO_BREAK = "\u00a0";

/** What is known before the first run. */
export function measurementHeader(settings: LatencySettings, style: Style = PLAIN): string {
  const words = settingWords(settings).map((word) => word.replaceAll(" ", NO_BREAK));
  const lines = wrap(words.join(", "), WIDTH - 2);
  return [
    style.bold("latency"),
    ...lines.map((line) => `  ${line.replaceAll(NO_BREAK, " ")}`),
    "",
  ].join("\n");
}

export function measurementBody(measured: LatencyMeasurement, style: Style = PLAIN): string {
  const { runs, broke } = measured;
  const sections: [string, string[]][] = [
    ["Runs", runs.length > 1 ? tableLines([RUN_HEAD, ...runs.map(runCells)]) : []],
    ...measured.wakes.map((wake): [string, string[]] => [wakeTitle(wake.wake), wakeLines(wake)]),
    ["Floor, spinning / parked, one way", runs.length === 1 ? floorLines(measured) : []],
    ["Interrupts", wrapped(interruptWords(measured).join(", "))],
    ["Beyond the limit", broke === null ? [] : breakLines(broke)],
    ["Violations", runs.flatMap(({ violations }) => violations.flatMap(wrapped))],
    ["Warnings", warningLines(measured, style)],
  ];
  const text = sections
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => [style.bold(title), ...lines, ""].join("\n"))
    .join("\n");
  const { kind, text: verdict } = measuredVerdict(measured);
  return `\n${text}\n${style[kind](verdict)}\n${machineLine(measured)}\n`;
}

export function measurementText(measured: LatencyMeasurement, style: Style = PLAIN): string {
  return measurementHeader(measured.settings, style) + measurementBody(measured, style);
}

function wrapped(text: string): string[] {
  return wrap(text, WIDTH - 2).map((line) => `  ${line.replaceAll(NO_BREAK, " ")}`);
}

function wakeLines(wake: WakeSummary): string[] {
  const rows = intervalRows(wake);
  return [
    ...tableLines([STAGE_HEAD, ...stageRows(wake).map(rowCells)]),
    ...wrapped(floorWords(wake)),
    ...(rows.length === 0 ? [] : ["  over the runs:", ...tableLines([INTERVAL_HEAD, ...rows])]),
  ];
}

function floorLines({ runs }: LatencyMeasurement): string[] {
  const words = driftWords(runs[0]!.floor);
  return words === "" ? [] : wrapped(words);
}

function warningLines({ warnings }: LatencyMeasurement, style: Style): string[] {
  return warnings.flatMap(({ text, advice }) => [
    ...wrap(text, WIDTH - 4).map((line, i) => `  ${i === 0 ? style.warn("!") : " "} ${line}`),
    ...wrap(`-> ${advice}`, WIDTH - 4).map((line) => `    ${line}`),
  ]);
}

function machineLine({ version, machine }: LatencyMeasurement): string {
  const what = `vfio-cosim ${version}`;
  if (machine === null) return what;
  const cores = `${machine.cpus} ${machine.cpus === 1 ? "CPU" : "CPUs"}`;
  const { node, os, arch, cpuModel } = machine;
  return clip(`${what}, Node ${node}, ${os}/${arch}, ${cores}, ${cpuModel}`, WIDTH);
}
