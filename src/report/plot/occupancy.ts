/** The pool over time, stacked by who holds it. */
import * as Plot from "@observablehq/plot";
import { formatCount } from "../../base/units.ts";
import type { PoolOccupancy, PoolReport } from "../../run/contract.ts";
import { naturalOrder } from "../natural-order.ts";
import { BOOT, type DeviceColours, OTHERS } from "./colours.ts";
import { bothSizes, type Drawing, drawPlot, type Size, timeUnit } from "./svg.ts";

/** A limit is drawn if so much of it was used; else it would flatten everything. */
const LIMIT_SHARE = 0.25;

/** One band of the stack; `values` in step with the times of the occupancy. */
export interface Band {
  readonly name: string;
  readonly colour: string;
  readonly values: readonly number[];
}

const PIN = /^IO-APIC pin /;

/** Holders by how much they held at most, the largest first; without lines of INTx. */
export function holdersBySize(occupancy: PoolOccupancy | undefined): string[] {
  const holders = (occupancy?.holders ?? []).filter(({ name }) => !PIN.test(name));
  const peaks = new Map(holders.map(({ name, irtes, irqs }) => [name, peakOf(irtes, irqs)]));
  return [...peaks].sort(([a, m], [b, n]) => n - m || naturalOrder(a, b)).map(([name]) => name);
}

/** INTx lines of the IO-APIC, by name. */
export function pinNames(occupancy: PoolOccupancy | undefined): string[] {
  const names = (occupancy?.holders ?? []).map(({ name }) => name);
  return names.filter((name) => PIN.test(name)).sort(naturalOrder);
}

function peakOf(irtes: readonly number[], irqs: readonly number[]): number {
  let peak = 0;
  for (let i = 0; i < irtes.length; i++) peak = Math.max(peak, irtes[i]!, irqs[i]!);
  return peak;
}

/** The bands of a stack, lowest first: boot, devices, all other devices, lines. */
export function occupancyBands(
  pool: PoolReport,
  what: "irqs" | "irtes",
  colours: DeviceColours,
): Band[] {
  const { at, holders, others: rest } = pool.occupancy ?? { at: [], holders: [] };
  const lines = holders.filter(({ name }) => PIN.test(name));
  const devices = holders.filter(({ name }) => !PIN.test(name));
  const others = devices.filter(({ name }) => !colours.names.includes(name));
  const sum = (some: typeof holders): number[] =>
    at.map((_, i) => some.reduce((total, holder) => total + holder[what][i]!, 0));
  const boot = what === "irtes" ? pool.irtesBoot : 0;
  const bands: Band[] = [
    { name: "held since boot", colour: BOOT, values: at.map(() => boot) },
    ...colours.names.map((name) => ({
      name,
      colour: colours.of(name),
      values: sum(devices.filter((holder) => holder.name === name)),
    })),
    {
      name: `${formatCount(others.length + (rest?.count ?? 0))} other devices`,
      colour: OTHERS,
      values: sum(others).map((value, i) => value + (rest?.[what][i] ?? 0)),
    },
    { name: "INTx lines", colour: "var(--lines)", values: sum(lines) },
  ];
  return bands.filter(({ values }) => values.some((value) => value > 0));
}

/** True if irqs and entries differ in more than what boot and lines hold. */
export function irqsDiffer({ occupancy }: PoolReport): boolean {
  return (occupancy?.holders ?? []).some(
    ({ name, irqs, irtes }) => !PIN.test(name) && irqs.some((n, i) => n !== irtes[i]),
  );
}

export interface OccupancyPlot {
  readonly at: readonly number[];
  readonly durationNs: number;
  readonly bands: readonly Band[];
  /** What is counted: `IRTEs`. */
  readonly what: string;
  /** How many there are; 0: no limit. */
  readonly limit: number;
}

export function occupancyPlot(plot: OccupancyPlot): readonly Drawing[] {
  const { what, bands } = plot;
  const names = bands.map(({ name }) => name).join(", ");
  return bothSizes((size) => draw(plot, size), `${what} in use over time, stacked: ${names}`);
}

function draw({ at, durationNs, bands, what, limit }: OccupancyPlot, size: Size): string {
  const { unit, ns } = timeUnit(durationNs);
  const endNs = Math.max(durationNs, 1);
  const kept = at.map((time, i) => ({ time, i })).filter(({ time }) => time <= endNs);
  const rows = bands.flatMap(({ name, colour, values }) => {
    const points = kept.map(({ time, i }) => ({ x: Math.max(0, time) / ns, y: values[i]! }));
    points.push({ x: endNs / ns, y: points.at(-1)?.y ?? 0 });
    return points.map((point) => ({ ...point, name, colour }));
  });
  const peak = Math.max(1, ...at.map((_, i) => bands.reduce((sum, b) => sum + b.values[i]!, 0)));
  const limited = limit > 0 && peak >= LIMIT_SHARE * limit;
  return drawPlot({
    width: size.width,
    height: size.narrow ? 230 : 270,
    marginLeft: 52,
    marginRight: 14,
    marginTop: 24,
    marginBottom: 40,
    x: { domain: [0, endNs / ns], label: `time (${unit})`, ticks: size.narrow ? 4 : 8 },
    y: {
      domain: [0, Math.max(limited ? limit : 0, peak) * 1.04],
      label: `${what} in use`,
      ticks: 5,
      grid: true,
      tickFormat: (n: number) => (Number.isInteger(n) ? formatCount(n) : ""),
    },
    marks: [
      Plot.areaY(rows, {
        x: "x",
        y: "y",
        z: "name",
        fill: "colour",
        stroke: "var(--bg)",
        strokeWidth: 0.6,
        curve: "step-after",
        order: bands.map(({ name }) => name),
      }),
      Plot.ruleY([0], { stroke: "currentColor" }),
      ...(limited
        ? [
            Plot.ruleY([limit], { stroke: "var(--bad)", strokeDasharray: "5,3" }),
            Plot.text([limit], {
              y: (n: number) => n,
              text: () => `all ${formatCount(limit)}`,
              frameAnchor: "right",
              dy: -7,
              fill: "var(--bad)",
            }),
          ]
        : []),
    ],
  });
}
