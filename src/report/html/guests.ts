/** What each guest did: lanes of its interrupt mode, its figures, its events. */
import { formatCount, formatNs } from "../../base/units.ts";
import type { GuestResult, RunResult } from "../../run/result.ts";
import { MARK_TEXT, stateMarks, stateSpans, words } from "../guest-states.ts";
import { fatesByGuest, percent } from "../interrupts.ts";
import type { DeviceColours } from "../plot/colours.ts";
import { lanesPlot, STATE_COLOURS } from "../plot/lanes.ts";
import { LEGEND, STEPS } from "../timeline.ts";
import { html, type Markup } from "./markup.ts";
import { figure, legend, type Section } from "./page.ts";
import { type Row, table } from "./table.ts";

const LANES_SHOWN = 12;
const GUESTS_SHOWN = 16;
const EVENTS_SHOWN = 200;

function lanes(guests: readonly GuestResult[], durationNs: number): Markup {
  const shown = guests.slice(0, LANES_SHOWN);
  const rest = guests.slice(LANES_SHOWN);
  const spans = guests.flatMap((guest) => stateSpans(guest, durationNs));
  const states = Object.keys(STATE_COLOURS).filter((letter) =>
    spans.some(({ state }) => state === letter),
  );
  const signs = new Set(
    guests.flatMap((guest) => stateMarks(guest, durationNs)).map((m) => m.sign),
  );
  const marks = [...signs].map((sign) => `${sign} ${MARK_TEXT[sign]}`);
  const items = states.map((state) => ({ colour: STATE_COLOURS[state]!, text: LEGEND[state]! }));
  const caption = ["How each guest's devices interrupt it, over time.", ...marks].join("  ");
  const first = figure(
    lanesPlot({ guests: shown, durationNs, dense: shown.length > 6 }),
    legend(items),
    caption,
  );
  if (rest.length === 0) return first;
  const more = figure(lanesPlot({ guests: rest, durationNs, dense: true }), null, "");
  return html`${first}<details><summary>${rest.length} more guests</summary>${more}</details>`;
}

/** A field of the device's colour before its name. */
function deviceNames({ devices }: GuestResult, colours: DeviceColours): Markup {
  return html`${(devices ?? []).map((name, i) => {
    const dot = html`<i class="dot" style="background:${colours.of(name)}"></i>`;
    return html`${i > 0 ? ", " : ""}<span class="held">${dot}${name}</span>`;
  })}`;
}

function guestTable(result: RunResult, colours: DeviceColours): Markup {
  const fates = new Map(fatesByGuest(result).map((guest) => [guest.name, guest]));
  const latencies = new Map(result.latency.guests.map(({ name, stages }) => [name, stages]));
  const rows = result.guests.map((guest): Row => {
    const total = latencies.get(guest.name)?.find(({ stage }) => stage === "total");
    const raised = fates.get(guest.name)?.raised ?? 0;
    return [
      guest.name,
      deviceNames(guest, colours),
      guest.state,
      formatCount(raised),
      formatCount(guest.interrupts),
      percent(guest.interrupts, raised),
      total === undefined ? "-" : formatNs(total.p50),
      total === undefined ? "-" : formatNs(total.p99),
    ];
  });
  const head = ["", "devices", "at the end", "raised", "taken", "taken/raised", "p50", "p99"];
  return table(head, rows, { left: [0, 1, 2], shown: GUESTS_SHOWN, rowsAre: "guests" });
}

function eventTable({ guests }: RunResult): Markup | null {
  const all = guests.flatMap(({ name, timeline }) =>
    timeline.filter(({ event }) => !STEPS.includes(event)).map((item) => ({ name, item })),
  );
  if (all.length === 0) return null;
  all.sort((a, b) => a.item.at - b.item.at);
  const rows = all
    .slice(0, EVENTS_SHOWN)
    .map(({ name, item }): Row => [formatNs(Math.max(0, item.at)), name, words(item)]);
  const more = all.length - rows.length;
  const note =
    more > 0 ? html`<p class="note">${formatCount(more)} more are in result.json.</p>` : null;
  return html`<details><summary>${formatCount(all.length)} events</summary>
${table(["time", "guest", "event"], rows, { left: [1, 2] })}${note}</details>`;
}

export function guestsSection(result: RunResult, colours: DeviceColours): Section | null {
  if (result.guests.length === 0) return null;
  const body = html`${lanes(result.guests, result.durationNs)}
${guestTable(result, colours)}
${eventTable(result)}`;
  return { id: "guests", title: "Guests", body };
}
