/** Names in the order people expect: nvme2 before nvme10. The same on every machine. */

/** Compares names part by part, runs of digits as numbers. */
export function naturalOrder(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [one, other] = [left[i]!, right[i]!];
    const numbers = /^\d/.test(one) && /^\d/.test(other);
    const difference = numbers ? Number(one) - Number(other) : 0;
    if (difference !== 0) return difference;
    if (!numbers && one !== other) return one < other ? -1 : 1;
  }
  if (left.length !== right.length) return left.length - right.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Entries by name: what is read back from a file need not have the order it was made in. */
export function sortedEntries<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function partsOf(name: string): string[] {
  return name.match(/\d+|\D+/g) ?? [];
}
