/** What each guest did: a bar of its states over the run, and its events one a line. */
import { formatCount, formatMoment, formatNs } from "../base/units.ts";
import type { GuestResult, RunResult, TimelineItem } from "../run/result.ts";
import { clip, tableLines } from "./table.ts";

const BAR_CELLS = 56;
const GUESTS_SHOWN = 16;
const EVENTS_SHOWN = 40;
const LINE_WIDTH = 96;

/** Steps on the way to something else that the page shows. */
export const STEPS = ["guest_firmware", "guest_driver_probe", "guest_io_start", "guest_io_stop"];

/** State of a guest from an event on, as one letter of its bar; undefined: unchanged. */
export function stateAfter({ event, detail }: TimelineItem, before: string): string | undefined {
  switch (event) {
    case "guest_power_on":
    case "guest_firmware":
    case "guest_kernel_boot":
    case "guest_reboot":
    case "guest_reset":
      return "b";
    case "guest_mode": {
      const mode = /\b(msix|msi|intx)\b/i.exec(detail)?.[1]?.toLowerCase();
      return mode === "msix" ? "X" : mode === "msi" ? "M" : mode === "intx" ? "I" : undefined;
    }
    case "guest_driver_remove":
      // On its way into a reboot, a guest lets go of its drivers.
      return before === "b" ? "b" : "-";
    case "guest_driver_error":
      return "-";
    case "guest_crash":
      return "!";
    case "guest_suspend":
      return "z";
    case "guest_stopped":
    case "guest_killed":
      return ".";
    default:
      return undefined;
  }
}

export const LEGEND: Readonly<Record<string, string>> = {
  ".": "off",
  b: "booting",
  X: "MSI-X",
  M: "MSI",
  I: "INTx",
  "-": "no driver",
  "!": "crashed",
  z: "asleep",
};

/** One letter a cell: the state at the cell's end, but a crash shows however short it was. */
export function stateBar(guest: GuestResult, durationNs: number, cells = BAR_CELLS): string {
  let state = ".";
  let next = 0;
  let bar = "";
  for (let cell = 0; cell < cells; cell++) {
    const end = ((cell + 1) * durationNs) / cells;
    let shown = "";
    while (next < guest.timeline.length && guest.timeline[next]!.at < end) {
      state = stateAfter(guest.timeline[next]!, state) ?? state;
      if (state === "!") shown = "!";
      next++;
    }
    bar += shown === "" ? state : shown;
  }
  return bar;
}

export function guestLines({ guests, durationNs }: RunResult): string[] {
  const shown = guests.slice(0, GUESTS_SHOWN);
  const bars = shown.map((guest) => stateBar(guest, durationNs));
  const rows = shown.map((guest, i) => [
    clip(guest.name, 16),
    `|${bars[i]}|`,
    formatCount(guest.interrupts),
    clip(guest.state, 20),
  ]);
  const scale = `0${formatNs(durationNs).padStart(BAR_CELLS - 1)}`;
  const lines = tableLines([["", ` ${scale} `, "taken", "now"], ...rows], { left: [0, 1, 3] });
  if (guests.length > GUESTS_SHOWN) {
    const rest = guests.slice(GUESTS_SHOWN);
    const taken = rest.reduce((sum, guest) => sum + guest.interrupts, 0);
    lines.push(`  and ${rest.length} more, ${formatCount(taken)} interrupts taken`);
  }
  const letters = Object.entries(LEGEND).filter(([letter]) =>
    bars.some((bar) => bar.includes(letter)),
  );
  lines.push(`  ${letters.map(([letter, text]) => `${letter} ${text}`).join("   ")}`);
  return lines;
}

/** Events of all guests in order of time, the main ones; the page says how many it leaves out. */
export function eventLines({ guests }: RunResult): string[] {
  const all = guests.flatMap(({ name, timeline }) => timeline.map((item) => ({ name, item })));
  all.sort((a, b) => a.item.at - b.item.at);
  const rows = all
    .filter(({ item }) => !STEPS.includes(item.event))
    .slice(0, EVENTS_SHOWN)
    .map(({ name, item }) => [
      formatMoment(Math.max(0, item.at)),
      clip(name, 16),
      item.event.replace(/^guest_/, "").replaceAll("_", " "),
      item.detail,
    ]);
  const lines = tableLines(rows, { left: [1, 2, 3] }).map((line) => clip(line, LINE_WIDTH));
  const more = all.length - rows.length;
  if (more > 0) lines.push(`  and ${formatCount(more)} more (-o json has them all)`);
  return lines;
}
