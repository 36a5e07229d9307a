/** Durations, rates and counts as people write and read them. */
import { UsageError } from "./errors.ts";

/** Powers of ten of the units a duration may have, in nanoseconds; minutes and hours apart. */
const DURATION_EXPONENTS: Readonly<Record<string, number>> = { ns: 0, us: 3, µs: 3, ms: 6, s: 9 };
const DURATION_SECONDS: Readonly<Record<string, number>> = { m: 60, h: 3600 };
const RATE_EXPONENTS: Readonly<Record<string, number>> = { "": 0, k: 3, M: 6, G: 9 };
const SIZE_SHIFTS: Readonly<Record<string, number>> = { "": 0, k: 10, m: 20, g: 30 };

const NUMBER = String.raw`(\d{1,15}(?:\.\d{1,9})?)`;
const DURATION = new RegExp(`^${NUMBER} ?(ns|us|µs|ms|s|m|h)$`);
const RATE = new RegExp(`^${NUMBER} ?([kMG]?)/s$`);
const SIZE = /^(\d{1,15}) ?([kKmMgG]?)$/;

/** `"200ms"`, `"2.5s"`, `"1m"` in whole nanoseconds; a `UsageError` that says how to write it. */
export function parseDurationNs(text: string): number {
  const [, digits, unit] = DURATION.exec(text.trim()) ?? [];
  if (digits === undefined || unit === undefined) {
    throw new UsageError(`"${text}" is not a duration`, {
      hint: "write a number and one of ns, us, ms, s, m, h, such as 200ms",
    });
  }
  const seconds = DURATION_SECONDS[unit];
  if (seconds !== undefined) return Math.round(Number(`${digits}e9`) * seconds);
  // The exponent goes into the text: 1.1 * 1000 is not 1100, but 1.1e3 is.
  return Math.round(Number(`${digits}e${DURATION_EXPONENTS[unit]!}`));
}

/** `"20k/s"`, `"500/s"`, `"1.5M/s"` in events a second; a `UsageError` as for durations. */
export function parseRatePerSecond(text: string): number {
  const [, digits, prefix] = RATE.exec(text.trim()) ?? [];
  if (digits === undefined || prefix === undefined) {
    throw new UsageError(`"${text}" is not a rate`, {
      hint: "write a number, k, M or G if need be, and /s, such as 20k/s",
    });
  }
  return Number(`${digits}e${RATE_EXPONENTS[prefix]!}`);
}

/** `"64K"` is 65536: a whole number with a power of 1024, as the kernel's memparse() reads it. */
export function parseSize(text: string): number {
  const [, digits, suffix] = SIZE.exec(text.trim()) ?? [];
  if (digits === undefined || suffix === undefined) {
    throw new UsageError(`"${text}" is not a size`, {
      hint: "write a whole number, K, M or G (powers of 1024) if need be, such as 64K",
    });
  }
  const size = Number(digits) * 2 ** SIZE_SHIFTS[suffix.toLowerCase()]!;
  if (!Number.isSafeInteger(size)) throw new UsageError(`"${text}" is too large`);
  return size;
}

/** Three significant digits, no exponent: 1.23, 12.3, 123, 1234. */
function significant(value: number): string {
  if (value < 9.995) return value.toFixed(2);
  return value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}

/** The scaled value with the unit in which it has at most three digits before the point. */
function scaled(value: number, units: readonly string[]): string {
  const sign = value < 0 ? "-" : "";
  let size = Math.abs(value);
  if (size < 999.5 && Number.isInteger(size)) return `${sign}${size}${units[0]!}`;
  let unit = 0;
  // 999.5 would print as 1000.
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${sign}${significant(size)}${units[unit]!}`;
}

const HOUR_NS = 3_600e9;

/**
 * Nanoseconds for people: `850 ns`, `1.23 us`, `20.0 ms`, `3.00 s`, `24.0 h`; "-" if there is no
 * number.
 */
export function formatNs(ns: number): string {
  if (!Number.isFinite(ns)) return "-";
  if (Math.abs(ns) < HOUR_NS) return scaled(ns, [" ns", " us", " ms", " s"]);
  return `${ns < 0 ? "-" : ""}${significant(Math.abs(ns) / HOUR_NS)} h`;
}

/** A moment of a run, to a tenth of a ms: `1500.0 ms`; after an hour of it `18:23:00.2038`. */
export function formatMoment(ns: number): string {
  if (ns < HOUR_NS) return `${(ns / 1e6).toFixed(1)} ms`;
  const tenths = Math.round(ns / 1e5);
  const two = (value: number): string => `${Math.floor(value)}`.padStart(2, "0");
  const seconds = (tenths / 1e4) % 60;
  const fraction = `${tenths % 1e4}`.padStart(4, "0");
  const minutes = (tenths / 60e4) % 60;
  return `${Math.floor(tenths / 3_600e4)}:${two(minutes)}:${two(seconds)}.${fraction}`;
}

/** A rate for people: `500/s`, `20.0k/s`, `1.50M/s`; "-" if there is no number. */
export function formatRate(perSecond: number): string {
  return Number.isFinite(perSecond) ? scaled(perSecond, ["/s", "k/s", "M/s", "G/s"]) : "-";
}

/** A count with its thousands set apart: `2,098,176`; "-" if there is no number. */
export function formatCount(count: number): string {
  if (!Number.isFinite(count)) return "-";
  const digits = Math.abs(Math.round(count)).toFixed(0);
  return (count <= -0.5 ? "-" : "") + digits.replace(/\B(?=(\d{3})+$)/g, ",");
}
