/** What each guest was over time: a lane a guest. */
import * as Plot from "@observablehq/plot";
import { formatNs } from "../../base/units.ts";
import type { GuestResult } from "../../run/result.ts";
import { type StateSpan, stateMarks, stateSpans } from "../guest-states.ts";
import { clip } from "../table.ts";
import { bothSizes, type Drawing, drawPlot, type Size, timeUnit } from "./svg.ts";

/** CSS variables of the states, by letter; style.ts has their values. */
export const STATE_COLOURS: Readonly<Record<string, string>> = {
  b: "var(--booting)",
  X: "var(--msix)",
  M: "var(--msi)",
  I: "var(--intx)",
  "-": "var(--idle)",
  "!": "var(--crashed)",
};
const UNKNOWN_STATE = "var(--idle)";
const TEXT_COLOURS: Readonly<Record<string, string>> = {
  X: "var(--on-msix)",
  M: "var(--on-msi)",
  I: "var(--on-intx)",
};
/** Width of a letter of a lane's label, CSS pixels. */
const LETTER = 6.4;

export interface LanesPlot {
  readonly guests: readonly GuestResult[];
  readonly durationNs: number;
  /** Lanes too low for words, where there are many guests. */
  readonly dense: boolean;
}

export function lanesPlot(plot: LanesPlot): readonly Drawing[] {
  const { guests } = plot;
  const label = `Interrupt mode over time of ${guests.map(({ name }) => name).join(", ")}`;
  return bothSizes((size) => draw(plot, size), label);
}

interface Lane extends StateSpan {
  readonly lane: string;
  readonly guest: string;
}

function draw({ guests, durationNs, dense }: LanesPlot, size: Size): string {
  const { unit, ns } = timeUnit(durationNs);
  const endNs = Math.max(durationNs, 1);
  const names = guests.map(({ name }) => clip(name, size.narrow ? 9 : 18));
  const longest = Math.max(3, ...names.map((name) => name.length));
  const marginLeft = Math.ceil(longest * LETTER) + 14;
  const marginRight = 14;
  const pixels = (size.width - marginLeft - marginRight) / endNs;
  // Guests may share a name when it is cut: a lane is its number.
  const spans: Lane[] = guests.flatMap((guest, i) =>
    stateSpans(guest, endNs)
      .filter(({ state }) => state !== ".")
      .map((span) => ({ ...span, lane: `${i}`, guest: guest.name })),
  );
  const marks = guests.flatMap((guest, i) =>
    stateMarks(guest, endNs).map((mark) => ({ ...mark, lane: `${i}`, guest: guest.name })),
  );
  const fits = ({ text, fromNs, toNs }: Lane): boolean =>
    !dense && (toNs - fromNs) * pixels > text.length * LETTER + 6;
  const laneHeight = dense ? 13 : 34;
  return drawPlot({
    width: size.width,
    height: guests.length * laneHeight + 44,
    marginLeft,
    marginRight,
    marginTop: 4,
    marginBottom: 40,
    x: { domain: [0, endNs / ns], label: `time (${unit})`, ticks: size.narrow ? 4 : 8 },
    y: {
      domain: names.map((_, i) => `${i}`),
      label: null,
      tickFormat: (lane: string) => names[Number(lane)],
      tickSize: 0,
      padding: dense ? 0.15 : 0.34,
    },
    marks: [
      Plot.barX(spans, {
        x1: ({ fromNs }: Lane) => fromNs / ns,
        x2: ({ toNs }: Lane) => toNs / ns,
        y: "lane",
        fill: ({ state }: Lane) => STATE_COLOURS[state] ?? UNKNOWN_STATE,
        title: ({ guest, text, fromNs, toNs }: Lane) =>
          `${guest}: ${text} from ${formatNs(fromNs)} to ${formatNs(toNs)}`,
      }),
      Plot.text(spans.filter(fits), {
        x: ({ fromNs, toNs }: Lane) => (fromNs + toNs) / 2 / ns,
        y: "lane",
        text: "text",
        fill: ({ state }: Lane) => TEXT_COLOURS[state] ?? "currentColor",
        pointerEvents: "none",
      }),
      Plot.text(marks, {
        x: ({ atNs }: { atNs: number }) => atNs / ns,
        y: "lane",
        text: "sign",
        dy: dense ? 0 : -laneHeight / 2 + 3,
        fill: dense ? "var(--bg)" : "currentColor",
        fontWeight: "bold",
        title: ({ guest, text, atNs }: { guest: string; text: string; atNs: number }) =>
          `${guest}: ${text} at ${formatNs(atNs)}`,
      }),
    ],
  });
}
