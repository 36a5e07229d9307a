/** The sample result with what plots need: who held what when, and histograms of all stages. */
import { Prng } from "../../src/base/prng.ts";
import { LatencyHistogram } from "../../src/measure/histogram.ts";
import type { PoolOccupancy } from "../../src/run/contract.ts";
import type { GuestResult, RunResult } from "../../src/run/result.ts";
import { SAMPLE } from "./sample-result.ts";

/** What each recorded value of the sample's `total` stage was, ns. */
export const TOTALS: readonly number[] = totals();

function totals(): number[] {
  const random = Prng.stream(1, "totals");
  return Array.from({ length: 5_000 }, () => Math.floor(640 / (1 - random.nextFloat()) ** 0.8));
}

function histogram(values: readonly number[]): LatencyHistogram {
  const sum = new LatencyHistogram();
  for (const value of values) sum.record(value);
  return sum;
}

/** `devices` of `vectors` each boot one after the other within the first second. */
export function occupancyOf(devices: readonly string[], vectors: number): PoolOccupancy {
  const at = [0, ...devices.map((_, i) => 100_000_000 + i * 10_000_000), 2_500_000_000];
  const held = (i: number): number[] => at.map((_, step) => (step > i ? vectors : 0));
  return {
    at,
    holders: [
      { name: "IO-APIC pin 21", irqs: at.map(() => 0), irtes: at.map(() => 1) },
      ...devices.map((name, i) => ({ name, irqs: held(i), irtes: held(i) })),
    ],
  };
}

export const FULL: RunResult = {
  ...SAMPLE,
  guests: SAMPLE.guests.map((guest, i) => ({ ...guest, devices: [`nvme${i}`] })),
  pool: { ...SAMPLE.pool, occupancy: occupancyOf(["nvme0", "nvme1"], 37) },
  latency: {
    ...SAMPLE.latency,
    histograms: {
      "raised->handler": histogram(TOTALS.map((ns) => ns * 0.2)).toJSON(),
      "signalled->woken": histogram(TOTALS.map((ns) => ns * 0.5)).toJSON(),
      total: histogram(TOTALS).toJSON(),
    },
  },
};

/** `count` guests with a device each, as dense hosts have them. */
export function withGuests(count: number): RunResult {
  const devices = Array.from({ length: count }, (_, i) => `nvme${i}`);
  const guests = devices.map((device, i): GuestResult => {
    return { ...FULL.guests[0]!, name: `vm${i}`, devices: [device] };
  });
  return { ...FULL, guests, pool: { ...FULL.pool, occupancy: occupancyOf(devices, 65) } };
}

/** Markup, formulas, quotes, control characters: what nobody should name a guest. */
export const HOSTILE = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>\u0000\u202e|=1+1`;

const NAMES = ["name", "guest", "source", "state", "device", "policy", "scenario", "kernel"];
const WORDS = ["cpuModel", "advice", "detail", "partial", "most", "idlest", "table", "version"];

/** The full result in which everything that can have a name has a hostile one. */
export function hostile(): RunResult {
  const all = [...NAMES, ...WORDS];
  return JSON.parse(JSON.stringify(FULL), (key, value: unknown) => {
    if (key === "devices" && Array.isArray(value)) return value.map(renamed);
    const isMap = typeof value === "object" && (key === "options" || key === "ioctls");
    if (isMap) return { ...value, [HOSTILE]: 1 };
    return all.includes(key) && typeof value === "string" ? value + HOSTILE : value;
  }) as RunResult;
}

function renamed(device: unknown): unknown {
  return typeof device === "string" ? device + HOSTILE : device;
}
