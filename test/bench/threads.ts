/** The threads engine end to end: raised to ISR, interrupts a second, start-up and memory. */
import { Worker } from "node:worker_threads";
import { median } from "../../src/measure/statistics.ts";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { allowedCpus } from "../../src/run/threads/pin.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";
import { type Bench, type BenchContext, type BenchResult, verify } from "./bench.ts";

export interface Load {
  readonly guests: number;
  /** Guests that have the workload; default: all. */
  readonly busy?: number;
  readonly vectors: number;
  readonly vcpus: number;
  readonly durationMs: number;
  readonly wait: "spin" | "park" | "adaptive";
  /** Default: irqfd. */
  readonly path?: "irqfd" | "posted" | "userspace";
  readonly workload: object;
}

const IDLE = { arrivals: "none" } as const;

function scenarioOf(load: Load) {
  const {
    guests,
    busy = guests,
    vectors,
    vcpus,
    durationMs,
    wait,
    path = "irqfd",
    workload,
  } = load;
  const some = (name: string, count: number, does: object): object[] =>
    count === 0 ? [] : [{ name, count, vcpus, device: `${name}d`, path, workload: does }];
  const devices = [
    ...(busy > 0 ? [{ name: "gd", count: busy }] : []),
    ...(guests > busy ? [{ name: "id", count: guests - busy }] : []),
  ];
  return scenarioFromData(
    {
      name: "bench",
      devices: devices.map((device) => ({ ...device, model: "nvme", msixVectors: vectors })),
      guests: [...some("g", busy, workload), ...some("i", guests - busy, IDLE)],
      duration: `${durationMs}ms`,
      run: { wait, stages: "ends" },
    },
    { engine: "threads" },
  );
}

/** The first two CPUs there are, for a host and a guest that share none; none if unknown. */
async function pair(): Promise<{ cpus: readonly number[] } | object> {
  const allowed = (await allowedCpus()) ?? [];
  return allowed.length >= 2 ? { cpus: allowed.slice(0, 2) } : {};
}

/** `pinned`: host and guest on a CPU each; else where the kernel puts them. */
export async function run(load: Load, pinned = false): Promise<RunResult> {
  const where = pinned ? await pair() : {};
  const result = await runScenario(scenarioOf(load), { engine: "threads", ...where });
  verify(result.partial === null, `run ended early: ${result.partial}`);
  for (const { check, ok, detail } of result.checks) verify(ok, `${check}: ${detail}`);
  return result;
}

function rounds(context: BenchContext): number {
  return context.quick ? 1 : 5;
}

interface Way {
  readonly path: "irqfd" | "posted" | "userspace";
  readonly wait: "spin" | "park";
  readonly name: string;
  /** Times its floor at most. */
  readonly ratioMax: number;
}

const WAYS: readonly Way[] = [
  { path: "irqfd", wait: "spin", name: "threads.oneway.p50", ratioMax: 2 },
  { path: "posted", wait: "spin", name: "threads.posted.oneway.p50", ratioMax: 1.3 },
  { path: "userspace", wait: "spin", name: "threads.userspace.oneway.p50", ratioMax: 4 },
  { path: "posted", wait: "park", name: "threads.park.p50", ratioMax: 1.2 },
];

interface OneWay {
  readonly value: number;
  readonly floor: number;
}

/** Where the cores of a virtual machine move meanwhile, floor and run are not of one machine. */
const DRIFT_MAX = { spin: 0.15, park: 0.4 } as const;
const TRIES_MAX = 8;
const SAMPLES_MIN = 1_000;

/**
 * Raised to ISR by doorbell, one command under way; less a clock reading. Null if something else
 * had the cores: few samples, or a floor that moved.
 */
async function oneWayOf({ path, wait }: Way, durationMs: number): Promise<OneWay | null> {
  const load: Load = {
    guests: 1,
    vectors: 2,
    vcpus: 1,
    durationMs,
    wait,
    path,
    workload: { arrivals: "closed", depth: 1 },
  };
  const { latency } = await run(load, true);
  const total = latency.stages.find(({ stage }) => stage === "total");
  const { floor } = latency;
  const raw = wait === "spin" ? floor?.spinOneWayNs : floor?.parkOneWayNs;
  if (total === undefined || floor === null || raw === null || raw === undefined) return null;
  const moved = Math.abs(floor.drift ?? 1) > DRIFT_MAX[wait];
  if (total.count < SAMPLES_MIN || moved) return null;
  return { value: total.p50 - floor.clockNs, floor: raw };
}

/** The same until the machine held still for it. */
async function oneWayAtRest(way: Way, durationMs: number): Promise<OneWay> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const measured = await oneWayOf(way, durationMs);
    if (measured !== null) return measured;
  }
  throw new Error(`${way.name}: the machine was never at rest: too few samples, or a moving floor`);
}

