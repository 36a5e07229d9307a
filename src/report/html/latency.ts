/** Latency of a run by stage: percentile plot and table, beside the machine's floor. */
import { formatCount, formatNs } from "../../base/units.ts";
import type { FloorResult, RunResult } from "../../run/result.ts";
import { floorLines } from "../latency.ts";
import { type Floor, percentilesPlot, stageLines } from "../plot/percentiles.ts";
import { html, type Markup } from "./markup.ts";
import { figure, legend, type Section } from "./page.ts";
import { type Row, table } from "./table.ts";

export function stageName(stage: string): string {
  return stage.replace("->", " \u2192 ");
}

function floorsOf(floor: FloorResult | null): Floor[] {
  if (floor === null) return [];
  const { spinOneWayNs, parkOneWayNs } = floor;
  return [
    ...(spinOneWayNs === null ? [] : [{ text: "floor, spinning", ns: spinOneWayNs }]),
    ...(parkOneWayNs === null ? [] : [{ text: "floor, parked", ns: parkOneWayNs }]),
  ];
}

function plot({ latency }: RunResult): Markup {
  const lines = stageLines(latency);
  const drawings = percentilesPlot({ lines, floors: floorsOf(latency.floor) });
  const items = lines.map(({ stage, colour, dash }) => ({ colour, dash, text: stageName(stage) }));
  const caption =
    "Time of each stage by percentile: right is rarer. " +
    "A line that stays low to the right has no tail.";
  return figure(drawings, legend(items), caption);
}

function note(text: string): Markup {
  return html`<p class="note">${text}</p>`;
}

export function latencySection(result: RunResult): Section {
  const { stages, floor, ratio } = result.latency;
  const title = "Latency from device to ISR";
  if (stages.length === 0) {
    return {
      id: "latency",
      title,
      short: "Latency",
      body: html`<p>No interrupt reached an ISR.</p>`,
    };
  }
  const rows = stages.map((row): Row => {
    const { stage, count, min, p50, p90, p99, p999, max } = row;
    const times = [min, p50, p90, p99, p999, max].map(formatNs);
    return [stageName(stage), formatCount(count), ...times];
  });
  const notes = floorLines(floor).map((line) => note(line.trim()));
  const beside =
    ratio === null
      ? null
      : note(`total is ${ratio.p50.toFixed(1)} floors at p50, ${ratio.p99.toFixed(1)} at p99`);
  const head = ["", "count", "min", "p50", "p90", "p99", "p99.9", "max"];
  const body = html`${plot(result)}
${table(head, rows)}
${notes}${beside}`;
  return { id: "latency", title, short: "Latency", body };
}
