/** What was held without a handler, by policy and device, and who went short because of it. */
import { formatCount, formatNs } from "../../base/units.ts";
import type { AllocationFailure } from "../../run/contract.ts";
import type { Holdings, PolicyHoldings, RunResult } from "../../run/result.ts";
import { KINDS, seconds } from "../retention.ts";
import { html, type Markup } from "./markup.ts";
import type { Section } from "./page.ts";
import { type Row, table } from "./table.ts";

const DEVICES_SHOWN = 12;
const SHORTAGES_SHOWN = 12;

function holdings(name: string, held: Holdings): Row {
  return [
    name,
    seconds(held.armedIrteSeconds),
    seconds(held.idleIrteSeconds),
    formatCount(held.allocations),
    formatCount(held.frees),
    formatCount(held.iecFlushes),
    formatCount(held.reused),
    formatCount(held.reclaimed),
    formatCount(held.failures),
    formatCount(held.failuresCaused),
  ];
}

/** Armed and idle are entry-seconds, as the section's title says. */
const HOLDINGS_HEAD: Row = [
  "",
  "armed",
  "idle",
  "allocs",
  "frees",
  "flushes",
  "reused",
  "reclaimed",
  "failed",
  "caused by idle",
];

/** `\u2265 10 ms`. */
function limitText(ns: number): string {
  return `\u2265 ${formatNs(ns).replace(/\.0+(?= )/, "")}`;
}

/** How long irqs stayed without an eventfd, and how many for so long or longer. */
function idleTable(policies: readonly PolicyHoldings[]): Markup | null {
  const idle = policies.filter((policy) => policy.idle.count > 0);
  if (idle.length === 0) return null;
  const reached = Math.max(
    ...idle.map(({ idle: { over } }) => over.filter((l) => l.count > 0).length),
  );
  const limits = idle[0]!.idle.over.slice(0, reached).map(({ limitNs }) => limitText(limitNs));
  const rows = idle.map(({ policy, idle: spans }): Row => {
    const { count, stillIdle, p50, p99, max, over } = spans;
    const shares = over
      .slice(0, reached)
      .map(({ share }) => (share === 0 ? "" : `${(100 * share).toFixed(1)} %`));
    const times = [p50, p99, max].map(formatNs);
    return [policy, formatCount(count), formatCount(stillIdle), ...times, ...shares];
  });
  return html`<h3>How long irqs stay without an eventfd</h3>
${table(["", "times", "still idle", "p50", "p99", "max", ...limits], rows)}`;
}

function armTable(policies: readonly PolicyHoldings[]): Markup | null {
  const rows = policies.flatMap(({ policy, arm, rearm }) =>
    [
      { what: "first", row: arm },
      { what: "again", row: rearm },
    ]
      .filter(({ row }) => row.count > 0)
      .map(({ what, row: { count, min, p50, p99, max } }): Row => {
        return [policy, what, formatCount(count), ...[min, p50, p99, max].map(formatNs)];
      }),
  );
  if (rows.length === 0) return null;
  const head = ["", "armed", "times", "min", "p50", "p99", "max"];
  return html`<h3>What it takes to arm a vector</h3>${table(head, rows, { left: [0, 1] })}`;
}

function shortageRow(failure: AllocationFailure): Row {
  const { at, device, kind, asked, got, size, used, causedByIdle, idle, idlest } = failure;
  const cause = causedByIdle ? `idle irqs, most of ${idlest}` : "not idle irqs";
  return [
    formatNs(Math.max(0, at)),
    device,
    cause,
    `${formatCount(asked)} ${KINDS[kind]}`,
    got < 0 ? "none" : formatCount(got),
    failure.table,
    `${formatCount(used)} of ${formatCount(size)}`,
    `${failure.most}: ${formatCount(failure.mostEntries)}`,
    formatCount(idle),
  ];
}

function shortages({ retention: { failures, shortages: all } }: RunResult): Markup | null {
  if (failures.total === 0) return null;
  const head = ["time", "device", "cause", "asked", "got", "table", "used", "most held by"];
  const rows = all.map(shortageRow);
  const { total, causedByIdle } = failures;
  const words =
    `${formatCount(total)} got less than asked for; idle irqs of others caused ` +
    `${formatCount(causedByIdle)} of them.`;
  const options = { left: [1, 2], shown: SHORTAGES_SHOWN, rowsAre: "requests" };
  return html`<h3>Requests that went short</h3>
<p>${words}</p>
${table([...head, "idle of others"], rows, options)}`;
}

export function retentionSection(result: RunResult): Section | null {
  const { retention, pool } = result;
  const policies = retention.policies.filter(({ allocations }) => allocations > 0);
  if (policies.length === 0 && retention.failures.total === 0) return null;
  const unit = (pool.entries ?? "IRTEs").slice(0, -1);
  const devices = [...retention.devices]
    .filter(({ idleIrteSeconds, failuresCaused }) => idleIrteSeconds > 0 || failuresCaused > 0)
    .sort((a, b) => b.failuresCaused - a.failuresCaused || b.idleIrteSeconds - a.idleIrteSeconds);
  const idlest = devices.map((held) => holdings(held.device, held));
  const options = { shown: DEVICES_SHOWN, rowsAre: "devices" };
  const same =
    "Single irqs cannot be freed here, so that all policies do what cache does: " +
    "an irq is held until the mode changes.";
  const rows = policies.map((held) => holdings(held.policy, held));
  const body = html`${retention.effective ? null : html`<p>${same}</p>`}
${table(HOLDINGS_HEAD, rows)}
${idleTable(policies)}
${armTable(policies)}
${idlest.length > 0 ? html`<h3>Most idle</h3>` : null}
${idlest.length > 0 ? table(HOLDINGS_HEAD, idlest, options) : null}
${shortages(result)}`;
  const title = `${unit}-seconds held with a handler and without`;
  return { id: "retention", title, short: "Held idle", body };
}
