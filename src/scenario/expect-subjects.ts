/** Figures of single guests and devices: `guests.g1.latency.p99`, `devices.vf.failures`. */
import { refusalsOf } from "../measure/refusals.ts";
import type { FateTotals, Holdings, LatencyRow, RunResult } from "../run/result.ts";
import { lostOf } from "./fate-sums.ts";

export const LATENCY_FIGURES = ["count", "min", "p50", "p90", "p99", "p999", "max"] as const;
export type Figure = (typeof LATENCY_FIGURES)[number];

/** A figure of raised-to-ISR latency; null without samples. */
export function figureOf(rows: readonly LatencyRow[], figure: Figure): number | null {
  const total = rows.find((row) => row.stage === "total");
  return total === undefined || (total.count === 0 && figure !== "count") ? null : total[figure];
}

/** Figures of one guest beside its latencies. */
const GUEST_FIGURES = {
  interrupts: "interrupts that its ISRs took",
  raised: "interrupts that its devices raised",
  delivered: "those whose handler ran",
  lost: "those that were lost",
  refused: "times that the host refused vectors to its VMM",
} as const;
type GuestFigure = keyof typeof GUEST_FIGURES;

/** Figures of one device. */
const DEVICE_FIGURES = {
  allocations: "irqs allocated for it",
  frees: "irqs it gave back",
  reclaimed: "idle irqs taken from it because entries were short",
  idleIrteSeconds: "entries it held without a handler, times seconds",
  armedIrteSeconds: "the same with a handler",
  failures: "its requests that got fewer irqs than they asked for",
  failuresSuffered: "those of them that idle irqs of others caused",
  failuresCaused: "requests of others that failed while it had most of the idle irqs",
  refusedAgain: "its requests for irqs that its policy had given back, which got none",
} as const satisfies Partial<Record<keyof Holdings, string>>;
type DeviceFigure = keyof typeof DEVICE_FIGURES;

/** What they are about, for `list --figures`; `vm` also stands for vm0, vm1, ... together. */
export function subjectFigures(): { name: string; about: string }[] {
  const rows = (kind: string, figures: object): { name: string; about: string }[] =>
    Object.entries(figures).map(([figure, about]) => ({ name: `${kind}.NAME.${figure}`, about }));
  return [
    ...rows("guests", GUEST_FIGURES),
    { name: "guests.NAME.latency.p99", about: "and the other figures of its latency, ns" },
    ...rows("devices", DEVICE_FIGURES),
  ];
}

/** Whose figures an expectation may be about. */
export interface Subjects {
  readonly guests: readonly string[];
  readonly devices: readonly string[];
}

/** What a name such as `guests.g1.latency.p99` says; null: there is no such name. */
type SubjectName =
  | { readonly of: "guest"; readonly name: string; readonly figure: GuestFigure }
  | { readonly of: "latency"; readonly name: string; readonly figure: Figure }
  | { readonly of: "device"; readonly name: string; readonly figure: DeviceFigure };

function subjectName(text: string): SubjectName | null {
  const [kind, name = "", ...rest] = text.split(".");
  const figure = rest.join(".");
  if (kind === "guests" && Object.hasOwn(GUEST_FIGURES, figure)) {
    return { of: "guest", name, figure: figure as GuestFigure };
  }
  if (kind === "devices" && Object.hasOwn(DEVICE_FIGURES, figure)) {
    return { of: "device", name, figure: figure as DeviceFigure };
  }
  const latency = LATENCY_FIGURES.find((known) => figure === `latency.${known}`);
  return kind === "guests" && latency !== undefined
    ? { of: "latency", name, figure: latency }
    : null;
}

/** The one of that name, or all of an entry with a count: `vm` is vm0, vm1, ... */
function members<T>(name: string, all: readonly T[], nameOf: (one: T) => string): T[] {
  const exact = all.filter((one) => nameOf(one) === name);
  if (exact.length > 0) return exact;
  return all.filter(
    (one) => nameOf(one).startsWith(name) && /^\d+$/.test(nameOf(one).slice(name.length)),
  );
}

/** True if there is such a guest or device, and it has such a figure. */
export function isSubjectName(text: string, { guests, devices }: Subjects): boolean {
  const subject = subjectName(text);
  if (subject === null) return false;
  if (subject.of === "latency") return guests.includes(subject.name);
  const all = subject.of === "device" ? devices : guests;
  return members(subject.name, all, (one) => one).length > 0;
}

/** Its value; null: the run has no such figure. */
export function subjectValue(text: string, result: RunResult): number | null {
  const subject = subjectName(text);
  if (subject === null) return null;
  const { name } = subject;
  if (subject.of === "latency") {
    const rows = result.latency.guests.find((guest) => guest.name === name)?.stages;
    return rows === undefined ? null : figureOf(rows, subject.figure);
  }
  if (subject.of === "device") {
    const found = members(name, result.retention.devices, ({ device }) => device);
    if (found.length === 0) return null;
    return found.reduce((sum, device) => sum + device[subject.figure], 0);
  }
  const found = members(name, result.guests, (guest) => guest.name);
  if (found.length === 0) return null;
  return found.reduce((sum, guest) => sum + guestFigure(result, guest, subject.figure), 0);
}

function guestFigure(
  { ledger }: RunResult,
  { name, interrupts, counters }: RunResult["guests"][number],
  figure: GuestFigure,
): number {
  if (figure === "interrupts") return interrupts;
  if (figure === "refused") return refusalsOf(counters);
  const rows = ledger.rows.filter(({ guest }) => guest === name);
  if (figure === "raised") return rows.reduce((sum, { raised }) => sum + raised, 0);
  const count = figure === "lost" ? lostOf : (fates: FateTotals) => fates.delivered ?? 0;
  return rows.reduce((sum, { fates }) => sum + count(fates), 0);
}

/** Names of these guests and devices, for whoever looks for the nearest one. */
export function subjectNames({ guests, devices }: Subjects): string[] {
  const names = (kind: string, name: string, figures: object): string[] =>
    Object.keys(figures).map((figure) => `${kind}.${name}.${figure}`);
  return [
    ...guests.flatMap((guest) => names("guests", guest, GUEST_FIGURES)),
    ...guests.map((guest) => `guests.${guest}.latency.p99`),
    ...devices.flatMap((device) => names("devices", device, DEVICE_FIGURES)),
  ];
}
