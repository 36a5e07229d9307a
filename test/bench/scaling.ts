/** Interrupts a second against guests and vectors: how far it goes, what stops it, what helps. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { formatRate } from "../../src/base/units.ts";
import { tableLines, wrap } from "../../src/report/table.ts";
import type { ThreadInfo } from "../../src/run/outcome.ts";
import type { Progress } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";
import { type Bench, type BenchContext, type BenchResult, verify } from "./bench.ts";

/** Queues of one device: a driver has one a vCPU, and there are no more vCPUs. */
const QUEUES_MAX = 32;
/** More than any host raises, all devices together, so that it raises as fast as it can. */
const OFFERED = 20e6;
/** Boots are over by this share of a run. */
const SETTLED = 0.4;

interface Point {
  readonly name: string;
  readonly guests: number;
  readonly vectors: number;
  readonly load: "open" | "closed";
}

const GUESTS = [1, 2, 4, 8, 16, 32, 64];
const VECTORS = [1, 2, 8, 32, 128, 512, 2_048];

const POINTS: readonly Point[] = [
  ...GUESTS.map((guests): Point => {
    return { name: `guests-${guests}`, guests, vectors: 1, load: "open" };
  }),
  ...GUESTS.map((guests): Point => {
    return { name: `closed-${guests}`, guests, vectors: 1, load: "closed" };
  }),
  ...VECTORS.map((vectors): Point => {
    return { name: `vectors-${vectors}`, guests: 1, vectors, load: "open" };
  }),
];

/** Of a time span: shares of one core. */
interface Usage {
  readonly running: number;
  /** Ready to run, but others had the cores. */
  readonly queued: number;
}

interface Scaled {
  readonly point: Point;
  /** Interrupts that ISRs took, a second. */
  readonly delivered: number;
  /** Of what was raised. */
  readonly coalesced: number;
  /** Share of its time in which the host's worker did not wait. */
  readonly busy: number;
  /** Null where the kernel does not tell (no /proc). */
  readonly host: Usage | null;
  readonly guests: Usage | null;
}

function documentOf({ guests, vectors, load }: Point, durationMs: number): object {
  const queues = Math.min(QUEUES_MAX, vectors);
  const devices = Math.ceil(vectors / QUEUES_MAX);
  const perDevice = OFFERED / (guests * devices);
  const workload =
    load === "closed"
      ? { arrivals: "closed", depth: 8 }
      : { arrivals: "fixed", rate: `${perDevice}/s`, per: "device" };
  const names = (guest: number): string[] =>
    Array.from({ length: devices }, (_, i) => `d${guest}-${i}`);
  const all = Array.from({ length: guests }, (_, guest) => guest);
  return {
    name: "scaling",
    host: { cpus: 32 },
    devices: all.flatMap(names).map((name) => ({ name, model: "nvme", msixVectors: queues + 1 })),
    guests: all.map((guest) => ({
      name: `g${guest}`,
      vcpus: queues,
      devices: names(guest),
      path: "posted",
      workload,
    })),
    duration: `${durationMs}ms`,
    run: { wait: "adaptive", stages: "ends", limit: "300s" },
  };
}

/** Time on a core and time waiting for one, ns; null where nobody tells (proc(5), schedstat). */
function schedOf({ id }: ThreadInfo): { runningNs: number; queuedNs: number } | null {
  try {
    const text = readFileSync(`/proc/self/task/${id}/schedstat`, "utf8");
    const [runningNs = 0, queuedNs = 0] = text.split(" ").map(Number);
    return { runningNs, queuedNs };
  } catch {
    return null;
  }
}

/** What the threads did between the first look after the boots and the last. */
class Observer {
  #threads: readonly ThreadInfo[] = [];
  #first: ReturnType<Observer["look"]> | null = null;
  #last: ReturnType<Observer["look"]> | null = null;

  readonly onThreads = (threads: readonly ThreadInfo[]): void => {
    this.#threads = threads;
  };

  readonly onProgress = (progress: Progress): void => {
    if (progress.elapsedNs < SETTLED * progress.durationNs) return;
    this.#last = this.look(progress);
    this.#first ??= this.#last;
  };

