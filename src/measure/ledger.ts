/**
 * The ledger: host and guest counts put together, and every interrupt accounted for.
 *
 * For each row, raised = sum of the host's fates + sum of the guest's. A dead VM process cannot
 * count any more: what is missing there was in flight when it died.
 */
import { FATE, FATES, type Fate } from "./fates.ts";
import { type DeviceRows, rowName } from "./rows.ts";

/** What both sides counted for one guest; arrays as src/measure/fates.ts lays them out. */
export interface LedgerInput {
  readonly name: string;
  readonly rows: readonly DeviceRows[];
  /** False if the VM process is gone. */
  readonly alive: boolean;
  /** A number a row. */
  readonly raised: ArrayLike<number>;
  /** rows * FATES, counted by the host. */
  readonly hostFates: ArrayLike<number>;
  /** rows * FATES, counted by the guest in its own memory: hostile until checked. */
  readonly guestFates: ArrayLike<number>;
  /** A number a row: request bits that irqfds set in the guest's virtual APIC. */
  readonly injected: ArrayLike<number>;
}

/** Counts by fate; fates that are zero are left out. */
export type FateSums = Readonly<Partial<Record<Fate, number>>>;

export interface LedgerEntry {
  readonly guest: string;
  /** `nvme0 msix[3]`. */
  readonly source: string;
  readonly raised: number;
  readonly fates: FateSums;
}

/** A row that does not add up; `difference` is raised - sum, or injected - counted. */
export interface LedgerViolation {
  readonly guest: string;
  readonly source: string;
  readonly rule: "raised-is-sum" | "injected-is-counted" | "counts-are-counts";
  readonly raised: number;
  readonly sum: number;
  readonly difference: number;
}

export interface Ledger {
  /** Rows that raised or counted anything. */
  readonly rows: readonly LedgerEntry[];
  readonly raised: number;
  readonly totals: FateSums;
  readonly violations: readonly LedgerViolation[];
}

/** Puts the counts of all guests together. */
export function balanceLedger(guests: readonly LedgerInput[]): Ledger {
  const rows: LedgerEntry[] = [];
  const violations: LedgerViolation[] = [];
  for (const guest of guests) {
    for (let row = 0; row < guest.raised.length; row++) {
      const entry = balanceRow(guest, row, violations);
      if (entry !== null) rows.push(entry);
    }
  }
  const totals: Partial<Record<Fate, number>> = {};
  let raised = 0;
  for (const entry of rows) {
    raised += entry.raised;
    for (const fate of FATES) {
      const n = entry.fates[fate];
      if (n !== undefined) totals[fate] = (totals[fate] ?? 0) + n;
    }
  }
  return { rows, raised, totals, violations };
}

/** Adds up one row; null if nothing ever happened on it. */
function balanceRow(
  guest: LedgerInput,
  row: number,
  violations: LedgerViolation[],
): LedgerEntry | null {
  const raised = guest.raised[row]!;
  const fates: Partial<Record<Fate, number>> = {};
  let sum = 0;
  let guestSum = 0;
  let sane = true;
  FATES.forEach((fate, column) => {
    const at = row * FATES.length + column;
    const host = guest.hostFates[at] ?? 0;
    const claimed = guest.guestFates[at] ?? 0;
    const own = isCount(claimed) ? claimed : 0;
    sane &&= own === claimed && isCount(host);
    if (host + own !== 0) fates[fate] = host + own;
    guestSum += own;
    sum += host + own;
  });
  const source = rowName(guest.rows, row);
  const report = (rule: LedgerViolation["rule"], total: number, difference: number): void => {
    violations.push({ guest: guest.name, source, rule, raised, sum: total, difference });
  };
  if (!sane) report("counts-are-counts", sum, raised - sum);
  const missing = raised - sum;
  if (!guest.alive && missing > 0) {
    fates["dropped-guest-dead"] = (fates["dropped-guest-dead"] ?? 0) + missing;
  } else if (missing !== 0 && sane) {
    report("raised-is-sum", sum, missing);
  }
  // A level-triggered line may be injected again for one assertion, so INTx rows are left out.
  const injected = guest.injected[row] ?? 0;
  if (sane && guest.alive && !isIntx(guest.rows, row) && injected > guestSum) {
    report("injected-is-counted", guestSum, injected - guestSum);
  }
  if (raised === 0 && sum === 0) return null;
  return { guest: guest.name, source, raised, fates };
}

/** A number a counter can hold; anything else was written by somebody who means it badly. */
function isCount(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0;
}

function isIntx(rows: readonly DeviceRows[], row: number): boolean {
  return rows.some((device) => device.base === row);
}

/** A violation in words. */
export function describeViolation(violation: LedgerViolation): string {
  const { guest, source, rule, raised, sum, difference } = violation;
  const at = `${guest} ${source}`;
  switch (rule) {
    case "raised-is-sum":
      return `${at}: raised ${raised}, fates add up to ${sum}: ${unaccounted(difference)}`;
    case "injected-is-counted":
      return `${at}: irqfds injected ${sum + difference}, the guest accounts for ${sum}`;
    case "counts-are-counts":
      return `${at}: a count is negative, broken or too big`;
  }
}

function unaccounted(difference: number): string {
  return difference > 0 ? `${difference} vanished` : `${-difference} counted twice`;
}

/** How interrupts ended, in four classes; `dropped` is what `lost` means in expectations. */
export interface FateClasses {
  readonly delivered: number;
  readonly coalesced: number;
  readonly pending: number;
  readonly dropped: number;
}

export function classifyFates(totals: FateSums): FateClasses {
  const sums = { delivered: 0, coalesced: 0, pending: 0, dropped: 0 };
  for (const fate of FATES) {
    const kind = fate.split("-", 1)[0] as keyof FateClasses;
    sums[kind] += totals[fate] ?? 0;
  }
  return sums;
}

/** `n` counts of one fate on a row of a flat array, for those who build one by hand. */
export function fateAt(row: number, fate: Fate): number {
  return row * FATES.length + FATE[fate];
}
