/** Means with their intervals, short enough for a cell of a table. */
import { formatCount } from "../base/units.ts";

/** Three digits or so. */
export function shortText(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return formatCount(value);
  if (Math.abs(value) < 0.095) return value.toPrecision(1);
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}

/** `12.3~0.4`: half of the interval is left out where the mean's last digit would not show it. */
export function withInterval(mean: number, half: number): string {
  const text = shortText(mean);
  const digits = /\.(\d+)$/.exec(text)?.[1]?.length ?? 0;
  return half > 0.5 * 10 ** -digits ? `${text}~${shortText(half)}` : text;
}
