/** Makes an outcome into a result: ledger balanced, latencies summarised, checks run. */
import { leakOf } from "../check/leaks.ts";
import { runChecks } from "../check/run-checks.ts";
import { referenceNs } from "../measure/calibration.ts";
import type { HistogramJson } from "../measure/histogram.ts";
import { balanceLedger, describeViolation, type LedgerInput } from "../measure/ledger.ts";
import { refusalsOf } from "../measure/refusals.ts";
import {
  mergeSamples,
  type StageSamples,
  summariseStages,
  WAKES,
  type Wake,
} from "../measure/stages.ts";
import { scenarioHash } from "../scenario/hash.ts";
import { retentionText } from "../scenario/retention.ts";
import type { GuestSpec, Scenario } from "../scenario/types.ts";
import type { TraceEvent } from "../trace/trace.ts";
import { breakResult } from "./break-result.ts";
import type { PoolReport } from "./contract.ts";
import { longestIoNs } from "./io-time.ts";
import { kernelLogWarnings } from "./kernel-log.ts";
import type { GuestOutcome, RunOutcome } from "./outcome.ts";
import { planGuests } from "./plan.ts";
import {
  type GuestResult,
  type LatencyResult,
  type MachineInfo,
  RUN_SCHEMA,
  type RunResult,
  type TimelineItem,
  type Utilisation,
  type WakeLatency,
  type Warning,
} from "./result.ts";
import { retentionResult, retentionWarnings } from "./retention-result.ts";
import { silentLossWarnings } from "./silent-loss.ts";

/** Trace points that tell what a guest did, for its timeline. */
const TIMELINE_POINTS = /^guest_|^vfio_msix_fixup_error$/;

/** The result of a run, but for its expectations, which the caller evaluates on it. */
export function assembleResult(
  scenario: Scenario,
  outcome: RunOutcome,
  version: string,
  machine: MachineInfo | null,
): RunResult {
  const ledger = balanceLedger(ledgerInputs(scenario, outcome));
  const checks = runChecks({
    ledger,
    guests: outcome.host.guests.map((guest, i) => ({
      ...guest,
      alive: outcome.guests[i]?.dead === null,
      running: outcome.guests[i]?.report?.state === "running",
      refused: refusalsOf(outcome.guests[i]?.report?.counters ?? {}),
      ioNs: longestIoNs(
        outcome.guests[i]?.report?.trace ?? [],
        outcome.startNs + outcome.durationNs,
      ),
    })),
    poolAfterExit: outcome.poolAfter,
  });
  return {
    schema: RUN_SCHEMA,
    provenance: {
      version,
      scenario: scenario.name,
      scenarioHash: scenarioHash(scenario),
      engine: outcome.engine,
      seed: scenario.seed,
      kernel: scenario.host.kernel,
      options: {
        platform: scenario.host.platform,
        retention: retentionText(scenario.host.retention),
        stages: scenario.run.stages,
        ...(outcome.engine === "threads" ? { wait: scenario.run.wait } : {}),
        ...(outcome.cpus === undefined ? {} : { cpus: outcome.cpus.join(",") }),
      },
      machine,
    },
    partial: outcome.partial,
    durationNs: outcome.durationNs,
    guests: scenario.guests.map((guest, i) =>
      guestResult(guest, outcome.guests[i]!, outcome.startNs),
    ),
    pool: rebasePool(outcome.host.pool, outcome.startNs),
    retention: retentionResult(scenario, outcome.host.retention, outcome.startNs),
    leaked: outcome.poolAfter === null ? null : leakOf(outcome.poolAfter),
    ioctls: outcome.host.ioctls,
    oopses: outcome.host.oopses ?? 0,
    callsCutShort: outcome.host.guests.reduce((sum, guest) => sum + (guest.callsCutShort ?? 0), 0),
    ledger: { ...ledger, violations: ledger.violations.map(describeViolation) },
    latency: latencyResult(scenario, outcome),
    ...breakResult(scenario, outcome),
    ...utilisation(outcome),
    checks,
    expectations: [],
    warnings: [
      ...outcome.warnings,
      ...kernelLogWarnings(outcome.host),
      ...silentLossWarnings(scenario.guests, outcome.guests),
      ...retentionWarnings(scenario, outcome.host.retention),
      ...latencyWarnings(outcome, machine, scenario),
    ],
  };
}

function ledgerInputs(scenario: Scenario, outcome: RunOutcome): LedgerInput[] {
  return planGuests(scenario).map((plan, i) => {
    const host = outcome.host.guests[i]!;
    const guest = outcome.guests[i]!;
    return {
      name: plan.spec.name,
      rows: plan.rows,
      alive: guest.dead === null,
      raised: host.raised,
      hostFates: host.fates,
      guestFates: guest.fates,
      injected: host.injected,
    };
  });
}

