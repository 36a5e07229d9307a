/** What a VMM was refused and only logged: the guest sees success and waits for interrupts. */
import { refusalsOf, unroutedOf } from "../measure/refusals.ts";
import type { GuestOutcome } from "./outcome.ts";
import type { Warning } from "./result.ts";

const NO_VECTORS =
  "give the host more room (host.irtes, host.cpus, host.vectorsPerCpu) or the devices fewer " +
  "vectors; the ledger has what was raised there as dropped-no-handler or dropped-disabled";
const NO_ROUTES =
  "KVM has 4,096 routes a VM, and a VMM may have fewer: give the guest fewer vectors, or a VMM " +
  "that routes only those in use";

/** Guests that have a warning of their own. */
const SHOWN_MAX = 3;

/** Warnings for guests whose VMM could not arm, or not route, all vectors. */
export function silentLossWarnings(
  guests: readonly { readonly name: string }[],
  outcomes: readonly GuestOutcome[],
): Warning[] {
  const losers = guests.flatMap(({ name }, i) => {
    const counters = outcomes[i]?.report?.counters ?? {};
    const [refused, unrouted] = [refusalsOf(counters), unroutedOf(counters)];
    return refused + unrouted > 0 ? [{ name, refused, unrouted }] : [];
  });
  const warnings = losers.slice(0, SHOWN_MAX).flatMap(warningsOf);
  const rest = losers.slice(SHOWN_MAX);
  if (rest.length === 0) return warnings;
  const count = rest.reduce((sum, { refused, unrouted }) => sum + refused + unrouted, 0);
  const text =
    `silent loss: so it went for ${rest.length} more guests, ${times(count)} in all, ` +
    `${rest[0]!.name} to ${rest[rest.length - 1]!.name}`;
  return [...warnings, { text, advice: "the guests' counters have how often (-o json)" }];
}

function warningsOf({ name, refused, unrouted }: Loser): Warning[] {
  const warnings: Warning[] = [];
  if (refused > 0) {
    const text =
      `silent loss: the host refused vectors to ${name}'s VMM ${times(refused)}, which ` +
      "only logs that: the guest sees success and gets no interrupts there";
    warnings.push({ text, advice: NO_VECTORS });
  }
  if (unrouted > 0) {
    const text =
      `silent loss: ${name}'s VMM found no route for vectors ${times(unrouted)}: they are ` +
      "armed in the host, and their interrupts end in eventfds that nobody hears";
    warnings.push({ text, advice: NO_ROUTES });
  }
  return warnings;
}

interface Loser {
  readonly name: string;
  readonly refused: number;
  readonly unrouted: number;
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
