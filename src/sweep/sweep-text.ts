/** A sweep as a table for people and as CSV for programs. */
import { formatNs } from "../base/units.ts";
import { csvCell } from "../report/csv.ts";
import { PLAIN, type Style } from "../report/style.ts";
import { tableLines, wrap } from "../report/table.ts";
import { withInterval } from "./numbers.ts";
import type { SweepResult, SweptFigure, SweptPoint } from "./sweep.ts";

/** Figures in ns; the others count something. */
const NANOSECONDS = /(?:latency|floor|idle|rearm)\.(?:min|max|p\d+|spin|park|clock)$|^duration$/;

const TROUBLES_SHOWN = 10;

export function sweepText(result: SweepResult, width: number, style: Style = PLAIN): string {
  const { scenario, engine, seeds, params, figures, points } = result;
  const runs = `${points.length} points, ${seeds.length} seed(s) from ${seeds[0]}, ${engine}`;
  const paths = params.map(({ path }) => path);
  const rows = points.map(({ at, figures: found }) => [
    ...paths.map((path) => at[path]!),
    ...figures.map((name) => figureText(name, found[name]!)),
  ]);
  const lines = [
    `${style.bold(scenario)}: ${runs}`,
    "",
    ...tableLines([[...paths, ...figures], ...rows], { left: paths.map((_, i) => i) }),
  ];
  if (seeds.length > 1) {
    lines.push("", "  means, ~ half of the 95 % interval where seeds differ");
  }
  const troubles = troublesOf(points);
  if (troubles.length > 0) lines.push("", style.bold("Runs that are missing"));
  for (const text of troubles.slice(0, TROUBLES_SHOWN)) {
    lines.push(
      ...wrap(text, width - 4).map((line, i) => `  ${i === 0 ? style.warn("!") : " "} ${line}`),
    );
  }
  const more = troubles.length - TROUBLES_SHOWN;
  if (more > 0) lines.push(`  and ${more} more`);
  return `${lines.join("\n")}\n`;
}

function figureText(name: string, figure: SweptFigure | null): string {
  if (figure === null) return "-";
  const { mean, high = mean } = figure;
  if (!NANOSECONDS.test(name)) return withInterval(mean, high - mean);
  const text = formatNs(mean);
  const half = formatNs(high - mean);
  return high - mean > mean / 1000 ? `${text}~${half}` : text;
}

function troublesOf(points: readonly SweptPoint[]): string[] {
  return points.flatMap(({ at, runs }) =>
    runs
      .filter(({ trouble }) => trouble !== null)
      .map(({ seed, trouble }) => {
        const where = Object.entries(at).map(([path, value]) => `${path}=${value}`);
        return `${[...where, `seed ${seed}`].join(", ")}: ${trouble}`;
      }),
  );
}

/** A line a run: its parameters, its seed, its figures; empty cells for what is missing. */
export function sweepCsv({ params, figures, points }: SweepResult): string {
  const paths = params.map(({ path }) => path);
  const lines = [[...paths, "seed", ...figures, "trouble"].map(csvCell).join(",")];
  for (const { at, runs } of points) {
    for (const { seed, figures: found, trouble } of runs) {
      const values = figures.map((name) => found?.[name] ?? null);
      const cells = [...paths.map((path) => at[path]!), seed, ...values, trouble ?? ""];
      lines.push(cells.map(csvCell).join(","));
    }
  }
  return `${lines.join("\r\n")}\r\n`;
}
