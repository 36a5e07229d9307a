/** What was held without an eventfd, what it cost others, and why requests failed, as text. */
import { formatCount, formatMoment, formatNs } from "../base/units.ts";
import type { AllocationFailure } from "../run/contract.ts";
import type { Holdings, PolicyHoldings, RetentionResult } from "../run/result.ts";
import { clip, tableLines, wrap } from "./table.ts";

const WIDTH = 96;
const DEVICES_SHOWN = 8;
const SHORTAGES_SHOWN = 8;
const SECOND_NS = 1e9;

/** `12.3`: entry-seconds and the like. */
export function seconds(value: number): string {
  if (value === 0) return "0";
  return value < 0.001 ? "<0.001" : value < 100 ? value.toFixed(3) : formatCount(Math.round(value));
}

function row(name: string, h: Holdings): string[] {
  return [
    clip(name, 34),
    seconds(h.armedIrteSeconds),
    seconds(h.idleIrteSeconds),
    formatCount(h.allocations),
    formatCount(h.frees),
    formatCount(h.iecFlushes),
    formatCount(h.reclaimed),
    formatCount(h.failures),
    formatCount(h.failuresCaused),
  ];
}

/** A row a policy, then how long irqs idled and what arming took, then who held most idle. */
export function retentionLines(retention: RetentionResult): string[] {
  const policies = retention.policies.filter(({ allocations }) => allocations > 0);
  if (policies.length === 0) return [];
  const columns = ["", "armed", "idle", "allocs", "frees", "flushes", "reclaimed"];
  columns.push("failed", "caused by idle");
  const lines = tableLines([columns, ...policies.map((one) => row(one.policy, one))]);
  for (const policy of policies) lines.push(...spanLines(policy));
  const idlest = retention.devices
    .filter(({ idleIrteSeconds, failuresCaused }) => idleIrteSeconds > 0 || failuresCaused > 0)
    .sort((a, b) => b.failuresCaused - a.failuresCaused || b.idleIrteSeconds - a.idleIrteSeconds);
  if (retention.devices.length < 2 || idlest.length === 0) return lines;
  const rows = idlest.slice(0, DEVICES_SHOWN).map((device) => row(device.device, device));
  lines.push("", ...tableLines([["most idle", ...columns.slice(1)], ...rows]));
  const more = idlest.length - rows.length;
  if (more > 0) lines.push(`  and ${formatCount(more)} more`);
  return lines;
}

function spanLines({ policy, idle, rearm, arm }: PolicyHoldings): string[] {
  const sentences: string[] = [];
  if (idle.count > 0) {
    const long = idle.over.find(({ limitNs }) => limitNs === SECOND_NS)!;
    const share = `${(100 * long.share).toFixed(1)} % a second or longer`;
    const still = idle.stillIdle === 0 ? "" : `, ${formatCount(idle.stillIdle)} still idle`;
    const [p50, p99, max] = [idle.p50, idle.p99, idle.max].map(formatNs);
    const figures = `p50 ${p50}, p99 ${p99}, max ${max}`;
    sentences.push(`idle ${formatCount(idle.count)} times, ${figures}, ${share}${still}`);
  }
  for (const [what, figures] of [
    ["to arm", arm],
    ["to arm again", rearm],
  ] as const) {
    if (figures.count === 0) continue;
    const { count, p50, p99 } = figures;
    sentences.push(`${what}: p50 ${formatNs(p50)}, p99 ${formatNs(p99)} (${formatCount(count)})`);
  }
  return sentences.length === 0
    ? []
    : wrap(`${policy}: ${sentences.join("; ")}`, WIDTH - 2).map((line) => `  ${line}`);
}

/** The last requests that got less than they asked for, and who held what they lacked. */
export function shortageLines({ failures, shortages }: RetentionResult): string[] {
  if (failures.total === 0) return [];
  const { total, causedByIdle } = failures;
  const count = (n: number): string => `${formatCount(n)} ${n === 1 ? "request" : "requests"}`;
  const lines = [
    `  ${count(total)} got less than asked for; idle irqs of others caused ` +
      `${formatCount(causedByIdle)} of them`,
  ];
  const shown = shortages.slice(-SHORTAGES_SHOWN);
  for (const failure of shown) lines.push(...oneShortage(failure));
  return lines;
}

export const KINDS = { msix: "MSI-X", msi: "MSI", intx: "INTx" } as const;

function oneShortage(failure: AllocationFailure): string[] {
  const { at, device, kind, asked, got, table, size, used, most, mostEntries, mostIdle } = failure;
  const time = formatMoment(at).padStart(12);
  const result = got < 0 ? "got none" : `got ${formatCount(got)}`;
  const full = `${formatCount(used)} of ${formatCount(size)} used`;
  const { mostOwner, mostOwnerEntries = 0 } = failure;
  const owner =
    mostOwner === undefined ? "" : `${mostOwner} has ${formatCount(mostOwnerEntries)} of them, `;
  const holder =
    `${owner}most by ${most}: ${formatCount(mostEntries)}, ` + `${formatCount(mostIdle)} idle`;
  const idle = `${formatCount(failure.idle)} idle of others`;
  const verdict = failure.causedByIdle
    ? `${idle}, most of ${failure.idlest} (${formatCount(failure.idlestIdle)}): they are the cause`
    : `${idle}: not the cause`;
  const text =
    `${device} asked for ${formatCount(asked)} ${KINDS[kind]}, ${result}; ` +
    `${table}: ${full}, ${holder}; ${verdict}`;
  return wrap(text, WIDTH - 16).map((line, i) => `${i === 0 ? time : " ".repeat(12)}  ${line}`);
}
