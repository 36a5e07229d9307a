/**
 * The fate of every interrupt.
 *
 * An interrupt is a token. It is created when a device raises it, and then either reaches its ISR,
 * merges with a token that waits already (coalesced, and where), waits at the end of the run
 * (pending, and where), or is lost (dropped, and why). Whoever holds the token when its fate is
 * decided counts it, once: the host in memory of its own, the guest in its own shared memory.
 * So for each row raised = sum of fates, always.
 */

export const FATES = [
  /** The driver's interrupt handler ran for it. Counted by the guest. */
  "delivered",
  /** Merged: the MSI-X pending bit, or the irq's pending latch, was already set (host). */
  "coalesced-pba",
  /** Merged: the INTx wire was already high, or masked with an assertion waiting (host). */
  "coalesced-line",
  /** Merged: the eventfd already held a count; the reader takes the sum as one (guest). */
  "coalesced-eventfd",
  /** Merged: the bit in the virtual APIC's IRR was already set (whoever sets it). */
  "coalesced-irr",
  /** Merged: the bit in the posted-interrupt descriptor was already set (host). */
  "coalesced-pir",
  /** Merged: the emulated MSI-X pending bit was already set (guest's VMM). */
  "coalesced-virtual-pba",
  /** Still waiting at the end: in the device's PBA or the irq's latch, or on a masked wire. */
  "pending-host",
  /** Still waiting at the end: in an eventfd nobody has read. */
  "pending-eventfd",
  /** Still waiting at the end: in the virtual APIC, the emulated PBA or a masked guest irq. */
  "pending-guest",
  /** Lost: the function's MSI or MSI-X was off, and INTx did not take it. */
  "dropped-disabled",
  /** Lost: bus mastering was off, so that the message could not leave the device. */
  "dropped-bus-master",
  /** Lost: nothing on the host handled it (no eventfd, no handler, INTx masked away by reset). */
  "dropped-no-handler",
  /** Lost: taken back by the device before anybody took it (INTx de-asserted, reset). */
  "dropped-withdrawn",
  /** Lost: its eventfd or irqfd was closed or unbound with the signal in it. */
  "dropped-closed",
  /** Lost: the guest had no handler for it (spurious vector, driver gone, masked for good). */
  "dropped-guest-unhandled",
  /** Lost: discarded by a system reset of the guest. */
  "dropped-guest-reset",
  /** Lost: the VM process died with it in flight. */
  "dropped-guest-dead",
] as const;

export type Fate = (typeof FATES)[number];

/** Column of each fate. */
export const FATE = Object.fromEntries(FATES.map((fate, i) => [fate, i])) as Readonly<
  Record<Fate, number>
>;

/** Counts of fates, a row for each interrupt source. Storage may be shared memory. */
export class FateCounts {
  readonly rows: number;
  readonly #counts: Float64Array;

  /** `storage` has `FateCounts.length(rows)` doubles; without it the counts are private. */
  constructor(rows: number, storage: Float64Array = new Float64Array(FateCounts.length(rows))) {
    this.rows = rows;
    this.#counts = storage;
  }

  static length(rows: number): number {
    return rows * FATES.length;
  }

  /** Counts `n` tokens of `row`; single writer. Hot path: no checks. */
  count(row: number, fate: number, n = 1): void {
    this.#counts[row * FATES.length + fate]! += n;
  }

  get(row: number, fate: number): number {
    return this.#counts[row * FATES.length + fate]!;
  }

  /** All fates of `row` together. */
  sum(row: number): number {
    let sum = 0;
    for (let fate = 0; fate < FATES.length; fate++) sum += this.get(row, fate);
    return sum;
  }
}
