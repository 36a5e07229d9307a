/** Lists, numbers and places as sentences have them. */
import { formatCount } from "../base/units.ts";

/** `a`, `a and b`, `a, b and c`. */
export function listText(items: readonly string[]): string {
  if (items.length < 2) return items[0] ?? "";
  return `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

/** `1 seed`, `5 seeds`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${formatCount(n)} ${n === 1 ? one : many}`;
}

/** A mean of counts: whole, or with one digit; below that as much as shows that it is not zero. */
export function meanText(mean: number): string {
  if (Number.isInteger(mean) || Math.abs(mean) >= 100) return formatCount(mean);
  return Math.abs(mean) < 0.1 ? mean.toPrecision(1) : mean.toFixed(1);
}

const NUMBERS_LISTED = 4;

/** `nic0 to nic7, disk`: numbered names of one kind are counted together. */
export function namesText(names: readonly string[]): string {
  const kinds = new Map<string, number[]>();
  for (const name of names) {
    const [, kind = name, digits] = /^(.*?)(\d+)?$/.exec(name) ?? [];
    const numbers = kinds.get(kind) ?? [];
    if (digits !== undefined) numbers.push(Number(digits));
    kinds.set(kind, numbers);
  }
  const parts = [...kinds].map(([kind, numbers]) => {
    if (numbers.length < 3) return numbers.map((n) => `${kind}${n}`).join(", ") || kind;
    const sorted = numbers.sort((a, b) => a - b);
    const [first, last] = [sorted[0]!, sorted.at(-1)!];
    const whole = last - first + 1 === sorted.length;
    if (whole) return `${kind}${first} to ${kind}${last}`;
    const listed = sorted.slice(0, NUMBERS_LISTED).map((n) => `${kind}${n}`);
    const more = sorted.length - listed.length;
    return listed.join(", ") + (more > 0 ? ` and ${more} more` : "");
  });
  return listText(parts);
}

/** One VMM on one topology. */
export interface PlaceName {
  readonly vmm: string;
  readonly topology: string;
}

/**
 * `qemu 10.0 and crosvm on vtd and amd; dpdk on every topology`: VMMs that have the same topologies
 * stand together. `all` is what there is.
 */
export function placesText(places: readonly PlaceName[], all: readonly PlaceName[]): string {
  const topologies = distinct(all.map(({ topology }) => topology));
  const vmms = distinct(all.map(({ vmm }) => vmm));
  const groups = new Map<string, { readonly vmms: string[]; readonly on: readonly string[] }>();
  for (const vmm of vmms) {
    const on = topologies.filter((topology) =>
      places.some((place) => place.vmm === vmm && place.topology === topology),
    );
    if (on.length === 0) continue;
    const group = groups.get(on.join("\n")) ?? { vmms: [], on };
    group.vmms.push(vmm);
    groups.set(on.join("\n"), group);
  }
  const part = (group: { readonly vmms: readonly string[]; readonly on: readonly string[] }) => {
    const isAll = group.vmms.length === vmms.length && vmms.length > 1;
    const who = isAll ? "every VMM" : listText(group.vmms);
    const isEvery = group.on.length === topologies.length && topologies.length > 1;
    return `${who} on ${isEvery ? "every topology" : listText(group.on)}`;
  };
  return [...groups.values()].map(part).join("; ");
}

/** Items of which the same is said. */
export function together(
  items: readonly string[],
  say: (item: string) => string,
): { readonly text: string; readonly items: readonly string[] }[] {
  return distinct(items.map(say)).map((text) => ({
    text,
    items: items.filter((item) => say(item) === text),
  }));
}

export function distinct(items: readonly string[]): string[] {
  return [...new Set(items)];
}
