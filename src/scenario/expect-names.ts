/** The names an expectation may use, what each means, and its value in a result. */
import { FATES, type Fate } from "../measure/fates.ts";
import type { FateTotals, LatencyRow, RunResult } from "../run/result.ts";

/** Lost on its way: not thrown away by the guest's own reset or death, nor by the device. */
const LOST: readonly Fate[] = [
  "dropped-disabled",
  "dropped-bus-master",
  "dropped-no-handler",
  "dropped-closed",
  "dropped-guest-unhandled",
];

/** Null: the run has no such figure. */
type Value = number | null;

interface NameEntry {
  readonly about: string;
  readonly value: (result: RunResult) => Value;
}

function sumOf(totals: FateTotals, fates: readonly Fate[]): number {
  return fates.reduce((sum, fate) => sum + (totals[fate] ?? 0), 0);
}

/** Interrupts that were lost although guest and device wanted them to arrive. */
export function lostOf(totals: FateTotals): number {
  return sumOf(totals, LOST);
}

/** Fates of one class: `delivered`, `coalesced`, `pending` or `dropped`. */
export function classOf(totals: FateTotals, kind: string): number {
  return sumOf(
    totals,
    FATES.filter((fate) => fate === kind || fate.startsWith(`${kind}-`)),
  );
}

/** Irqs, remapping entries and CPU vectors that outlived every VM process. */
export function leakedOf(result: RunResult): Value {
  const leaked = result.leaked;
  return leaked === null ? null : leaked.irqs + leaked.irtes + leaked.vectors;
}

const COUNTS: Readonly<Record<string, NameEntry>> = {
  raised: { about: "interrupts the devices raised", value: (r) => r.ledger.raised },
  delivered: {
    about: "interrupts whose handler ran in the guest",
    value: (r) => classOf(r.ledger.totals, "delivered"),
  },
  coalesced: {
    about: "interrupts that merged with one that waited already",
    value: (r) => classOf(r.ledger.totals, "coalesced"),
  },
  pending: {
    about: "interrupts that still waited at the end",
    value: (r) => classOf(r.ledger.totals, "pending"),
  },
  dropped: {
    about: "interrupts that ended nowhere, for whatever cause",
    value: (r) => classOf(r.ledger.totals, "dropped"),
  },
  lost: {
    about: "dropped ones that guest and device both wanted to arrive (not: resets, dead guests)",
    value: (r) => lostOf(r.ledger.totals),
  },
  leaked: {
    about: "irqs, IRTEs and CPU vectors that outlived every VM process",
    value: leakedOf,
  },
  violations: {
    about: "interrupt sources whose fates do not add up",
    value: (r) => r.ledger.violations.length,
  },
  interrupts: {
    about: "interrupts that ISRs took, all guests",
    value: (r) => r.guests.reduce((sum, guest) => sum + guest.interrupts, 0),
  },
  duration: { about: "how long the run took, ns", value: (r) => r.durationNs },
  "pool.irqs": { about: "irqs held at the end", value: (r) => r.pool.irqsHeld },
  "pool.irqsPeak": { about: "most irqs held at once", value: (r) => r.pool.irqsPeak },
  "pool.irtes": { about: "remapping entries used at the end", value: (r) => r.pool.irtesUsed },
  "pool.irtesPeak": { about: "most of them used at once", value: (r) => r.pool.irtesPeak },
  "pool.vectors": { about: "CPU vectors used at the end", value: (r) => r.pool.vectorsUsed },
  "pool.vectorsPeak": { about: "most of them used at once", value: (r) => r.pool.vectorsPeak },
};

/** Over all devices and policies; times in nanoseconds, as everywhere in expectations. */
const RETENTION: Readonly<Record<string, NameEntry>> = {
  allocations: {
    about: "irqs allocated for MSI and MSI-X",
    value: (r) => r.retention.totals.allocations,
  },
  frees: { about: "irqs given back", value: (r) => r.retention.totals.frees },
  iecFlushes: {
    about: "flushes of the IOMMU's interrupt entry cache",
    value: (r) => r.retention.totals.iecFlushes,
  },
  reclaimed: {
    about: "idle irqs taken from devices because entries were short",
    value: (r) => r.retention.totals.reclaimed,
  },
  reused: {
    about: "idle irqs that got an eventfd again",
    value: (r) => r.retention.totals.reused,
  },
  idleIrteSeconds: {
    about: "entries of the shared table held without a handler, times seconds",
    value: (r) => r.retention.totals.idleIrteSeconds,
  },
  armedIrteSeconds: {
    about: "the same with a handler",
    value: (r) => r.retention.totals.armedIrteSeconds,
  },
  idleVectorSeconds: {
    about: "CPU vectors held without a handler, times seconds (MSI)",
    value: (r) => r.retention.totals.idleVectorSeconds,
  },
  armedVectorSeconds: {
    about: "the same with a handler",
    value: (r) => r.retention.totals.armedVectorSeconds,
  },
  allocationFailures: {
    about: "requests for irqs that got fewer than they asked for",
    value: (r) => r.retention.failures.total,
  },
  failuresCausedByIdle: {
    about: "those that had been granted, were no irq of another device idle",
    value: (r) => r.retention.failures.causedByIdle,
  },
  "idle.count": {
    about: "times that an irq was without an eventfd after a call",
    value: (r) => r.retention.policies.reduce((sum, { idle }) => sum + idle.count, 0),
  },
  "idle.p50": { about: "how long, median, ns", value: (r) => idleOf(r, "p50") },
  "idle.p90": { about: "how long, 90th percentile, ns", value: (r) => idleOf(r, "p90") },
  "idle.p99": { about: "how long, 99th percentile, ns", value: (r) => idleOf(r, "p99") },
  "idle.max": { about: "how long, at most, ns", value: (r) => idleOf(r, "max") },
  "rearm.count": {
    about: "eventfds armed on vectors that had one before",
    value: (r) => r.retention.policies.reduce((sum, { rearm }) => sum + rearm.count, 0),
  },
  "rearm.p50": { about: "the host's work for one, median, ns", value: (r) => rearmOf(r, "p50") },
  "rearm.p99": { about: "99th percentile, ns", value: (r) => rearmOf(r, "p99") },
};

