/** What policies are compared by, as read from a run's result. */
import { expect, it } from "vitest";
import { LatencyHistogram } from "../../../../src/measure/histogram.ts";
import type { RunResult } from "../../../../src/run/result.ts";
import { METRICS } from "../../../../src/sweep/metrics.ts";
import { SAMPLE } from "../../../support/sample-result.ts";

function figureOf(key: string, result: RunResult, lateNs = 100_000): number | null {
  return METRICS.find((metric) => metric.key === key)!.value(result, lateNs);
}

it("late is what took longer than a limit, from the device to its handler", () => {
  const total = new LatencyHistogram();
  for (const ns of [1_000, 99_000, 101_000, 5_000_000]) total.record(ns);
  const { latency } = SAMPLE;
  const result = { ...SAMPLE, latency: { ...latency, histograms: { total: total.toJSON() } } };
  expect(figureOf("late", result)).toBe(2);
  expect(figureOf("late", result, 90_000)).toBe(3);
  expect(figureOf("late", { ...SAMPLE, latency: { ...latency, histograms: {} } })).toBe(0);
});

it("a run in which nothing was armed again has no re-arm latency", () => {
  const { retention } = SAMPLE;
  const result = { ...SAMPLE, retention: { ...retention, policies: [] } };
  expect(figureOf("rearmP50", result)).toBeNull();
});

it("there is a key for each figure, once, and less of each is better", () => {
  expect(new Set(METRICS.map(({ key }) => key)).size).toBe(METRICS.length);
  expect(METRICS.every(({ better }) => better === "less")).toBe(true);
});
