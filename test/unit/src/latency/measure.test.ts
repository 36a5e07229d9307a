/** Runs put together: ways of waiting apart, floors of their own, intervals, warnings. */
import { describe, expect, it, test } from "vitest";
import { renderMeasurement } from "../../../../src/latency/formats.ts";
import { measurementOf } from "../../../../src/latency/measure.ts";
import type { LatencyMeasurement, LatencySettings } from "../../../../src/latency/measurement.ts";
import { LatencyHistogram } from "../../../../src/measure/histogram.ts";
import { summariseStages } from "../../../../src/measure/stages.ts";
import type { RunResult, WakeLatency, Warning } from "../../../../src/run/result.ts";
import { SAMPLE } from "../../../support/sample-result.ts";

const SETTINGS: LatencySettings = {
  engine: "threads",
  guests: 1,
  vectors: 2,
  vcpus: 1,
  path: "irqfd",
  wait: "adaptive",
  load: { kind: "open", perSecond: 1_000 },
  durationNs: 1e9,
  warmupNs: 0,
  runs: 1,
  seed: 1,
  kernel: "linux-6.12",
  cpus: null,
  breakOnNs: null,
};

function histogram(values: readonly number[]): LatencyHistogram {
  const sum = new LatencyHistogram();
  for (const value of values) sum.record(value);
  return sum;
}

function waiting(values: readonly number[], coalesced: readonly number[] = []): WakeLatency {
  const total = histogram(values);
  return {
    stages: summariseStages(new Map([["total", total]])),
    histograms: values.length === 0 ? {} : { total: total.toJSON() },
    coalesced: coalesced.length === 0 ? null : histogram(coalesced).toJSON(),
  };
}

interface Parts {
  readonly seed?: number;
  readonly spinning?: WakeLatency;
  readonly parked?: WakeLatency;
  readonly raised?: number;
  readonly coalesced?: number;
  readonly warnings?: readonly Warning[];
  readonly violations?: readonly string[];
  readonly coreWait?: number;
}

/** One guest whose device was in use for a second. */
function result(parts: Parts): RunResult {
  const { seed = 1, raised = 1_000, coalesced = 0, warnings = [], violations = [] } = parts;
  const fates = { delivered: raised - coalesced, "coalesced-irr": coalesced };
  return {
    ...SAMPLE,
    provenance: { ...SAMPLE.provenance, seed },
    durationNs: 1.5e9,
    guests: [
      {
        ...SAMPLE.guests[0]!,
        timeline: [{ at: 0.5e9, event: "guest_io_start", detail: "" }],
      },
    ],
    ledger: {
      rows: [{ guest: "g1", source: "nvme0 msix[1]", raised, fates }],
      raised,
      totals: fates,
      violations,
    },
    latency: {
      ...SAMPLE.latency,
      byWake: {
        spinning: parts.spinning ?? waiting([]),
        parked: parts.parked ?? waiting([]),
      },
    },
    utilisation: { host: 0.97, guests: 0.4 },
    warnings,
  };
}

const SPUN = Array.from({ length: 2_000 }, (_, i) => 1_000 + i);
const PARKED = Array.from({ length: 2_000 }, (_, i) => 61_000 + i);

function measure(settings: Partial<LatencySettings>, ...runs: Parts[]): LatencyMeasurement {
  return measurementOf({ ...SETTINGS, ...settings }, runs.map(result), {
    clockStepNs: 10,
    coreWaits: runs.map(({ coreWait = null }) => coreWait),
  });
}

function words({ warnings }: LatencyMeasurement): string {
  return warnings.map(({ text, advice }) => `${text} -> ${advice}`).join("\n");
}

