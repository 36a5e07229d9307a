/** Compact text for sets of small integers, as sysfs and the recordings print them: "0-3,7". */

/** Ascending numbers to ranges: [0, 1, 2, 7] is "0-2,7"; none is "". */
export function formatRanges(ascending: Iterable<number>): string {
  const parts: string[] = [];
  let first = -1;
  let last = -1;
  const flush = (): void => {
    if (first >= 0) parts.push(first === last ? `${first}` : `${first}-${last}`);
  };
  for (const value of ascending) {
    if (first >= 0 && value === last + 1) {
      last = value;
      continue;
    }
    flush();
    first = value;
    last = value;
  }
  flush();
  return parts.join(",");
}