  look({ elapsedNs, interrupts }: Progress) {
    return { elapsedNs, interrupts, sched: this.#threads.map(schedOf) };
  }

  /** Interrupts a second; and shares of one core that the host has, and all guests together. */
  result(): { perSecond: number; host: Usage | null; guests: Usage | null } {
    const [first, last] = [this.#first, this.#last];
    verify(first !== null && last !== null && last !== first, "the run was too short");
    const ns = last!.elapsedNs - first!.elapsedNs;
    const usages = last!.sched.map((sched, i): Usage | null => {
      const before = first!.sched[i];
      if (sched === null || before === null || before === undefined) return null;
      return {
        running: (sched.runningNs - before.runningNs) / ns,
        queued: (sched.queuedNs - before.queuedNs) / ns,
      };
    });
    const [host = null, ...guests] = usages;
    const known = guests.filter((usage) => usage !== null);
    const sum = (key: keyof Usage): number => known.reduce((total, usage) => total + usage[key], 0);
    return {
      perSecond: ((last!.interrupts - first!.interrupts) / ns) * 1e9,
      host,
      guests:
        known.length < guests.length ? null : { running: sum("running"), queued: sum("queued") },
    };
  }
}

async function measure(point: Point, { quick }: BenchContext): Promise<Scaled> {
  const { guests, vectors } = point;
  // Boots take longer with many guests, and with many vectors to set up.
  const durationMs = (quick ? 1_200 : 2_500) + 40 * guests + Math.ceil(vectors / 2);
  const observer = new Observer();
  const result = await runScenario(scenarioFromData(documentOf(point, durationMs)), {
    engine: "threads",
    onThreads: observer.onThreads,
    onProgress: observer.onProgress,
  });
  verify(result.partial === null, `run ended early: ${result.partial}`);
  for (const { check, ok, detail } of result.checks) verify(ok, `${check}: ${detail}`);
  const { raised, totals } = result.ledger;
  const { perSecond, host, guests: all } = observer.result();
  return {
    point,
    delivered: perSecond,
    coalesced: raised === 0 ? 0 : 1 - (totals.delivered ?? 0) / raised,
    busy: result.utilisation?.host ?? Number.NaN,
    host,
    guests: all,
  };
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
const usage = (found: Usage | null, key: keyof Usage): string =>
  found === null ? "-" : percent(found[key]);

function lines(scaled: readonly Scaled[]): string[] {
  const head = [
    "",
    "delivered",
    "coalesced",
    "host busy",
    "on a core",
    "queued",
    "guests on cores",
    "queued",
  ];
  const rows = scaled.map(({ point, delivered, coalesced, busy, host, guests }) => [
    point.name,
    formatRate(delivered),
    percent(coalesced),
    percent(busy),
    usage(host, "running"),
    usage(host, "queued"),
    usage(guests, "running"),
    usage(guests, "queued"),
  ]);
  return tableLines([head, ...rows]);
}

/** The host has all of a core that it can use. */
const FULL = 0.9;
/** So much more is worth having. */
const GAIN = 1.1;
/** Below this share of the cores for this program others have them, if its threads wait for one. */
const CROWDED_OUT = 0.75;

function crowdedOut(host: Usage, guests: Usage, cores: number): boolean {
  const used = host.running + guests.running;
  return host.queued + guests.queued > 0.1 && used < CROWDED_OUT * cores;
}

/** Where a series stops growing, and why, from its figures. */
function saturation(what: string, series: readonly Scaled[], cores: number): string {
  const best = series.reduce((a, b) => (b.delivered > a.delivered ? b : a));
  const at = series.find(({ delivered }) => delivered * GAIN >= best.delivered) ?? best;
  const { point, delivered, host, guests } = at;
  const size = what === "vectors" ? point.vectors : point.guests;
  const grows = `${what}: ${formatRate(delivered)} at ${size}, no more than a tenth beyond that`;
  if (host === null || guests === null) return `${grows}.`;
  return `${grows}; there ${reason(host, guests, cores)}.`;
}

function reason(host: Usage, guests: Usage, cores: number): string {
  const used = host.running + guests.running;
  const on = `the host's worker is on a core ${percent(host.running)} of the time`;
  if (crowdedOut(host, guests, cores)) {
    const had = `${used.toFixed(1)} of ${cores} cores`;
    return `this program had ${had}: others had the rest, repeat on a quiet machine`;
  }
  if (host.running >= FULL) return `${on}: it is what limits`;
  if (host.queued + guests.queued > 0.1 || used >= FULL * cores) {
    return (
      `${on} and waits ${percent(host.queued)} for one, guests wait for ` +
      `${percent(guests.queued)}: ${cores} cores are what limits`
    );
  }
  return `${on} and cores are free: neither limits, but the way from one thread to the other`;
}

/** A second host worker needs a core that is free while the first has no more to give. */
function sharding(scaled: readonly Scaled[], cores: number): string {
  const known = scaled.filter(({ host, guests }) => {
    return host !== null && guests !== null && !crowdedOut(host, guests, cores);
  });
  const candidates = known.filter(({ host, guests }) => {
    const free = cores - host!.running - guests!.running;
    return host!.running >= FULL && free > 1 - FULL;
  });
  if (known.length < scaled.length / 2) {
    return "sharding of the host's worker by IOMMU: other programs had the cores, or nobody tells.";
  }
  if (candidates.length === 0) {
    return (
      "sharding of the host's worker by IOMMU: at no point was it on a core nearly all the time " +
      "while another core was free, so a second worker had nothing to run on."
    );
  }
  const names = candidates.map(({ point }) => point.name).join(", ");
  return `sharding of the host's worker by IOMMU could help at: ${names}.`;
}

async function scaling(context: BenchContext): Promise<BenchResult[]> {
  const cores = availableParallelism();
  const scaled: Scaled[] = [];
  for (const point of POINTS) scaled.push(await measure(point, context));
  const of = (prefix: string): Scaled[] =>
    scaled.filter(({ point }) => point.name.startsWith(prefix));
  const text = [
    saturation("guests", of("guests-"), cores),
    saturation("guests in a closed loop", of("closed-"), cores),
    saturation("vectors", of("vectors-"), cores),
    sharding(scaled, cores),
  ];
  context.note(
    [
      `Scaling on ${cores} cores: posted path, adaptive waiting; shares are of one core`,
      ...lines(scaled),
      ...text.flatMap((sentence) => wrap(sentence, 94).map((line) => `  ${line}`)),
    ].join("\n"),
  );
  return scaled.map(({ point, delivered, coalesced, busy, host, guests }) => ({
    name: `scaling.${point.name}`,
    value: delivered / 1e6,
    unit: "M/s",
    floorName: "",
    floor: null,
    ratio: null,
    better: "higher",
    detail: {
      guests: point.guests,
      vectors: point.vectors,
      coalesced,
      hostBusy: busy,
      hostRunning: host?.running ?? null,
      hostQueued: host?.queued ?? null,
      guestsRunning: guests?.running ?? null,
      guestsQueued: guests?.queued ?? null,
    },
  }));
}

export const benches: Bench[] = [{ name: "scaling", run: scaling }];
