/** The interrupt that was slower than a run allows, and what came before it. */
import { formatNs } from "../base/units.ts";
import type { BreakResult, TraceLine } from "../run/result.ts";
import { clip, tableLines, wrap } from "./table.ts";

/** Events before it that a page of text shows. */
export const TRACE_SHOWN = 40;
const WIDTH = 96;
const NO_BREAK = "\u00a0";

/** The interrupt in a sentence, without its full stop. */
export function breakWords(broke: BreakResult): string {
  const { guest, source, sequence, latencyNs, limitNs, wake, raisedAt } = broke;
  const how = wake === null ? "" : `, which it found ${wake}`;
  return (
    `${source} #${sequence}, raised ${formatNs(raisedAt)} into the run, took ` +
    `${formatNs(latencyNs)} to the ISR of ${guest}${how}; the limit is ${formatNs(limitNs)}`
  );
}

/** An event: microseconds from the raise of the interrupt it leads up to, who, what, and more. */
export function traceCells({ raisedAt }: BreakResult, line: TraceLine): string[] {
  const { at, actor, event, detail } = line;
  const us = (at - raisedAt) / 1_000;
  return [`${us < 0 ? "" : "+"}${us.toFixed(1)}`, actor, event, detail];
}

export function breakLines(broke: BreakResult): string[] {
  const shown = broke.trace.slice(-TRACE_SHOWN);
  const stages = broke.stages.map(({ stage, ns }) => {
    return `${stage} ${formatNs(ns)}`.replaceAll(" ", NO_BREAK);
  });
  const rows = shown.map((line) => traceCells(broke, line));
  return [
    ...wrapped(breakWords(broke)),
    ...wrapped(stages.join(", ")),
    `  the last ${shown.length} events up to its handler, us from its raise:`,
    ...tableLines(rows, { indent: 4, left: [1, 2, 3] }).map((line) => clip(line, WIDTH)),
  ];
}

function wrapped(text: string): string[] {
  return wrap(text, WIDTH - 2).map((line) => `  ${line.replaceAll(NO_BREAK, " ")}`);
}
