/** A validated scenario back as a file that loads to the same one. */
import { stringify } from "yaml";
import { retentionYaml } from "./retention.ts";
import type { DeviceSpec, RunSpec, Scenario, WorkloadSpec } from "./types.ts";

/** Durations in nanoseconds and rates per second, so that nothing is rounded. */
export function scenarioYaml(scenario: Scenario): string {
  const { costs, run, guests, devices, host, duration, ...rest } = scenario;
  const plain = {
    ...rest,
    host: {
      ...host,
      retention: retentionYaml(host.retention),
      ...(host.timeline && {
        timeline: host.timeline.map((entry) => ({ ...entry, at: ns(entry.at) })),
      }),
    },
    devices: devices.map(deviceEntry),
    guests: guests.map(({ workload, timeline, ...guest }) => ({
      ...guest,
      workload: workloadEntry(workload),
      timeline: timeline.map(({ for: lasts, ...entry }) => ({
        ...entry,
        at: ns(entry.at),
        ...(lasts === undefined ? {} : { for: ns(lasts) }),
      })),
    })),
    duration: ns(duration),
    run: runEntry(run),
    costs: Object.fromEntries(Object.entries(costs).map(([name, cost]) => [name, ns(cost)])),
  };
  return stringify(plain, { lineWidth: 100 });
}

function runEntry({ warmupNs, breakOnNs, limit, ...run }: RunSpec): object {
  return {
    ...run,
    limit: ns(limit),
    ...(warmupNs === undefined ? {} : { warmup: ns(warmupNs) }),
    ...(breakOnNs === undefined ? {} : { breakOn: `latency > ${ns(breakOnNs)}` }),
  };
}

function ns(value: number): string {
  return `${value}ns`;
}

function deviceEntry({ retention, moderationNs, ...device }: DeviceSpec): object {
  return {
    ...device,
    ...(moderationNs === undefined ? {} : { moderation: ns(moderationNs) }),
    ...(retention === undefined ? {} : { retention: retentionYaml(retention) }),
  };
}

/** Only the keys that the arrivals take. */
function workloadEntry({ arrivals, rate, per, depth, storm }: WorkloadSpec): object {
  if (arrivals === "none") return { arrivals };
  if (arrivals === "closed") return { arrivals, per, depth };
  const open = { arrivals, per, rate: perSecond(rate) };
  if (storm === undefined) return open;
  const { every, for: lasts, rate: raging } = storm;
  return { ...open, storm: { every: ns(every), for: ns(lasts), rate: perSecond(raging) } };
}

function perSecond(rate: number): string {
  return `${rate}/s`;
}
