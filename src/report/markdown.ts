/** A result's summary in Markdown, for an issue or a pull request (GitHub's dialect). */
import { formatCount, formatNs } from "../base/units.ts";
import type { RunResult } from "../run/result.ts";
import { classOf, lostOf } from "../scenario/fate-sums.ts";
import { plain } from "./html/markup.ts";
import { fatesByGuest, percent } from "./interrupts.ts";
import { sortedEntries } from "./natural-order.ts";
import { seconds } from "./retention.ts";
import { verdictOf } from "./text.ts";
import { summaryWords } from "./words.ts";

const GUESTS_SHOWN = 16;

/** Text that stays what it is: no markup, no links, nobody notified, no issue referred to. */
export function markdownText(text: string): string {
  return plain(text)
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/#(?=\d)/g, "&#35;")
    .replace(/@/g, "&#64;")
    .replace(/:\/\//g, ":&#47;/")
    .replace(/[\\`*_[\]|~$]|(?<=www)\./gi, (sign) => `\\${sign}`);
}

/** A table: the first columns left, the others right; cells are Markdown already. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  left = 1,
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, i) => (i < left ? ":--" : "--:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

function poolTable({ pool, leaked }: RunResult): string {
  const left = (n: number | undefined): string => (n === undefined ? "?" : formatCount(n));
  const { irtesBoot, irtesUsed, irtesPeak, irtesSize } = pool;
  const { vectorsBoot, vectorsUsed, vectorsPeak, vectorsSize } = pool;
  const row = (
    name: string,
    counts: readonly number[],
    size: number,
    lost: number | undefined,
  ): string[] => {
    const of = size > 0 ? [formatCount(size), percent(counts[2]!, size)] : ["", ""];
    return [name, ...counts.map(formatCount), ...of, left(lost)];
  };
  return markdownTable(
    ["pool", "at boot", "at end", "peak", "size", "peak/size", "leaked"],
    [
      row("irqs", [0, pool.irqsHeld, pool.irqsPeak], 0, leaked?.irqs),
      row(pool.entries ?? "IRTEs", [irtesBoot, irtesUsed, irtesPeak], irtesSize, leaked?.irtes),
      row("CPU vectors", [vectorsBoot, vectorsUsed, vectorsPeak], vectorsSize, leaked?.vectors),
    ],
  );
}

function interruptTable(result: RunResult): string {
  const { ledger } = result;
  const all = { name: "all", raised: ledger.raised, totals: ledger.totals };
  const guests = fatesByGuest(result);
  const shown = [...guests.slice(0, GUESTS_SHOWN), ...(guests.length > 1 ? [all] : [])];
  const rows = shown.map(({ name, raised, totals }) => [
    markdownText(name),
    formatCount(raised),
    ...["delivered", "coalesced", "pending", "dropped"].map((kind) =>
      formatCount(classOf(totals, kind)),
    ),
    formatCount(lostOf(totals)),
  ]);
  const head = ["interrupts", "raised", "delivered", "coalesced", "pending", "dropped", "lost"];
  const more = guests.length - GUESTS_SHOWN;
  const table = markdownTable(head, rows);
  return more > 0 ? `${table}\n\n${more} more guests are in the sum only.` : table;
}

/** A row a policy; "" if nothing was ever held idle and nobody went short. */
function retentionTable({ retention, pool }: RunResult): string {
  const { totals, policies, failures } = retention;
  if (totals.idleIrteSeconds === 0 && failures.total === 0) return "";
  const unit = (pool.entries ?? "IRTEs").slice(0, -1);
  const rows = policies.map((held) => [
    markdownText(held.policy),
    seconds(held.armedIrteSeconds),
    seconds(held.idleIrteSeconds),
    formatCount(held.allocations),
    formatCount(held.frees),
    formatCount(held.failures),
    formatCount(held.failuresCaused),
  ]);
  const held = [`armed, ${unit}-s`, `idle, ${unit}-s`];
  return markdownTable(["policy", ...held, "allocs", "frees", "failed", "by idle"], rows);
}

function latencyTable({ latency: { stages } }: RunResult): string {
  const rows = stages.map(({ stage, count, p50, p90, p99, p999, max }) => [
    markdownText(stage.replace("->", " \u2192 ")),
    formatCount(count),
    ...[p50, p90, p99, p999, max].map(formatNs),
  ]);
  return markdownTable(["latency", "count", "p50", "p90", "p99", "p99.9", "max"], rows);
}

function checkLines({ checks, expectations, ledger }: RunResult): string[] {
  return [
    ...checks
      .filter(({ ok }) => !ok)
      .map(({ check, detail }) => `- failed: ${markdownText(`${check}: ${detail}`)}`),
    ...ledger.violations.slice(0, 8).map((text) => `- failed: ${markdownText(text)}`),
    ...expectations
      .filter(({ ok }) => ok === false)
      .map(({ text, left, right }) => {
        const found = left === null ? "nothing" : `${left} against ${right}`;
        return `- failed: ${markdownText(text)} (${found})`;
      }),
  ];
}

function provenanceLine({ provenance }: RunResult): string {
  const { version, scenario, scenarioHash, engine, seed, kernel, options, machine } = provenance;
  const items = [
    `vfio-cosim ${version}`,
    `scenario ${scenario} (${scenarioHash})`,
    `engine ${engine}`,
    `seed ${seed}`,
    kernel,
    ...sortedEntries(options).map(([key, value]) => `${key} ${value}`),
    ...(machine === null
      ? []
      : [`${machine.cpus} x ${machine.cpuModel}`, `Node ${machine.node}, ${machine.os}`]),
  ];
  return `<sub>${items.map(markdownText).join(", ")}</sub>`;
}

export function markdownReport(result: RunResult): string {
  const blocks = [
    `### ${markdownText(result.provenance.scenario)}`,
    `**${markdownText(verdictOf(result).text)}**`,
    markdownText(summaryWords(result).join(" ")),
    checkLines(result).join("\n"),
    result.warnings
      .map(({ text, advice }) => `- ${markdownText(text)} \u2192 ${markdownText(advice)}`)
      .join("\n"),
    result.ledger.raised > 0 ? interruptTable(result) : "",
    poolTable(result),
    retentionTable(result),
    result.latency.stages.length > 0 ? latencyTable(result) : "",
    provenanceLine(result),
  ];
  return `${blocks.filter((block) => block !== "").join("\n\n")}\n`;
}