describe("spinning and parked samples", () => {
  const measured = measure({}, { spinning: waiting(SPUN), parked: waiting(PARKED) });

  it("are never mixed", () => {
    expect(measured.wakes.map(({ wake, stages }) => [wake, stages.at(-1)!.count])).toEqual([
      ["spinning", 2_000],
      ["parked", 2_000],
    ]);
    expect(measured.wakes.map(({ stages }) => stages.at(-1)!.min)).toEqual([1_000, 61_000]);
  });

  it("are compared with the floor of their own way of waiting", () => {
    expect(measured.wakes.map(({ floorNs }) => floorNs)).toEqual([140, 6_100]);
    const [spinning, parked] = measured.wakes;
    expect(spinning!.ratio!.p50).toBeCloseTo(2_000 / 140, 1);
    expect(parked!.ratio!.p50).toBeCloseTo(62_000 / 6_100, 1);
  });

  it("are left out where there are none", () => {
    const { wakes } = measure({}, { spinning: waiting(SPUN) });
    expect(wakes.map(({ wake }) => wake)).toEqual(["spinning"]);
  });

  it("have a table each, and .hgrm has the larger of them", async () => {
    const text = await renderMeasurement(measured, "text");
    expect(text).toContain("guest spinning\n");
    expect(text).toContain("guest parked\n");
    const more = measure({}, { spinning: waiting(SPUN), parked: waiting(PARKED.slice(1)) });
    const hgrm = await renderMeasurement(more, "hgrm");
    expect(hgrm).toMatch(/#\[Guest = spinning; 1999 others left out, see -o json\]\n$/);
  });
});

test("every arrival is the samples and what merged with them, each with its own latency", () => {
  const parts = { spinning: waiting(SPUN, [500_000, 600_000]), coalesced: 2, raised: 2_002 };
  const [wake] = measure({}, parts).wakes;
  expect(wake!.stages.at(-1)).toMatchObject({ count: 2_000, max: 2_999 });
  expect(wake!.everyArrival).toMatchObject({ count: 2_002, max: 600_000, min: 1_000 });
  expect(measure({}, { spinning: waiting(SPUN) }).wakes[0]!.everyArrival).toBeNull();
});

test("over several runs: all samples together, and the mean of the runs with its interval", () => {
  const runs = [1_000, 1_100, 1_200].map((ns, seed) => ({ seed, spinning: waiting([ns, ns]) }));
  const { wakes, interrupts } = measure({ runs: 3 }, ...runs);
  const { stages, intervals } = wakes[0]!;
  expect([stages[0]!.count, stages[0]!.min, stages[0]!.max]).toEqual([6, 1_000, 1_200]);
  expect(interrupts.raised).toBe(3_000);
  const { mean, low, high } = intervals.p50;
  expect(mean).toBe(1_100);
  // Student's t of two degrees of freedom is 4.303; the standard error 100 / sqrt(3).
  expect(high! - mean).toBeCloseTo((4.303 * 100) / Math.sqrt(3), 3);
  expect(mean - low!).toBeCloseTo(high! - mean, 6);
});

test("percentiles that so few samples do not tell are left out of the page", async () => {
  const text = await renderMeasurement(measure({}, { spinning: waiting(SPUN) }), "text");
  expect(text).toMatch(/\n {2}total +2,000( +[\d.]+ us){5} +- +3\.00 us\n/);
});

describe("warnings", () => {
  it("are none where all is well", () => {
    expect(measure({}, { spinning: waiting(SPUN) }).warnings).toEqual([]);
  });

  it("of several runs are told once, and in how many they were", () => {
    const warnings = [{ text: "the floor rose by 30 %", advice: "repeat" }];
    const runs = [1, 2, 3].map((seed) => ({ seed, spinning: waiting(SPUN), warnings }));
    expect(words(measure({ runs: 3 }, ...runs, { spinning: waiting(SPUN) }))).toBe(
      "the floor rose by 30 % (so in 3 of 4 runs) -> repeat",
    );
  });

  it("tell achieved beside asked, and how busy the host was", () => {
    const slow = { spinning: waiting(SPUN), raised: 800 };
    expect(words(measure({}, slow))).toContain(
      "rate not reached: 800/s of 1.00k/s were raised; the host's worker was busy 97 % of its time",
    );
    expect(words(measure({ guests: 2 }, slow))).toContain("of 2.00k/s were raised");
    expect(words(measure({ load: { kind: "closed", depth: 1 } }, slow))).toBe("");
  });

  it("say when others had the cores, and when no device was ever used", () => {
    const runs = [0.01, 0.4].map((coreWait) => ({ spinning: waiting(SPUN), coreWait }));
    expect(words(measure({ runs: 2 }, ...runs))).toContain("had no core for 40 % of a run");
    expect(words(measure({}, { spinning: waiting(SPUN), coreWait: 0.01 }))).toBe("");
    const idle = { ...result({}), guests: [{ ...SAMPLE.guests[0]!, timeline: [] }] };
    const around = { clockStepNs: 10, coreWaits: [] };
    const measured = measurementOf(SETTINGS, [idle], around);
    expect(words(measured)).toContain("no device was ever put to use");
  });

  it("leave chance out: of few random arrivals many may be missing", () => {
    const load = { kind: "open", perSecond: 25 } as const;
    const samples = { spinning: waiting(SPUN) };
    expect(words(measure({ load }, { ...samples, raised: 18 }))).toBe("");
    expect(words(measure({ load }, { ...samples, raised: 10 }))).toContain("rate not reached");
  });

  it("of a coarse clock, of idle vectors, of few samples, of runs that differ", () => {
    const coarse = measurementOf(SETTINGS, [result({ spinning: waiting(SPUN) })], {
      clockStepNs: 1_000,
      coreWaits: [],
    });
    expect(words(coarse)).toContain("the clock steps by 1.00 us");
    const idle = measure({ vectors: 9, vcpus: 4 }, { spinning: waiting(SPUN) });
    expect(words(idle)).toContain("4 of 8 I/O vectors are in use");
    const few = measure({}, { spinning: waiting([1_000]) });
    expect(words(few)).toContain("too few samples (1)");
    const spread = [1_000, 9_000].map((ns) => ({ spinning: waiting(SPUN.map((x) => x + ns)) }));
    expect(words(measure({ runs: 2 }, ...spread))).toContain("the runs differ: the median");
  });
});

test("a source whose fates do not add up is worse than any latency", async () => {
  const measured = measure({}, { spinning: waiting(SPUN), violations: ["nvme0 msix[1]: 1 != 2"] });
  const text = await renderMeasurement(measured, "text");
  expect(text).toContain("INVARIANT VIOLATED with seed 1: nvme0 msix[1]: 1 != 2");
});
