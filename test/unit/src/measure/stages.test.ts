import { expect, test } from "vitest";
import { LatencyHistogram } from "../../../../src/measure/histogram.ts";
import {
  MOMENTS,
  mergeSamples,
  NOT_HANDLED,
  STAGES,
  StageRecorder,
  summariseStages,
} from "../../../../src/measure/stages.ts";

const summary = (recorder: StageRecorder) => summariseStages(mergeSamples([recorder.toJSON()]));

test("the stages follow each other from moment to moment, and total spans them all", () => {
  const between = MOMENTS.slice(1).map((moment, i) => `${MOMENTS[i]}->${moment}`);
  const posted = ["raised->posted", "posted->woken"];
  expect(STAGES.filter((stage) => !posted.includes(stage))).toEqual([...between, "total"]);
});

test("a posted interrupt has two stages where others have three, and the same total", () => {
  const recorder = new StageRecorder(true);
  recorder.record(Float64Array.of(1_000, NOT_HANDLED, 1_003, 1_007, 1_015, 1_031));
  expect(summary(recorder).map(({ stage, max }) => [stage, max])).toEqual([
    ["raised->posted", 3],
    ["posted->woken", 4],
    ["woken->injected", 8],
    ["injected->isr", 16],
    ["total", 31],
  ]);
});

test("each stage is the time between its two moments", () => {
  const recorder = new StageRecorder(true);
  recorder.record(Float64Array.of(1_000, 1_001, 1_003, 1_007, 1_015, 1_031));
  const rows = summary(recorder).map(({ stage, count, max }) => [stage, count, max]);
  expect(rows).toEqual([
    ["raised->handler", 1, 1],
    ["handler->signalled", 1, 2],
    ["signalled->woken", 1, 4],
    ["woken->injected", 1, 8],
    ["injected->isr", 1, 16],
    ["total", 1, 31],
  ]);
});

test("a recorder of ends keeps the total only", () => {
  const recorder = new StageRecorder(false);
  recorder.record(Float64Array.of(10, 0, 0, 0, 0, 60));
  expect(Object.keys(recorder.toJSON())).toEqual(["total"]);
  expect(summary(recorder)[0]).toEqual({
    stage: "total",
    count: 1,
    min: 50,
    p50: 50,
    p90: 50,
    p99: 50,
    p999: 50,
    max: 50,
  });
});

test("a recorder without interrupts has no rows", () => {
  expect(summary(new StageRecorder(true))).toEqual([]);
  expect(summariseStages(mergeSamples([]))).toEqual([]);
});

test("guests are merged by stage, and stages of others come before the known ones", () => {
  const one = new StageRecorder(false);
  const two = new StageRecorder(false);
  for (let ns = 1; ns <= 100; ns++) {
    one.record(Float64Array.of(0, 0, 0, 0, 0, ns));
    two.record(Float64Array.of(0, 0, 0, 0, 0, 100 + ns));
  }
  const extra = new LatencyHistogram();
  extra.record(7);
  const samples = [one.toJSON(), two.toJSON(), { "re-arm": extra.toJSON() }];
  const rows = summariseStages(mergeSamples(samples));
  expect(rows.map(({ stage }) => stage)).toEqual(["re-arm", "total"]);
  expect(rows[1]).toEqual({
    stage: "total",
    count: 200,
    min: 1,
    p50: 100,
    p90: 180,
    p99: 198,
    p999: 200,
    max: 200,
  });
});

test("what found the guest parked is apart from what did not, and both are in the whole", () => {
  const recorder = new StageRecorder(false);
  recorder.record(Float64Array.of(0, 0, 0, 0, 0, 10));
  recorder.record(Float64Array.of(0, 0, 0, 0, 0, 20), true);
  recorder.record(Float64Array.of(0, 0, 0, 0, 0, 30), true);
  const { spinning, parked } = recorder.byWake();
  expect([spinning.total!.max, parked.total!.min, parked.total!.max]).toEqual([10, 20, 30]);
  expect(summary(recorder)[0]).toMatchObject({ count: 3, min: 10, max: 30 });
});

test("what is raised in the warm-up is no sample, coalesced or not", () => {
  const recorder = new StageRecorder(false);
  recorder.fromNs = 100;
  recorder.record(Float64Array.of(99, 0, 0, 0, 0, 150));
  recorder.recordCoalesced(99, 150, false);
  expect([recorder.skipped, recorder.toJSON(), recorder.coalescedByWake().spinning]).toEqual([
    1,
    {},
    {},
  ]);
  recorder.record(Float64Array.of(100, 0, 0, 0, 0, 150));
  recorder.recordCoalesced(110, 150, true);
  expect(summary(recorder)[0]).toMatchObject({ count: 1, max: 50 });
  expect(recorder.coalescedByWake().parked.total!.max).toBe(40);
});
