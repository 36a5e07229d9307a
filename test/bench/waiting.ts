/** Spinning, parking and adaptive waiting, from more cores than threads to far too few. */
import { availableParallelism } from "node:os";
import { median } from "../../src/measure/statistics.ts";
import type { Bench, BenchContext, BenchResult } from "./bench.ts";
import { type Load, run } from "./threads.ts";

const KINDS = ["spin", "park", "adaptive"] as const;
type Kind = (typeof KINDS)[number];

interface Crowd {
  readonly name: string;
  readonly guests: number;
  /** Guests that have something to do. */
  readonly busy: number;
}

const CROWDS: readonly Crowd[] = [
  { name: "1", guests: 1, busy: 1 },
  { name: "2", guests: 2, busy: 2 },
  { name: "4", guests: 4, busy: 4 },
  { name: "16", guests: 16, busy: 16 },
  { name: "16-idle", guests: 16, busy: 1 },
  { name: "64", guests: 64, busy: 64 },
];

const LEAST_NS = 100e6;
/** How much worse than the better of the others it may look before it has lost, noise and all. */
const MARGIN = 1.25;

interface Waited {
  /** Thousand interrupts a second, all guests together, while they had something to do. */
  readonly rate: number;
  readonly p50: number;
  /** CPU time of the whole process for each interrupt, ns. */
  readonly cpu: number;
}

async function waited({ guests, busy }: Crowd, wait: Kind, quick: boolean): Promise<Waited> {
  const durationMs = (quick ? 600 : 1_500) + 100 * guests;
  const load: Load = {
    guests,
    busy,
    vectors: 2,
    vcpus: 1,
    durationMs,
    wait,
    path: "posted",
    workload: { arrivals: "closed", depth: 1 },
  };
  const start = process.cpuUsage();
  const result = await run(load);
  const { user, system } = process.cpuUsage(start);
  const total = result.latency.stages.find(({ stage }) => stage === "total");
  let rate = 0;
  let interrupts = 0;
  for (const guest of result.guests.slice(0, busy)) {
    const began = guest.timeline.find(({ event }) => event === "guest_io_start");
    interrupts += guest.interrupts;
    // One that came up at the very end tells nothing.
    const forNs = result.durationNs - (began?.at ?? result.durationNs);
    if (forNs > LEAST_NS) rate += guest.interrupts / forNs;
  }
  return { rate: rate * 1e6, p50: total?.p50 ?? 0, cpu: ((user + system) * 1e3) / interrupts };
}

/** The kinds in turns; medians of the rounds. */
async function compare(crowd: Crowd, { quick }: BenchContext): Promise<Record<Kind, Waited>> {
  const samples: Record<Kind, Waited[]> = { spin: [], park: [], adaptive: [] };
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    for (const kind of KINDS) samples[kind].push(await waited(crowd, kind, quick));
  }
  const middle = (kind: Kind): Waited => ({
    rate: median(samples[kind].map(({ rate }) => rate)),
    p50: median(samples[kind].map(({ p50 }) => p50)),
    cpu: median(samples[kind].map(({ cpu }) => cpu)),
  });
  return { spin: middle("spin"), park: middle("park"), adaptive: middle("adaptive") };
}

function line({ name, guests }: Crowd, by: Record<Kind, Waited>): string {
  const cells = KINDS.map((kind) => {
    const { rate, p50, cpu } = by[kind];
    const figures = [`${rate.toFixed(1)} k/s`, `${(p50 / 1e3).toFixed(1)} us`];
    return [...figures, `${(cpu / 1e3).toFixed(1)} us CPU`]
      .map((text) => text.padStart(12))
      .join("");
  });
  return `${name.padEnd(9)}${`${guests + 1}`.padStart(7)}  ${cells.join("  |")}`;
}

async function runAll(context: BenchContext): Promise<BenchResult[]> {
  const head = `guests   threads  ${KINDS.map((kind) => kind.padEnd(38)).join("|")}`;
  const lines = [`waiting on ${availableParallelism()} cores; CPU time is per interrupt`, head];
  const results: BenchResult[] = [];
  for (const crowd of CROWDS) {
    const by = await compare(crowd, context);
    lines.push(line(crowd, by));
    const best = Math.max(by.spin.rate, by.park.rate);
    const value = by.adaptive.rate;
    results.push({
      name: `waiting.${crowd.name}.adaptive`,
      value,
      unit: "k/s",
      floorName: by.spin.rate > by.park.rate ? "spinning" : "parking",
      floor: best,
      ratio: value / best,
      better: "higher",
      target: { text: "as good as the better one", met: value * MARGIN >= best },
    });
  }
  context.note(lines.join("\n"));
  return results;
}

export const benches: Bench[] = [{ name: "waiting", run: runAll }];