/** With several policies in one machine, the largest of theirs. */
function idleOf(result: RunResult, figure: "p50" | "p90" | "p99" | "max"): Value {
  return largest(
    result.retention.policies.map(({ idle }) => idle),
    figure,
  );
}

function rearmOf(result: RunResult, figure: "p50" | "p99"): Value {
  return largest(
    result.retention.policies.map(({ rearm }) => rearm),
    figure,
  );
}

function largest<F extends string>(
  rows: readonly ({ readonly count: number } & Readonly<Record<F, number>>)[],
  figure: F,
): Value {
  const known = rows.filter(({ count }) => count > 0);
  return known.length === 0 ? null : Math.max(...known.map((one) => one[figure]));
}

const FLOOR: Readonly<Record<string, NameEntry>> = {
  "floor.p50": {
    about: "bare hand-over between two threads, one way, for the run's way of waiting, ns",
    value: ({ latency: { floor } }) =>
      floor === null ? null : floor.reference === "spin" ? floor.spinOneWayNs : floor.parkOneWayNs,
  },
  "floor.spin": {
    about: "the same, receiver spinning",
    value: (r) => r.latency.floor?.spinOneWayNs ?? null,
  },
  "floor.park": {
    about: "the same, receiver parked",
    value: (r) => r.latency.floor?.parkOneWayNs ?? null,
  },
  "floor.clock": { about: "one clock reading", value: (r) => r.latency.floor?.clockNs ?? null },
  "ratio.p50": { about: "latency.p50 / floor.p50", value: (r) => r.latency.ratio?.p50 ?? null },
  "ratio.p99": { about: "latency.p99 / floor.p50", value: (r) => r.latency.ratio?.p99 ?? null },
};

export const LATENCY_FIGURES = ["count", "min", "p50", "p90", "p99", "p999", "max"] as const;
type Figure = (typeof LATENCY_FIGURES)[number];

const FIGURE_TEXT: Readonly<Record<Figure, string>> = {
  count: "samples of raised-to-ISR latency",
  min: "smallest latency, ns",
  p50: "median latency, ns",
  p90: "90th percentile, ns",
  p99: "99th percentile, ns",
  p999: "99.9th percentile, ns",
  max: "largest latency, ns",
};

function figureOf(rows: readonly LatencyRow[], figure: Figure): Value {
  const total = rows.find((row) => row.stage === "total");
  return total === undefined || (total.count === 0 && figure !== "count") ? null : total[figure];
}

/** `fates.droppedClosed` for `dropped-closed`: a hyphen would be a minus. */
function fateName(fate: Fate): string {
  return `fates.${fate.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())}`;
}

const TABLE: ReadonlyMap<string, NameEntry> = new Map([
  ...Object.entries(COUNTS),
  ...Object.entries(RETENTION),
  ...LATENCY_FIGURES.map((figure): [string, NameEntry] => [
    `latency.${figure}`,
    { about: FIGURE_TEXT[figure], value: (r) => figureOf(r.latency.stages, figure) },
  ]),
  ...Object.entries(FLOOR),
  ...FATES.map((fate): [string, NameEntry] => [
    fateName(fate),
    { about: `interrupts that ended as ${fate}`, value: (r) => r.ledger.totals[fate] ?? 0 },
  ]),
]);

/** Every name with its meaning, for the documentation and `list --names`. */
export function expectationNames(): { name: string; about: string }[] {
  return [...TABLE].map(([name, { about }]) => ({ name, about }));
}

/** `guests.g1.interrupts`, `guests.g1.latency.p99`: the parts, or null if it is not such a name. */
function guestName(name: string): { guest: string; figure: Figure | null } | null {
  const match = /^guests\.(\w+)\.(interrupts|latency\.(\w+))$/.exec(name);
  if (match === null) return null;
  const figure = match[3];
  if (figure === undefined) return { guest: match[1]!, figure: null };
  const known = LATENCY_FIGURES.find((candidate) => candidate === figure);
  return known === undefined ? null : { guest: match[1]!, figure: known };
}

/** True if `name` means something in a scenario with these guests. */
export function isExpectationName(name: string, guests: readonly string[]): boolean {
  const ofGuest = guestName(name);
  return TABLE.has(name) || (ofGuest !== null && guests.includes(ofGuest.guest));
}

/** Null: this run has no such figure. */
export function expectationValue(name: string, result: RunResult): Value {
  const entry = TABLE.get(name);
  if (entry !== undefined) return entry.value(result);
  const ofGuest = guestName(name);
  if (ofGuest === null) return null;
  if (ofGuest.figure === null) {
    return result.guests.find((guest) => guest.name === ofGuest.guest)?.interrupts ?? null;
  }
  const rows = result.latency.guests.find((guest) => guest.name === ofGuest.guest)?.stages;
  return rows === undefined ? null : figureOf(rows, ofGuest.figure);
}

/** Names that only a machine that measures has: without one, they decide nothing. */
export function isMeasuredOnly(name: string): boolean {
  return Object.hasOwn(FLOOR, name);
}