function guestResult(
  { name, devices }: GuestSpec,
  outcome: GuestOutcome,
  startNs: number,
): GuestResult {
  const { report, dead } = outcome;
  const timeline = (report?.trace ?? [])
    .filter(({ point }) => TIMELINE_POINTS.test(point))
    .map((event) => timelineItem(event, startNs));
  return {
    name,
    devices,
    state: dead === null ? (report?.state ?? "unknown") : `dead: ${dead}`,
    timeline,
    counters: report?.counters ?? {},
    interrupts: report?.interrupts ?? 0,
  };
}

function timelineItem({ at, point, args }: TraceEvent, startNs: number): TimelineItem {
  const detail = Object.entries(args)
    .map(([key, value]) => `${key} ${value}`)
    .join(", ");
  return { at: at - startNs, event: point, detail };
}

function rebasePool(pool: PoolReport, startNs: number): PoolReport {
  return {
    ...pool,
    samples: pool.samples.map((sample) => ({ ...sample, at: sample.at - startNs })),
    ...(pool.occupancy === undefined
      ? {}
      : { occupancy: { ...pool.occupancy, at: pool.occupancy.at.map((at) => at - startNs) } }),
  };
}

function latencyResult(scenario: Scenario, outcome: RunOutcome): LatencyResult {
  const samples = outcome.guests.map(({ report }) => (report?.latency ?? {}) as StageSamples);
  const merged = mergeSamples(samples);
  const stages = summariseStages(merged);
  const total = stages.find(({ stage }) => stage === "total");
  const { floor } = outcome;
  const reference = floor === null ? null : referenceNs(floor, floor.reference);
  return {
    stages,
    guests: scenario.guests.map(({ name }, i) => ({
      name,
      stages: summariseStages(mergeSamples([samples[i]!])),
    })),
    histograms: Object.fromEntries([...merged].map(([stage, sum]) => [stage, sum.toJSON()])),
    coalesced: coalescedOf(outcome, WAKES),
    ...latencyByWake(outcome),
    floor,
    ratio:
      reference === null || total === undefined
        ? null
        : { p50: total.p50 / reference, p99: total.p99 / reference },
  };
}

function coalescedOf({ guests }: RunOutcome, wakes: readonly Wake[]): HistogramJson | null {
  const samples = guests.flatMap(({ report }) => {
    return report === null ? [] : wakes.map((wake) => report.coalesced[wake]);
  });
  return mergeSamples(samples).get("total")?.toJSON() ?? null;
}

function latencyByWake(outcome: RunOutcome): { byWake?: Record<Wake, WakeLatency> } {
  const { engine, guests } = outcome;
  if (engine !== "threads") return {};
  const of = (wake: Wake): WakeLatency => {
    const merged = mergeSamples(guests.map(({ report }) => report?.latencyByWake?.[wake] ?? {}));
    const histograms = [...merged].map(([stage, sum]) => [stage, sum.toJSON()]);
    return {
      stages: summariseStages(merged),
      histograms: Object.fromEntries(histograms),
      coalesced: coalescedOf(outcome, [wake]),
    };
  };
  const [spinning, parked] = WAKES.map(of);
  return { byWake: { spinning: spinning!, parked: parked! } };
}

function utilisation({ workers }: RunOutcome): { utilisation?: Utilisation } {
  if (workers === undefined) return {};
  const guests = workers.guests.filter((share) => share !== null);
  const sum = guests.reduce((total, share) => total + share, 0);
  const mean = guests.length === 0 ? null : sum / guests.length;
  return { utilisation: { host: workers.host, guests: mean } };
}

function latencyWarnings(
  { floor, cpus }: RunOutcome,
  machine: MachineInfo | null,
  scenario: Scenario,
): Warning[] {
  if (floor === null || machine === null) return [];
  const warnings: Warning[] = [];
  const threads = scenario.guests.length + 1;
  const cores = new Set(cpus).size || machine.cpus;
  if (threads > cores) {
    warnings.push({
      text: `${threads} busy threads share ${cores} cores: latencies include waits for one`,
      advice: `measure latency with ${Math.max(1, cores - 1)} guest(s), or on more cores`,
    });
  }
  const { spin = 0, park = 0 } = floor.wakeModes;
  if (Math.min(spin, park) > (spin + park) / 100) {
    warnings.push({
      text: `workers were woken both spinning (${spin}) and parked (${park})`,
      advice: "compare runs of one mode: --wait spin or --wait park",
    });
  }
  return warnings;
}
