/** What the retention policies came to, for people: totals, by policy, guest and device. */
import { LatencyHistogram } from "../measure/histogram.ts";
import { IDLE_LIMITS_NS, type IdleSpansReport } from "../measure/idle-spans.ts";
import { summariseHistogram } from "../measure/stages.ts";
import { retentionText } from "../scenario/retention.ts";
import type { Scenario } from "../scenario/types.ts";
import type { RetentionReport } from "./contract.ts";
import type {
  DeviceHoldings,
  Holdings,
  IdleFigures,
  PolicyHoldings,
  RetentionResult,
  Warning,
} from "./result.ts";

const NS_PER_S = 1e9;

/** `startNs` is when the run began on the report's clock. */
export function retentionResult(
  scenario: Scenario,
  report: RetentionReport,
  startNs: number,
): RetentionResult {
  const devices = deviceHoldings(scenario, report);
  const ofDevices = (names: readonly string[]): Holdings =>
    sumHoldings(devices.filter(({ device }) => names.includes(device)));
  const policies = report.policies.map(({ devices: names, spans }): PolicyHoldings => {
    const policy = policyOf(scenario, names[0]);
    return { policy, devices: names.length, ...ofDevices(names), ...spanFigures(spans) };
  });
  return {
    effective: report.dynamic,
    totals: sumHoldings(devices),
    policies,
    guests: scenario.guests.map(({ name, devices: names }) => ({ name, ...ofDevices(names) })),
    devices,
    failures: report.failures,
    shortages: report.shortages.map((failure) => ({ ...failure, at: failure.at - startNs })),
  };
}

/** Says so where the policies cannot do anything. */
export function retentionWarnings(scenario: Scenario, { dynamic }: RetentionReport): Warning[] {
  const { host, devices } = scenario;
  const specs = devices.map(({ retention }) => retention ?? host.retention);
  const other = specs.find((spec) => spec !== "cache");
  if (dynamic || other === undefined) return [];
  const why =
    host.kernel === "linux-6.1" ? host.kernel : host.platform.startsWith("arm64") && host.platform;
  const advice =
    host.kernel === "linux-6.1"
      ? "use kernel: linux-6.12, which adds MSI-X vectors one by one"
      : "compare policies on x86, where the domain can allocate single MSI-X vectors";
  return [
    {
      text:
        `retention ${retentionText(other)} has no effect: ${why || host.platform} cannot free ` +
        "single MSI-X vectors, so that all is kept until disable, as with cache",
      advice,
    },
  ];
}

function policyOf({ host, devices }: Scenario, device: string | undefined): string {
  const own = devices.find(({ name }) => name === device)?.retention;
  return retentionText(own ?? host.retention);
}

function deviceHoldings(scenario: Scenario, report: RetentionReport): DeviceHoldings[] {
  const held = new Map(report.devices.map((entry) => [entry.device, entry.held]));
  const { holders, victims } = report.failures;
  return report.idle.map(({ device, reused, released, refusedAgain }): DeviceHoldings => {
    const { irqNs, entryNs, vectorNs, ...counts } = held.get(device) ?? NOTHING;
    const { allocations, frees, requests, handlersFreed } = counts;
    const flushes = report.flushes ? allocations + frees + requests + handlersFreed : 0;
    return {
      device,
      policy: policyOf(scenario, device),
      armedIrqSeconds: irqNs.armed / NS_PER_S,
      idleIrqSeconds: irqNs.idle / NS_PER_S,
      armedIrteSeconds: entryNs.armed / NS_PER_S,
      idleIrteSeconds: entryNs.idle / NS_PER_S,
      armedVectorSeconds: vectorNs.armed / NS_PER_S,
      idleVectorSeconds: vectorNs.idle / NS_PER_S,
      allocations,
      frees,
      iecFlushes: flushes,
      reused,
      reclaimed: released.pressure,
      failures: victims[device]?.failed ?? 0,
      failuresSuffered: victims[device]?.causedByIdle ?? 0,
      failuresCaused: holders[device] ?? 0,
      refusedAgain,
    };
  });
}

const ZERO = { armed: 0, idle: 0 };
const NOTHING = {
  allocations: 0,
  frees: 0,
  requests: 0,
  handlersFreed: 0,
  irqNs: ZERO,
  entryNs: ZERO,
  vectorNs: ZERO,
};

function sumHoldings(devices: readonly Holdings[]): Holdings {
  const sum = (figure: keyof Holdings): number =>
    devices.reduce((total, device) => total + device[figure], 0);
  return {
    armedIrqSeconds: sum("armedIrqSeconds"),
    idleIrqSeconds: sum("idleIrqSeconds"),
    armedIrteSeconds: sum("armedIrteSeconds"),
    idleIrteSeconds: sum("idleIrteSeconds"),
    armedVectorSeconds: sum("armedVectorSeconds"),
    idleVectorSeconds: sum("idleVectorSeconds"),
    allocations: sum("allocations"),
    frees: sum("frees"),
    iecFlushes: sum("iecFlushes"),
    reused: sum("reused"),
    reclaimed: sum("reclaimed"),
    failures: sum("failures"),
    failuresSuffered: sum("failuresSuffered"),
    failuresCaused: sum("failuresCaused"),
    refusedAgain: sum("refusedAgain"),
  };
}

function spanFigures(
  report: IdleSpansReport,
): Pick<PolicyHoldings, "idle" | "released" | "rearm" | "arm"> {
  const spans = LatencyHistogram.fromJSON(report.spans);
  const { count, min, p50, p90, p99, p999, max } = summariseHistogram("idle", spans);
  const idle: IdleFigures = {
    count,
    stillIdle: report.open,
    min,
    p50,
    p90,
    p99,
    p999,
    max,
    meanNs: count === 0 ? 0 : report.sumNs / count,
    over: IDLE_LIMITS_NS.map((limitNs, i) => ({
      limitNs,
      count: report.over[i]!,
      share: count === 0 ? 0 : report.over[i]! / count,
    })),
    histogram: report.spans,
  };
  const rearm = summariseHistogram("rearm", LatencyHistogram.fromJSON(report.rearm));
  const arm = summariseHistogram("arm", LatencyHistogram.fromJSON(report.arm));
  return { idle, released: report.released, rearm, arm };
}