/** The ways in turns, so that a busy minute hits all of them. */
async function oneWay(context: BenchContext): Promise<BenchResult[]> {
  const samples: OneWay[][] = WAYS.map(() => []);
  for (let round = 0; round < rounds(context); round++) {
    for (const [i, way] of WAYS.entries())
      samples[i]!.push(await oneWayAtRest(way, context.quick ? 600 : 1_500));
  }
  return WAYS.map(({ name, wait, ratioMax }, i) => {
    const values = samples[i]!.map(({ value }) => value);
    const floors = samples[i]!.map(({ floor }) => floor);
    const ratio = median(values.map((value, round) => value / floors[round]!));
    return {
      name,
      value: median(values),
      unit: "ns",
      floorName: `raw ${wait} one way, same workers`,
      floor: median(floors),
      ratio,
      better: "lower",
      target: { text: `<= ${ratioMax} x floor`, met: ratio <= ratioMax },
    };
  });
}

interface Rate {
  readonly path: "irqfd" | "posted";
  readonly name: string;
  /** M/s. */
  readonly least: number;
}

const RATES: readonly Rate[] = [
  { path: "irqfd", name: "threads.interrupts", least: 4 },
  { path: "posted", name: "threads.posted.interrupts", least: 8 },
];

/** Delivered interrupts a second through one host worker, the device raising as fast as it can. */
async function rateOf(path: Rate["path"]): Promise<{ rate: number; floor: number }> {
  const { guests, durationNs, latency } = await run({
    guests: 1,
    vectors: 33,
    vcpus: 32,
    durationMs: 2_000,
    wait: "spin",
    path,
    workload: { arrivals: "fixed", rate: "20M/s", per: "device" },
  });
  const [probe] = guests[0]!.timeline.filter(({ event }) => event === "guest_io_start");
  verify(probe !== undefined, "the guest never started I/O");
  const rate = (guests[0]!.interrupts / (durationNs - probe!.at)) * 1e3;
  return { rate, floor: 1e3 / latency.floor!.spinOneWayNs! };
}

async function interrupts(context: BenchContext): Promise<BenchResult[]> {
  const samples: { rate: number; floor: number }[][] = RATES.map(() => []);
  for (let round = 0; round < rounds(context); round++) {
    for (const [i, { path }] of RATES.entries()) samples[i]!.push(await rateOf(path));
  }
  return RATES.map(({ name, least }, i) => {
    const value = median(samples[i]!.map(({ rate }) => rate));
    const floor = median(samples[i]!.map(({ floor }) => floor));
    return {
      name,
      value,
      unit: "M/s",
      floorName: "raw spin hand-overs, one at a time",
      floor,
      ratio: value / floor,
      better: "higher",
      target: { text: `>= ${least} M/s`, met: value >= least },
    };
  });
}

/** From nothing to sixteen booted guests and down again, beside as many empty workers. */
async function start16({ clock }: BenchContext): Promise<BenchResult[]> {
  const before = clock.now();
  const workers = Array.from({ length: 17 }, () => new Worker("0", { eval: true }));
  await Promise.all(
    workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve))),
  );
  const empty = clock.now() - before;
  const start = clock.now();
  await run({ guests: 16, vectors: 5, vcpus: 4, durationMs: 1, wait: "park", workload: IDLE });
  const value = (clock.now() - start) / 1e9;
  return [
    {
      name: "threads.start16",
      value,
      unit: "s",
      floorName: "17 empty workers",
      floor: empty / 1e9,
      ratio: (value * 1e9) / empty,
      better: "lower",
      target: { text: "< 3 s", met: value < 3 },
    },
  ];
}

/** Peak resident set of a run with `guests` guests, bytes. */
async function peakRss(guests: number): Promise<number> {
  let peak = 0;
  const load = { guests, vectors: 5, vcpus: 4, durationMs: 1_500, wait: "park", workload: IDLE };
  await runScenario(scenarioOf(load as Load), {
    engine: "threads",
    onProgress: () => {
      peak = Math.max(peak, process.memoryUsage.rss());
    },
  });
  return peak;
}

/** What one more guest adds to the resident set. */
async function guestRss(): Promise<BenchResult[]> {
  const one = await peakRss(1);
  const many = await peakRss(17);
  const value = (many - one) / 16 / 2 ** 20;
  return [
    {
      name: "threads.guest-rss",
      value,
      unit: "MiB",
      floorName: "",
      floor: null,
      ratio: null,
      better: "lower",
      target: { text: "< 30 MB", met: (many - one) / 16 < 30e6 },
    },
  ];
}

export const benches: Bench[] = [
  { name: "threads.oneway", run: oneWay },
  { name: "threads.interrupts", run: interrupts },
  { name: "threads.start16", run: start16 },
  { name: "threads.guest-rss", run: guestRss },
];
