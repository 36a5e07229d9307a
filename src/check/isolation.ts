/** Isolation: what dies or misbehaves in one VM process does not reach its neighbours. */
import type { Fate } from "../measure/fates.ts";
import type { FateSums, LedgerEntry } from "../measure/ledger.ts";
import type { CheckInput, CheckResult } from "./check.ts";

/** Where interrupts end that were on their way to a guest and got stuck, or were taken from it. */
const STUCK: readonly Fate[] = [
  "pending-host",
  "pending-eventfd",
  "pending-guest",
  "dropped-closed",
];

/** A guest that had I/O for less has nothing to complain of: it may have waited for its turn. */
const IO_MIN_NS = 200e6;

/** True if interrupts were on their way to a guest and not one reached a handler of its. */
function starved(entries: readonly LedgerEntry[]): boolean {
  const sum = (fates: readonly Fate[]): number =>
    entries.reduce((all, entry) => fates.reduce((n, fate) => n + (entry.fates[fate] ?? 0), all), 0);
  return sum(STUCK) > 0 && sum(["delivered"]) === 0;
}

const deadDrops = (fates: FateSums): number => fates["dropped-guest-dead"] ?? 0;

/**
 * With somebody dead or hostile, each living guest has to get interrupts and lose none to it. One
 * that is off, booting or crashed takes none through nobody's fault but its own, and one that was
 * refused vectors for want of room.
 */
export function checkIsolation({ ledger, guests }: CheckInput): CheckResult {
  const check = "isolation";
  const troubled = guests.filter(
    ({ alive, hostile }) => !alive || Object.values(hostile).some((n) => n > 0),
  );
  if (troubled.length === 0) return { check, ok: true, detail: "no guest died or misbehaved" };
  const neighbours = guests.filter((guest) => !troubled.includes(guest));
  const harmed: string[] = [];
  for (const { name, running, refused = 0, ioNs = Number.POSITIVE_INFINITY } of neighbours) {
    const entries = ledger.rows.filter((entry) => entry.guest === name);
    const expecting = running && refused === 0 && ioNs >= IO_MIN_NS;
    if (expecting && starved(entries)) harmed.push(`${name} got no interrupt`);
    const lost = entries.reduce((sum, { fates }) => sum + deadDrops(fates), 0);
    if (lost > 0) harmed.push(`${name} lives and lost ${lost} as if it were dead`);
  }
  const who = troubled.map(({ name }) => name).join(", ");
  if (harmed.length > 0) return { check, ok: false, detail: `beside ${who}: ${harmed.join("; ")}` };
  return { check, ok: true, detail: `${who} in trouble, ${neighbours.length} others unharmed` };
}
