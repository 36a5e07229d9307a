import { expect, it } from "vitest";
import { LatencyHistogram } from "../../../../src/measure/histogram.ts";
import { IDLE_LIMITS_NS, IdleSpans } from "../../../../src/measure/idle-spans.ts";

const S = 1e9;

it("spans count by what ended them, and by the limits they reached", () => {
  const spans = new IdleSpans();
  spans.reused(2e6);
  spans.released(S, "disable");
  spans.freed("pressure", 70 * S);
  const { over, released, reused, sumNs, open } = spans.report([]);
  expect(IDLE_LIMITS_NS).toEqual([1e6, 10e6, 100e6, S, 10 * S, 60 * S]);
  expect(over).toEqual([3, 2, 2, 2, 1, 1]);
  expect(released).toEqual({ teardown: 0, cap: 0, timeout: 0, pressure: 1, disable: 1 });
  expect([reused, open, sumNs]).toEqual([1, 0, 2e6 + 71 * S]);
});

it("an irq that was freed before it could idle is counted and has no span", () => {
  const spans = new IdleSpans();
  spans.freed("teardown", null);
  const report = spans.report([]);
  expect(report.released.teardown).toBe(1);
  expect(LatencyHistogram.fromJSON(report.spans).count).toBe(0);
});

it("what is idle still counts with its age, once for each report", () => {
  const spans = new IdleSpans();
  spans.reused(10);
  expect(spans.report([5 * S]).open).toBe(1);
  const { open, over, spans: json, sumNs } = spans.report([2 * S, 3 * S]);
  expect(open).toBe(2);
  expect(over).toEqual([2, 2, 2, 2, 0, 0]);
  expect(sumNs).toBe(10 + 5 * S);
  const histogram = LatencyHistogram.fromJSON(json);
  expect(histogram.count).toBe(3);
  expect(histogram.max).toBe(3 * S);
});

it("arming for the first time and again are two distributions", () => {
  const spans = new IdleSpans();
  spans.armed(9_300, false);
  spans.armed(11_300, true);
  spans.armed(11_300, true);
  const { arm, rearm } = spans.report([]);
  expect(LatencyHistogram.fromJSON(arm).count).toBe(1);
  expect(LatencyHistogram.fromJSON(rearm).max).toBe(11_300);
});
