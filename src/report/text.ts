/** A run's result as a page of text that a person enjoys reading. */
import { formatCount, formatNs } from "../base/units.ts";
import type { Engine, ExpectationResult, RunResult } from "../run/result.ts";
import { parseExpectation } from "../scenario/expect.ts";
import { breakLines } from "./broke.ts";
import { fateLines, poolLines } from "./interrupts.ts";
import { latencyLines } from "./latency.ts";
import { retentionLines, shortageLines } from "./retention.ts";
import { PLAIN, type Style } from "./style.ts";
import { clip, wrap } from "./table.ts";
import { eventLines, guestLines } from "./timeline.ts";

const WIDTH = 96;
const NO_BREAK = "\u00a0";

/** What is known before a run: printed first, so that even a run that fails can be repeated. */
export interface RunHeader {
  readonly scenario: string;
  readonly engine: Engine;
  readonly seed: number;
  readonly kernel: string;
  readonly options: Readonly<Record<string, string | number | boolean>>;
}

export function headerText(header: RunHeader, style: Style = PLAIN): string {
  const { scenario, engine, seed, kernel, options } = header;
  const rest = Object.entries(options).map(([key, value]) => `${key} ${value}`);
  const items = [`seed ${seed}`, `engine ${engine}`, `kernel ${kernel}`, ...rest];
  const settings = items.map((item) => item.replaceAll(" ", NO_BREAK)).join(", ");
  return [
    style.bold(scenario),
    ...wrap(settings, WIDTH - 2).map((line) => `  ${line.replaceAll(NO_BREAK, " ")}`),
    "",
  ].join("\n");
}

/** Everything after the header. */
export function bodyText(result: RunResult, style: Style = PLAIN): string {
  const entries = (result.pool.entries ?? "IRTEs").slice(0, -1);
  const sections: [string, string[]][] = [
    ["Guests", guestLines(result)],
    ["Events", eventLines(result)],
    ["Interrupt pool of the host", poolLines(result.pool, result.leaked)],
    [`${entries}-seconds held with an eventfd and without`, retentionLines(result.retention)],
    ["Shortages", shortageLines(result.retention)],
    ["Interrupts", fateLines(result)],
    ["Latency from device to ISR", latencyLines(result.latency)],
    ["Beyond the limit", result.broke === undefined ? [] : breakLines(result.broke)],
    ["Checks", checkLines(result, style)],
    ["Expectations", result.expectations.map((item) => expectationLine(item, style))],
    ["Warnings", warningLines(result, style)],
  ];
  const text = sections
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => [style.bold(title), ...lines, ""].join("\n"))
    .join("\n");
  return `\n${text}\n${verdict(result, style)}\n${machineLine(result)}\n`;
}

/** The whole page; ends with a newline. */
export function textReport(result: RunResult, style: Style = PLAIN): string {
  return headerText(result.provenance, style) + bodyText(result, style);
}

function checkLines(result: RunResult, style: Style): string[] {
  const lines = result.checks.map(({ check, ok, detail }) => {
    const text = clip(`${check}${detail === "" ? "" : `: ${detail}`}`, WIDTH - 10);
    return `  ${ok ? style.good("ok    ") : style.bad("FAILED")}  ${text}`;
  });
  for (const violation of result.ledger.violations.slice(0, 8)) {
    lines.push(`          ${clip(violation, WIDTH - 10)}`);
  }
  return lines;
}

/** Figures in nanoseconds read better with a unit. */
export function figure(value: number | null, text: string): string {
  if (value === null) return "nothing";
  const names = parseExpectation(text).names;
  const isTime = names.some((name) =>
    /^(latency|idle|rearm)\.(?!count)|\.latency\.(?!count)|^floor\.|^duration$/.test(name),
  );
  if (isTime) return formatNs(value);
  return Number.isInteger(value) ? formatCount(value) : value.toFixed(2);
}

function expectationLine({ text, ok, left, right }: ExpectationResult, style: Style): string {
  const found = `${figure(left, text)} against ${figure(right, text)}`;
  if (ok === null) return `  ${style.warn("none  ")}  ${text}  (this engine measures no floor)`;
  if (ok) return `  ${style.good("ok    ")}  ${text}  (${found})`;
  return `  ${style.bad("FAILED")}  ${text}  (${found})`;
}

function warningLines(result: RunResult, style: Style): string[] {
  return result.warnings.flatMap(({ text, advice }) => [
    ...wrap(text, WIDTH - 4).map((line, i) => `  ${i === 0 ? style.warn("!") : " "} ${line}`),
    ...wrap(`-> ${advice}`, WIDTH - 4).map((line) => `    ${line}`),
  ]);
}

/** True if the model broke one of its own rules. */
export function hasViolation(result: RunResult): boolean {
  return result.ledger.violations.length > 0 || result.checks.some(({ ok }) => !ok);
}

export function hasFailedExpectation(result: RunResult): boolean {
  return result.expectations.some(({ ok }) => ok === false);
}

/** How a run ended, in a line, and whether that is good. */
export interface Verdict {
  readonly kind: "good" | "bad" | "warn";
  readonly text: string;
}

export function verdictOf(result: RunResult): Verdict {
  const time = formatNs(result.durationNs);
  if (hasViolation(result)) {
    return { kind: "bad", text: `INVARIANT VIOLATED after ${time}: a bug, please report` };
  }
  if (result.partial !== null) {
    return { kind: "warn", text: `PARTIAL: ended after ${time}: ${result.partial}` };
  }
  const failed = result.expectations.filter(({ ok }) => ok === false).length;
  const of = result.expectations.length;
  if (failed > 0) {
    return { kind: "bad", text: `FAILED: ${failed} of ${of} expectations, after ${time}` };
  }
  const checks = `${result.checks.length} checks and ${of} expectations`;
  return { kind: "good", text: `PASSED: ${checks}, after ${time}` };
}

function verdict(result: RunResult, style: Style): string {
  const { kind, text } = verdictOf(result);
  return style[kind](text);
}

function machineLine({ provenance: { version, machine, scenarioHash } }: RunResult): string {
  const what = `vfio-cosim ${version}, scenario ${scenarioHash}`;
  if (machine === null) return what;
  const cores = `${machine.cpus} ${machine.cpus === 1 ? "CPU" : "CPUs"}`;
  return clip(
    `${what}, Node ${machine.node}, ${machine.os}/${machine.arch}, ${cores}, ${machine.cpuModel}`,
    WIDTH,
  );
}
