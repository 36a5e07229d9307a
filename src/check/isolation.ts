/** Isolation: what dies or misbehaves in one VM process does not reach its neighbours. */
import type { Fate } from "../measure/fates.ts";
import type { FateSums, LedgerEntry } from "../measure/ledger.ts";
import type { CheckInput, CheckResult } from "./check.ts";

/** Lost before the VM process could have anything to do with it. */
const LEFT_BEHIND: readonly Fate[] = [
  "dropped-disabled",
  "dropped-bus-master",
  "dropped-no-handler",
  "dropped-withdrawn",
];

/** True if interrupts were on their way to a guest and not one reached a handler of its. */
function starved(entries: readonly LedgerEntry[]): boolean {
  let underWay = 0;
  let delivered = 0;
  for (const { raised, fates } of entries) {
    underWay += raised - LEFT_BEHIND.reduce((sum, fate) => sum + (fates[fate] ?? 0), 0);
    delivered += fates.delivered ?? 0;
  }
  return underWay > 0 && delivered === 0;
}

const deadDrops = (fates: FateSums): number => fates["dropped-guest-dead"] ?? 0;

/** With somebody dead or hostile, each living guest has to get interrupts and lose none to it. */
export function checkIsolation({ ledger, guests }: CheckInput): CheckResult {
  const check = "isolation";
  const troubled = guests.filter(
    ({ alive, hostile }) => !alive || Object.values(hostile).some((n) => n > 0),
  );
  if (troubled.length === 0) return { check, ok: true, detail: "no guest died or misbehaved" };
  const neighbours = guests.filter((guest) => !troubled.includes(guest));
  const harmed: string[] = [];
  for (const { name } of neighbours) {
    const entries = ledger.rows.filter((entry) => entry.guest === name);
    if (starved(entries)) harmed.push(`${name} got no interrupt`);
    const lost = entries.reduce((sum, { fates }) => sum + deadDrops(fates), 0);
    if (lost > 0) harmed.push(`${name} lives and lost ${lost} as if it were dead`);
  }
  const who = troubled.map(({ name }) => name).join(", ");
  if (harmed.length > 0) return { check, ok: false, detail: `beside ${who}: ${harmed.join("; ")}` };
  return { check, ok: true, detail: `${who} in trouble, ${neighbours.length} others unharmed` };
}
