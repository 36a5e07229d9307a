/** Sums over the fates of interrupts: what was lost, what merged, what was dropped. */
import { FATES, type Fate } from "../measure/fates.ts";
import type { FateTotals } from "../run/result.ts";

/** Lost on its way: not thrown away by the guest's own reset or death, nor by the device. */
const LOST: readonly Fate[] = [
  "dropped-disabled",
  "dropped-bus-master",
  "dropped-no-handler",
  "dropped-closed",
  "dropped-guest-unhandled",
];

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
