/** What a VMM was refused and only logged: the guest sees success and waits for interrupts. */
import type { GuestOutcome } from "./outcome.ts";
import type { Warning } from "./result.ts";

const ADVICE =
  "give the host more room (host.irtes, host.cpus, host.vectorsPerCpu) or the devices fewer " +
  "vectors; the ledger has what was raised there as dropped-no-handler or dropped-disabled";

/** A warning for each guest whose VMM could not arm all MSI-X vectors. */
export function silentLossWarnings(
  guests: readonly { readonly name: string }[],
  outcomes: readonly GuestOutcome[],
): Warning[] {
  return guests.flatMap(({ name }, i) => {
    const refused = outcomes[i]?.report?.counters.msix_errors ?? 0;
    if (refused === 0) return [];
    const times = refused === 1 ? "once" : `${refused} times`;
    const text =
      `silent loss: the host refused MSI-X vectors to ${name}'s VMM ${times}, which only logs ` +
      "that: the guest sees success and gets no interrupts there";
    return [{ text, advice: ADVICE }];
  });
}
