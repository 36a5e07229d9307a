/** `latency > 500us`: on which a measurement stops, as cyclictest does with --breaktrace. */
import { UsageError } from "../base/errors.ts";
import { formatNs, parseDurationNs } from "../base/units.ts";

const HINT = 'write "latency > 500us"';

/** The limit in ns; throws UsageError. */
export function parseBreakOn(text: string): number {
  const [, duration] = /^\s*latency\s*>\s*(\S.*?)\s*$/.exec(text) ?? [];
  if (duration === undefined) {
    throw new UsageError(`"${text}" is not a limit of latency`, { hint: HINT });
  }
  const ns = parseDurationNs(duration);
  if (ns <= 0) throw new UsageError("a limit of latency must be above zero", { hint: HINT });
  return ns;
}

export function breakOnText(limitNs: number): string {
  return `latency > ${formatNs(limitNs)}`;
}
