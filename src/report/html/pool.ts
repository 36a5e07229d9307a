/** The pool of a run: who held how much over time, and the limits. */
import { formatCount, formatNs } from "../../base/units.ts";
import type { RunResult } from "../../run/result.ts";
import { percent } from "../interrupts.ts";
import type { DeviceColours } from "../plot/colours.ts";
import {
  holdersBySize,
  irqsDiffer,
  occupancyBands,
  occupancyPlot,
  pinNames,
} from "../plot/occupancy.ts";
import { html, type Markup } from "./markup.ts";
import { figure, legend, type Section } from "./page.ts";
import { type Row, table } from "./table.ts";

const HOLDERS_SHOWN = 16;

function stack(result: RunResult, what: "irqs" | "irtes", colours: DeviceColours): Markup | null {
  const { pool, durationNs } = result;
  const bands = occupancyBands(pool, what, colours);
  if (bands.length === 0) return null;
  const at = pool.occupancy?.at ?? [];
  const name = what === "irqs" ? "irqs" : (pool.entries ?? "IRTEs");
  const limit = what === "irtes" ? pool.irtesSize : 0;
  const drawings = occupancyPlot({ at, durationNs, bands, what: name, limit });
  const items = [...bands].reverse().map(({ colour, name: text }) => ({ colour, text }));
  const most = limitWords(result, what);
  const caption = `${name} in use over time, stacked by who holds them. ${most}`;
  return figure(drawings, legend(items), caption);
}

function limitWords({ pool }: RunResult, what: "irqs" | "irtes"): string {
  if (what === "irqs" || pool.irtesSize === 0) return `At most ${formatCount(pool.irqsPeak)}.`;
  const share = percent(pool.irtesPeak, pool.irtesSize);
  return `At most ${formatCount(pool.irtesPeak)} of ${formatCount(pool.irtesSize)} (${share}).`;
}

/** Level of a step function, by time: mean, highest and last value from 0 to `endNs`. */
export function bandFigures(
  at: readonly number[],
  values: readonly number[],
  endNs: number,
): { readonly mean: number; readonly peak: number; readonly last: number } {
  let area = 0;
  let peak = 0;
  let last = 0;
  at.forEach((time, i) => {
    if (time > endNs) return;
    const until = Math.min(at[i + 1] ?? endNs, endNs);
    area += values[i]! * Math.max(0, until - Math.max(0, time));
    peak = Math.max(peak, values[i]!);
    last = values[i]!;
  });
  return { mean: endNs > 0 ? area / endNs : last, peak, last };
}

function limitTable({ pool, leaked }: RunResult): Markup {
  const left = (n: number | undefined): string => (n === undefined ? "?" : formatCount(n));
  const row = (
    name: string,
    boot: number,
    used: number,
    peak: number,
    size: number,
    n?: number,
  ) => [
    name,
    formatCount(boot),
    formatCount(used),
    formatCount(peak),
    size > 0 ? formatCount(size) : "",
    percent(peak, size),
    left(n),
  ];
  const { irqsHeld, irqsPeak, irtesBoot, irtesUsed, irtesPeak, irtesSize } = pool;
  const { vectorsBoot, vectorsUsed, vectorsPeak, vectorsSize } = pool;
  return table(
    ["", "at boot", "at end", "peak", "size", "peak/size", "leaked"],
    [
      row("irqs", 0, irqsHeld, irqsPeak, 0, leaked?.irqs),
      row(pool.entries ?? "IRTEs", irtesBoot, irtesUsed, irtesPeak, irtesSize, leaked?.irtes),
      row("CPU vectors", vectorsBoot, vectorsUsed, vectorsPeak, vectorsSize, leaked?.vectors),
    ],
  );
}

function holderTable({ pool, durationNs }: RunResult): Markup | null {
  const { at, holders } = pool.occupancy ?? { at: [], holders: [] };
  if (holders.length === 0) return null;
  const entries = pool.entries ?? "IRTEs";
  const byName = new Map(holders.map((holder) => [holder.name, holder]));
  const order = [...holdersBySize(pool.occupancy), ...pinNames(pool.occupancy)];
  const rows = order.map((name): Row => {
    const { irqs, irtes } = byName.get(name)!;
    const ofIrqs = bandFigures(at, irqs, durationNs);
    const ofIrtes = bandFigures(at, irtes, durationNs);
    const mean = (n: number): string => (n < 100 ? n.toFixed(1) : formatCount(n));
    return [
      name,
      formatCount(ofIrqs.peak),
      mean(ofIrqs.mean),
      formatCount(ofIrtes.peak),
      mean(ofIrtes.mean),
      formatNs(ofIrtes.mean * durationNs),
    ];
  });
  const head = ["", "irqs, peak", "mean", `${entries}, peak`, "mean", `${entries} \u00d7 time`];
  return html`<h3>By holder</h3>
${table(head, rows, { shown: HOLDERS_SHOWN, rowsAre: "holders" })}`;
}

export function poolSection(result: RunResult, colours: DeviceColours): Section {
  const { pool } = result;
  const first = pool.irtesSize > 0 ? "irtes" : "irqs";
  const second = first === "irtes" && irqsDiffer(pool) ? stack(result, "irqs", colours) : null;
  const body = html`${stack(result, first, colours)}
${second}
${limitTable(result)}
${holderTable(result)}`;
  return { id: "pool", title: "Interrupt pool of the host", short: "Pool", body };
}
