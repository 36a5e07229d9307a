/**
 * Who holds what of a short table without a handler, and whether that would have sufficed. An irq
 * that is on its way to a handler, or between two eventfds, is not idle: who asks in that moment
 * would not have got it however drivers keep theirs.
 */
import type { IdleView } from "./failures.ts";
import type { ClientIrqs } from "./irq-desc.ts";
import type { MsiParent } from "./msi-parent.ts";
import { type EntryTable, rowFits } from "./remapping.ts";
import { CPU_VECTORS, type Shortage } from "./shortage.ts";

/** All others than the asker, by what `domain` serves them from. Not for hot paths. */
export function idleView(
  shortage: Shortage,
  clients: Iterable<ClientIrqs>,
  domain: MsiParent,
): IdleView {
  let idle = 0;
  let idlest: string | null = null;
  let idlestIdle = 0;
  const others: ClientIrqs[] = [];
  for (const irqs of clients) {
    if (irqs.name === shortage.for) continue;
    const has = idleOf(shortage, irqs, domain);
    if (has === 0) continue;
    others.push(irqs);
    idle += has;
    if (has > idlestIdle) [idlest, idlestIdle] = [irqs.client.fn.name, has];
  }
  // Of one entry the number decides: whoever looks for it looks no further.
  const rowFits = shortage.asked > 1 && fitsInRow(shortage, others, domain, idle);
  return { idle, idlest, idlestIdle, rowFits };
}

function idleOf({ table }: Shortage, irqs: ClientIrqs, domain: MsiParent): number {
  const { held } = irqs;
  const { idle } = irqs.client;
  if (table === CPU_VECTORS) return Math.min(held.idleVectors, idle?.size ?? held.idleVectors);
  if (domain.tableOf(irqs)?.name !== table) return 0;
  if (idle === undefined) return held.idleEntries;
  // Of a block that has just been taken, or is about to go, not even the rest is idle.
  if (irqs.count > 0 && idle.size + held.armed === 0) return 0;
  const padding = held.entries - irqs.count;
  return idle.size + padding;
}

/** It has an irq, no handler, and nobody is just giving it one. */
function isIdle(irqs: ClientIrqs, index: number): boolean {
  const { idle } = irqs.client;
  return irqs.holds(index) && irqs.actions[index] === null && idle?.has(index) !== false;
}

/**
 * Where entries have places, they decide. Elsewhere the numbers do: an ITS gives and takes whole
 * blocks, so that its answer says what idle LPIs would have been worth, could they be had.
 */
function fitsInRow(
  { asked, largest }: Shortage,
  others: readonly ClientIrqs[],
  domain: MsiParent,
  idle: number,
): boolean {
  const table = others[0] === undefined ? null : domain.tableOf(others[0]);
  const bitmap = (table as Partial<EntryTable> | null)?.bitmap;
  if (bitmap === undefined) return idle >= asked - largest;
  return rowFits(bitmap, asked, others.flatMap(idleRanges));
}

/** Entries of irqs without a handler: MSI-X one by one, a block of MSI as a whole or not at all. */
function idleRanges(irqs: ClientIrqs): { first: number; count: number }[] {
  if (irqs.kind === "msi") {
    if (irqs.held.armed > 0 || !isIdle(irqs, 0)) return [];
    return [{ first: irqs.irtes[0]!, count: irqs.held.entries }];
  }
  const ranges: { first: number; count: number }[] = [];
  for (let index = 0; index < irqs.irtes.length; index++) {
    if (!isIdle(irqs, index)) continue;
    const first = irqs.irtes[index]!;
    const last = ranges.at(-1);
    if (last !== undefined && last.first + last.count === first) last.count++;
    else ranges.push({ first, count: 1 });
  }
  return ranges;
}
