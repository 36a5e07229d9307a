/** What a guest was when, as spans of time; for plots. */
import type { GuestResult, TimelineItem } from "../run/result.ts";
import { LEGEND, stateAfter } from "./timeline.ts";

export interface StateSpan {
  /** A letter of src/report/timeline.ts. */
  readonly state: string;
  /** For people: `MSI-X`. */
  readonly text: string;
  readonly fromNs: number;
  readonly toNs: number;
}

/** Spans from 0 to `durationNs` without gaps; what took no time is left out. */
export function stateSpans({ timeline }: GuestResult, durationNs: number): StateSpan[] {
  const spans: StateSpan[] = [];
  let state = ".";
  let fromNs = 0;
  const end = (toNs: number): void => {
    if (toNs > fromNs) spans.push({ state, text: LEGEND[state] ?? state, fromNs, toNs });
    fromNs = Math.max(fromNs, toNs);
  };
  for (const item of timeline) {
    const next = stateAfter(item, state) ?? state;
    if (next === state) continue;
    end(Math.min(Math.max(0, item.at), durationNs));
    state = next;
  }
  end(durationNs);
  return spans;
}

/** Moments that deserve a mark of their own, with the sign they get. */
const MARKS: Readonly<Record<string, string>> = {
  guest_reboot: "\u21bb",
  guest_reset: "\u21ba",
  guest_crash: "\u2715",
  guest_killed: "\u2715",
  guest_stopped: "\u25a0",
  guest_driver_error: "!",
};

export const MARK_TEXT: Readonly<Record<string, string>> = {
  "\u21bb": "reboot",
  "\u21ba": "reset",
  "\u2715": "crash or kill",
  "\u25a0": "off",
  "!": "driver error",
};

export interface StateMark {
  readonly atNs: number;
  readonly sign: string;
  readonly text: string;
}

export function stateMarks({ timeline }: GuestResult, durationNs: number): StateMark[] {
  return timeline
    .filter(({ event, at }) => MARKS[event] !== undefined && at <= durationNs)
    .map((item) => ({ atNs: Math.max(0, item.at), sign: MARKS[item.event]!, text: words(item) }));
}

/** `guest_driver_probe` with its detail, in words. */
export function words({ event, detail }: TimelineItem): string {
  const what = event.replace(/^guest_/, "").replaceAll("_", " ");
  return detail === "" ? what : `${what}: ${detail}`;
}
