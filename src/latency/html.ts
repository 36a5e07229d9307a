/** A latency measurement as a self-contained page. */
import { formatCount, formatNs } from "../base/units.ts";
import { LatencyHistogram } from "../measure/histogram.ts";
import { breakWords, TRACE_SHOWN, traceCells } from "../report/broke.ts";
import { html, type Markup } from "../report/html/markup.ts";
import { figure, legend, pageHtml, type Section } from "../report/html/page.ts";
import { figureTiles, warningList } from "../report/html/summary.ts";
import { type Row, table } from "../report/html/table.ts";
import { colour } from "../report/plot/colours.ts";
import { histogramPoints, percentilesPlot, type StageLine } from "../report/plot/percentiles.ts";
import type { BreakResult } from "../run/result.ts";
import type { LatencyMeasurement, WakeKind, WakeSummary } from "./measurement.ts";
import {
  floorWords,
  INTERVAL_HEAD,
  interruptWords,
  intervalRows,
  measuredVerdict,
  RUN_HEAD,
  rowCells,
  runCells,
  STAGE_HEAD,
  settingWords,
  stageRows,
  wakeTitle,
} from "./words.ts";

const LINES: Readonly<Record<WakeKind, { colour: string; dash: string }>> = {
  spinning: { colour: colour(0), dash: "none" },
  parked: { colour: colour(5), dash: "7,3" },
  modelled: { colour: colour(0), dash: "none" },
};

export function measurementPage(measured: LatencyMeasurement): string {
  const { settings, broke } = measured;
  const sections = [
    summarySection(measured),
    plotSection(measured),
    ...measured.wakes.map(wakeSection),
    runsSection(measured),
    broke === null ? null : breakSection(broke),
    provenanceSection(measured),
  ];
  return pageHtml({
    title: "latency",
    subtitle: settingWords(settings).join(" \u00b7 "),
    sections: sections.filter((section) => section !== null),
  });
}

function note(text: string): Markup {
  return html`<p class="note">${text}</p>`;
}

function summarySection(measured: LatencyMeasurement): Section {
  const { kind, text } = measuredVerdict(measured);
  const tiles = measured.wakes.map(({ wake, stages, ratio }) => {
    const total = stages.at(-1)!;
    return {
      label: `median, ${wake}`,
      value: formatNs(total.p50),
      beside: ratio === null ? "" : `${ratio.p50.toFixed(1)} floors`,
      bad: false,
    };
  });
  const { lost, coalesced, raised } = measured.interrupts;
  const share = raised === 0 ? "" : `${((coalesced / raised) * 100).toFixed(1)} %`;
  const counts = [
    { label: "raised", value: formatCount(raised), beside: "", bad: false },
    { label: "coalesced", value: formatCount(coalesced), beside: share, bad: false },
    { label: "lost", value: formatCount(lost), beside: "", bad: lost > 0 },
  ];
  const words = `${interruptWords(measured).join(", ")}.`;
  const body = html`<div class="verdict ${kind}"><strong>${text}</strong><p>${words}</p></div>
${figureTiles([...tiles, ...counts])}
${warningList(measured.warnings)}`;
  return { id: "summary", title: "Summary", body };
}

/** A line for each way of waiting, which are different things, beside the floor of its own. */
function plotSection({ wakes }: LatencyMeasurement): Section | null {
  const lines = wakes.flatMap(({ wake, histograms }): StageLine[] => {
    const total = histograms.total;
    if (total === undefined) return [];
    const points = histogramPoints(LatencyHistogram.fromJSON(total));
    return [{ stage: wake, width: 2.2, points, ...LINES[wake] }];
  });
  if (lines.length === 0) return null;
  const floors = wakes.flatMap(({ wake, floorNs }) =>
    floorNs === null ? [] : [{ text: `floor, ${wake}`, ns: floorNs }],
  );
  const items = lines.map((line) => ({ ...line, text: line.stage }));
  const caption = "Device to ISR by percentile, all runs together: right is rarer.";
  const body = figure(percentilesPlot({ lines, floors }), legend(items), caption);
  return { id: "percentiles", title: "Percentiles", body };
}

function wakeSection(wake: WakeSummary): Section {
  const rows = stageRows(wake).map((row): Row => rowCells(row));
  const intervals = intervalRows(wake);
  const over =
    intervals.length === 0
      ? null
      : html`<h3>Over ${wake.intervals.p50.runs} runs</h3>${table(INTERVAL_HEAD, intervals)}`;
  const body = html`${table(STAGE_HEAD, rows)}
${note(floorWords(wake))}${over}`;
  return { id: wake.wake, title: wakeTitle(wake.wake), short: wake.wake, body };
}

function runsSection({ runs }: LatencyMeasurement): Section {
  const options = { shown: 20, rowsAre: "runs" };
  return { id: "runs", title: "Runs", body: table(RUN_HEAD, runs.map(runCells), options) };
}

function breakSection(broke: BreakResult): Section {
  const stages = broke.stages.map(({ stage, ns }): Row => [stage, formatNs(ns)]);
  const rows = broke.trace.map((line): Row => traceCells(broke, line)).reverse();
  const head = ["us from its raise", "who", "event", ""];
  const body = html`<p>${breakWords(broke)}.</p>
${table(["stage", "took"], stages)}
<h3>What came before, the latest first</h3>
${table(head, rows, { left: [1, 2, 3], shown: TRACE_SHOWN, rowsAre: "events" })}`;
  return { id: "limit", title: "Beyond the limit", short: "Limit", body };
}

function provenanceSection({ settings, version, machine, schema }: LatencyMeasurement): Section {
  const rows: Row[] = [
    ["seed", `${settings.seed}`],
    ["engine", settings.engine],
    ["kernel", settings.kernel],
    ["vfio-cosim", version],
    ["schema", schema],
  ];
  if (machine !== null) {
    rows.push(
      ["machine", `${machine.cpus} \u00d7 ${machine.cpuModel}`],
      ["platform", `${machine.os}/${machine.arch}, Node ${machine.node}`],
    );
  }
  return { id: "provenance", title: "Provenance", body: table([], rows, { left: [0, 1] }) };
}
