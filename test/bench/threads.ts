/** The threads engine end to end: raised to ISR, interrupts a second, start-up and memory. */
import { Worker } from "node:worker_threads";
import { median } from "../../src/measure/statistics.ts";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";
import { type Bench, type BenchContext, type BenchResult, verify } from "./bench.ts";

interface Load {
  readonly guests: number;
  readonly vectors: number;
  readonly vcpus: number;
  readonly durationMs: number;
  readonly wait: "spin" | "park" | "adaptive";
  readonly workload: object;
}

function scenarioOf({ guests, vectors, vcpus, durationMs, wait, workload }: Load) {
  return scenarioFromData(
    {
      name: "bench",
      devices: [{ name: "nvme", count: guests, model: "nvme", msixVectors: vectors }],
      guests: [{ name: "g", count: guests, vcpus, device: "nvme", path: "irqfd", workload }],
      duration: `${durationMs}ms`,
      run: { wait, stages: "ends" },
    },
    { engine: "threads" },
  );
}

async function run(load: Load): Promise<RunResult> {
  const result = await runScenario(scenarioOf(load), { engine: "threads" });
  verify(result.partial === null, `run ended early: ${result.partial}`);
  for (const { check, ok, detail } of result.checks) verify(ok, `${check}: ${detail}`);
  return result;
}

function rounds(context: BenchContext): number {
  return context.quick ? 1 : 5;
}

/** Raised to ISR by doorbell, one command under way, both sides spinning; less a clock reading. */
async function oneWay(context: BenchContext): Promise<BenchResult[]> {
  const values: number[] = [];
  const floors: number[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < rounds(context); round++) {
    const { latency } = await run({
      guests: 1,
      vectors: 2,
      vcpus: 1,
      durationMs: 1_500,
      wait: "spin",
      workload: { arrivals: "closed", depth: 1 },
    });
    const total = latency.stages.find(({ stage }) => stage === "total");
    const { floor } = latency;
    verify(total !== undefined && total.count > 10_000 && floor !== null, "no samples");
    const value = total!.p50 - floor!.clockNs;
    values.push(value);
    const raw = floor!.spinOneWayNs!;
    floors.push(raw);
    ratios.push(value / raw);
  }
  return [
    {
      name: "threads.oneway.p50",
      value: median(values),
      unit: "ns",
      floorName: "raw spin one way, same workers",
      floor: median(floors),
      ratio: median(ratios),
      better: "lower",
      target: { text: "<= 2 x floor", met: median(ratios) <= 2 },
    },
  ];
}

/** Delivered interrupts a second through one host worker, the device raising as fast as it can. */
async function interrupts(context: BenchContext): Promise<BenchResult[]> {
  const rates: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < rounds(context); round++) {
    const { guests, durationNs, latency } = await run({
      guests: 1,
      vectors: 17,
      vcpus: 16,
      durationMs: 2_000,
      wait: "spin",
      workload: { arrivals: "fixed", rate: "20M/s", per: "device" },
    });
    const [probe] = guests[0]!.timeline.filter(({ event }) => event === "guest_io_start");
    verify(probe !== undefined, "the guest never started I/O");
    rates.push((guests[0]!.interrupts / (durationNs - probe!.at)) * 1e3);
    floors.push(1e3 / latency.floor!.spinOneWayNs!);
  }
  const value = median(rates);
  return [
    {
      name: "threads.interrupts",
      value,
      unit: "M/s",
      floorName: "raw spin hand-overs, one at a time",
      floor: median(floors),
      ratio: value / median(floors),
      better: "higher",
      target: { text: ">= 4 M/s", met: value >= 4 },
    },
  ];
}

const IDLE = { arrivals: "none" } as const;

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
