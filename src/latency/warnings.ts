/** What to know about a measurement before believing it, and what to do about each. */
import { formatCount, formatNs, formatRate } from "../base/units.ts";
import type { RunResult, Warning } from "../run/result.ts";
import { type LatencyMeasurement, type LatencyRun, vectorsUsed } from "./measurement.ts";

/** Shares beyond which something is worth a word. */
const RATE_MISSED = 0.05;
const COALESCED = 0.01;
const SPREAD = 0.2;
const CORE_WAIT = 0.02;
/** A step of the clock may be this share of the median. */
const CLOCK_STEP = 0.1;

type Measured = Omit<LatencyMeasurement, "warnings">;

export function measurementWarnings(
  measured: Measured,
  results: readonly RunResult[],
  clockStepNs: number,
): Warning[] {
  return [
    ...ofRuns(results),
    ...coreWarning(measured),
    ...rateWarning(measured),
    ...coalescedWarning(measured),
    ...vectorsWarning(measured),
    ...clockWarning(measured, clockStepNs),
    ...fewWarning(measured),
    ...spreadWarning(measured),
  ];
}

/** Said of one table for both; here each has its own. */
const MIXED = /^workers were woken both/;

/** Those of the runs; what several say, with other figures, once. */
function ofRuns(results: readonly RunResult[]): Warning[] {
  const byAdvice = new Map<string, { text: string; runs: number }>();
  for (const { warnings } of results) {
    for (const { text, advice } of warnings) {
      if (MIXED.test(text)) continue;
      const known = byAdvice.get(advice);
      if (known === undefined) byAdvice.set(advice, { text, runs: 1 });
      else known.runs++;
    }
  }
  return [...byAdvice].map(([advice, { text, runs }]) => {
    const more = runs > 1 ? ` (so in ${runs} of ${results.length} runs)` : "";
    return { text: text + more, advice };
  });
}

/** The cores were there, but others ran on them. */
function coreWarning({ runs }: Measured): Warning[] {
  const waits = runs.flatMap(({ coreWait }) => coreWait ?? []);
  const longest = Math.max(0, ...waits);
  if (longest <= CORE_WAIT) return [];
  return [
    {
      text: `a thread was ready to run but had no core for ${percent(longest)} of a run`,
      advice: "stop what else runs here, use fewer --guests or --wait park, or choose idle --cpus",
    },
  ];
}

/** What is raised a second in all, mean of the runs; null if no device was ever used. */
export function achievedRate(runs: readonly LatencyRun[]): number | null {
  const rates = runs.flatMap(({ perSecond }) => perSecond ?? []);
  return rates.length === 0 ? null : rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
}

/** What was asked for, all guests together; null where the guest sets the pace. */
export function askedRate({ settings: { load, guests } }: Measured): number | null {
  return load.kind === "closed" ? null : load.perSecond * guests;
}

const NEVER_USED: Warning = {
  text: "no device was ever put to use: the guests did not come up in time",
  advice: "measure for longer (--duration), with fewer --guests, or with --wait park",
};

function rateWarning(measured: Measured): Warning[] {
  const asked = askedRate(measured);
  const achieved = achievedRate(measured.runs);
  if (asked === null) return [];
  if (achieved === null) return [NEVER_USED];
  // Where n random arrivals are expected, twice the root of n may be missing by chance.
  const expected = (measured.interrupts.raised * asked) / Math.max(achieved, 1);
  const chance = 2 / Math.sqrt(Math.max(1, expected));
  if (achieved >= asked * (1 - Math.max(RATE_MISSED, chance))) return [];
  const busiest = Math.max(0, ...measured.runs.map(({ utilisation }) => utilisation?.host ?? 0));
  const busy = busiest > 0 ? `; the host's worker was busy ${percent(busiest)} of its time` : "";
  return [
    {
      text: `rate not reached: ${formatRate(achieved)} of ${formatRate(asked)} were raised${busy}`,
      advice: "lower --rate or --guests, or give the host a core of its own (--cpus)",
    },
  ];
}

function coalescedWarning({ interrupts, settings }: Measured): Warning[] {
  const { raised, coalesced } = interrupts;
  if (settings.load.kind === "closed" || raised === 0 || coalesced / raised <= COALESCED) return [];
  return [
    {
      text:
        `${percent(coalesced / raised)} of the interrupts merged with an older one: they are no ` +
        "samples of their own, so that `total` understates how many were late",
      advice: "go by `every arrival`, which has them too; or lower --rate, or use more --vectors",
    },
  ];
}

function vectorsWarning({ settings: { vectors, vcpus } }: Measured): Warning[] {
  const used = vectorsUsed(vectors, vcpus);
  if (vectors <= 2 || used === vectors - 1) return [];
  return [
    {
      text: `${used} of ${vectors - 1} I/O vectors are in use: a driver has a queue a vCPU`,
      advice: `--vcpus ${vectors - 1}, at most 32`,
    },
  ];
}

function clockWarning({ wakes, settings }: Measured, stepNs: number): Warning[] {
  const medians = wakes.flatMap(({ stages }) => stages.at(-1)?.p50 ?? []);
  const shortest = Math.min(...medians);
  if (settings.engine === "virtual" || !(stepNs > CLOCK_STEP * shortest)) return [];
  return [
    {
      text: `the clock steps by ${formatNs(stepNs)}, which is coarse for ${formatNs(shortest)}`,
      advice: "use the kernel's tsc clocksource, see `vfio-cosim doctor`",
    },
  ];
}

/** p99.9 of fewer than a thousand samples is their largest. */
function fewWarning({ wakes }: Measured): Warning[] {
  const counts = wakes.map(({ stages }) => stages.at(-1)?.count ?? 0);
  const most = Math.max(0, ...counts);
  if (most >= 1_000) return [];
  return [
    {
      text: `too few samples (${formatCount(most)}) for figures of the tail`,
      advice: "measure for longer (--duration 10s), more often (--runs 10), or at a higher --rate",
    },
  ];
}

function spreadWarning({ wakes }: Measured): Warning[] {
  return wakes.flatMap(({ wake, intervals: { p50 } }) => {
    if (p50.high === null || p50.high - p50.mean <= SPREAD * p50.mean) return [];
    const share = percent((p50.high - p50.mean) / p50.mean);
    return [
      {
        text: `the runs differ: the median (${wake}) is known to ${share} only`,
        advice: "repeat with more --runs on a quieter machine, or with --cpus",
      },
    ];
  });
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
