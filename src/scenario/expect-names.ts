/** The names an expectation may use, what each means, and its value in a result. */
import { FATES, type Fate } from "../measure/fates.ts";
import { refusalsOf, unroutedOf } from "../measure/refusals.ts";
import type { RunResult } from "../run/result.ts";
import {
  type Figure,
  figureOf,
  isSubjectName,
  LATENCY_FIGURES,
  type Subjects,
  subjectValue,
} from "./expect-subjects.ts";
import { classOf, lostOf } from "./fate-sums.ts";

/** Null: the run has no such figure. */
type Value = number | null;

interface NameEntry {
  readonly about: string;
  readonly value: (result: RunResult) => Value;
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

/** What guests and VMMs counted, all together. */
const GUESTS: Readonly<Record<string, NameEntry>> = {
  boots: { about: "kernels that booted", value: (r) => counted(r, "boots") },
  commands: {
    about: "commands that closed loops completed",
    value: (r) => counted(r, "completed"),
  },
  callsCutShort: {
    about: "system calls that were under way when their process ended",
    value: (r) => r.callsCutShort ?? null,
  },
  setIrqs: {
    about: "calls of VFIO_DEVICE_SET_IRQS by VMMs",
    value: (r) => counted(r, "set_irqs"),
  },
  routeUpdates: {
    about: "calls of KVM_SET_GSI_ROUTING by VMMs",
    value: (r) => counted(r, "kvm_set_gsi_routing"),
  },
  migrationTime: {
    about: "how long guests stood still until their devices were set up after a migration, ns",
    value: (r) => counted(r, "migration_ns"),
  },
  refused: {
    about: "times that a host refused vectors to a VMM which only logs that",
    value: (r) => r.guests.reduce((sum, { counters }) => sum + refusalsOf(counters), 0),
  },
  unrouted: {
    about: "times that a VMM found no route into the guest for a vector",
    value: (r) => r.guests.reduce((sum, { counters }) => sum + unroutedOf(counters), 0),
  },
  silentLosses: {
    about: "guests that run and were told of success where vectors were refused or not routed",
    value: (r) => r.guests.filter(losesSilently).length,
  },
};

/** Of a VMM's counter, or of one of its devices' driver. */
function counted(result: RunResult, name: string): number {
  let sum = 0;
  for (const { counters } of result.guests) {
    for (const [key, count] of Object.entries(counters)) {
      if (key === name || key.endsWith(`.${name}`)) sum += count;
    }
  }
  return sum;
}

function losesSilently({ state, counters }: RunResult["guests"][number]): boolean {
  return state === "running" && refusalsOf(counters) + unroutedOf(counters) > 0;
}

/** What the host's kernel would have had in its log. */
const KERNEL_LOG: Readonly<Record<string, NameEntry>> = {
  linesSwitchedOff: {
    about: "INTx lines that the host's kernel switched off because nobody cared",
    value: (r) => r.pool.linesSwitchedOff ?? 0,
  },
  oopses: {
    about: "times that the host's kernel followed a null pointer",
    value: (r) => r.oopses ?? 0,
  },
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
  refusedAgain: {
    about: "requests for irqs that a retention policy had given back, which got none",
    value: (r) => r.retention.totals.refusedAgain,
  },
  "failures.largestShare": {
    about:
      "most of a table that one device or guest had when a request failed, as a share of its size",
    value: ({ retention: { shortages } }) =>
      shortages.length === 0
        ? null
        : Math.max(
            ...shortages.map((s) => Math.max(s.mostEntries, s.mostOwnerEntries ?? 0) / s.size),
          ),
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

const FIGURE_TEXT: Readonly<Record<Figure, string>> = {
  count: "samples of raised-to-ISR latency",
  min: "smallest latency, ns",
  p50: "median latency, ns",
  p90: "90th percentile, ns",
  p99: "99th percentile, ns",
  p999: "99.9th percentile, ns",
  max: "largest latency, ns",
};

/** `fates.droppedClosed` for `dropped-closed`: a hyphen would be a minus. */
function fateName(fate: Fate): string {
  return `fates.${fate.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())}`;
}

const TABLE: ReadonlyMap<string, NameEntry> = new Map([
  ...Object.entries(COUNTS),
  ...Object.entries(GUESTS),
  ...Object.entries(KERNEL_LOG),
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

/** True if `name` means something in a scenario with these guests and devices. */
export function isExpectationName(name: string, subjects: Subjects): boolean {
  return TABLE.has(name) || isSubjectName(name, subjects);
}

/** Null: this run has no such figure. */
export function expectationValue(name: string, result: RunResult): Value {
  const entry = TABLE.get(name);
  return entry === undefined ? subjectValue(name, result) : entry.value(result);
}

/** Names that only a machine that measures has: without one, they decide nothing. */
export function isMeasuredOnly(name: string): boolean {
  return Object.hasOwn(FLOOR, name);
}
