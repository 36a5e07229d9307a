import { expect, test } from "vitest";
import { LatencyWatch, WATCHED_SAMPLES } from "../../../../src/measure/watch.ts";

function sample(watch: LatencyWatch, sequence: number, latency: number, parked = false): void {
  watch.sample(1, sequence, Float64Array.of(1_000, 0, 0, 0, 0, 1_000 + latency), parked);
}

test("a latency at the limit is within it, the first beyond it is told once", () => {
  let told = 0;
  const watch = new LatencyWatch(500, () => told++);
  sample(watch, 0, 500);
  expect([watch.hit, told, watch.report().hit]).toEqual([false, 0, null]);
  sample(watch, 1, 501, true);
  sample(watch, 2, 900);
  expect([watch.hit, told]).toEqual([true, 1]);
  const { limitNs, hit, before } = watch.report();
  expect([limitNs, hit!.sequence, hit!.parked]).toEqual([500, 1, true]);
  expect(hit!.moments).toEqual([1_000, 0, 0, 0, 0, 1_501]);
  expect(before.map(({ sequence }) => sequence)).toEqual([0]);
});

test("so many samples are kept, the last ones, oldest first", () => {
  const watch = new LatencyWatch(500, () => {});
  for (let i = 0; i < WATCHED_SAMPLES + 10; i++) sample(watch, i, 1);
  sample(watch, 1_000, 501);
  const { hit, before } = watch.report();
  expect([before.length, before[0]!.sequence, hit!.sequence]).toEqual([
    WATCHED_SAMPLES - 1,
    11,
    1_000,
  ]);
});
