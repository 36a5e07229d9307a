/** Pairing of the host's stamps with the handlers that ran (guest/kernel/samples.ts). */
import { beforeEach, describe, expect, test } from "vitest";
import { LatencySamples } from "../../../../guest/kernel/samples.ts";
import { MERGED, MOMENTS, StageRecorder } from "../../../../src/measure/stages.ts";
import { LatencyWatch } from "../../../../src/measure/watch.ts";
import { StampLogReader, StampLogWriter, stampLogBytes } from "../../../../src/shm/stamp-log.ts";

/** Keeps the moments of each sample. */
class Recorded extends StageRecorder {
  readonly samples: number[][] = [];
  readonly parked: boolean[] = [];
  readonly coalesced: [raised: number, isr: number, parked: boolean][] = [];

  override record(moments: Float64Array, parked = false): void {
    this.samples.push([...moments]);
    this.parked.push(parked);
  }

  override recordCoalesced(raised: number, isr: number, parked: boolean): void {
    this.coalesced.push([raised, isr, parked]);
  }
}

const ROWS = 3;

/** The handler of a token ran, having been woken, injected and entered at these times. */
function ran(to: LatencySamples, row: number, sequence: number, times: readonly number[]): void {
  to.stamps.set(times);
  to.ran(row, sequence, sequence + 1);
}

let host: StampLogWriter;
let stages: Recorded;
let samples: LatencySamples;

beforeEach(() => {
  const memory = new SharedArrayBuffer(stampLogBytes());
  host = new StampLogWriter(memory, 0);
  stages = new Recorded(true);
  samples = new LatencySamples(new StampLogReader(memory, 0), stages, ROWS);
});

test("a sample has the six moments of a delivery", () => {
  expect(MOMENTS).toHaveLength(6);
  host.append(1, 0, 100, 200, 300);
  samples.pair();
  ran(samples, 1, 0, [400, 500, 600]);
  expect(stages.samples).toEqual([[100, 200, 300, 400, 500, 600]]);
});

test("the handler may have run before the host's stamps are there", () => {
  ran(samples, 1, 0, [400, 500, 600]);
  expect(stages.samples).toEqual([]);
  host.append(1, 0, 100, 200, 300);
  samples.pair();
  expect(stages.samples).toEqual([[100, 200, 300, 400, 500, 600]]);
});

test("a sample is recorded once", () => {
  host.append(0, 0, 1, 2, 3);
  samples.pair();
  ran(samples, 0, 0, [4, 5, 6]);
  ran(samples, 0, 0, [4, 5, 6]);
  samples.pair();
  expect(stages.samples).toHaveLength(1);
});

test("a turn that began before the signal noticed it no earlier than that", () => {
  host.append(0, 0, 100, 200, 300);
  samples.pair();
  ran(samples, 0, 0, [250, 260, 600]);
  expect(stages.samples).toEqual([[100, 200, 300, 300, 300, 600]]);
});

describe("halves are matched", () => {
  test("by sequence number: a neighbour's stamps do not fit", () => {
    host.append(0, 5, 1, 2, 3);
    samples.pair();
    ran(samples, 0, 4, [7, 8, 9]);
    expect(stages.samples).toEqual([]);
    ran(samples, 0, 5, [7, 8, 9]);
    expect(stages.samples).toHaveLength(1);
  });

  test("by row", () => {
    host.append(1, 0, 1, 2, 3);
    samples.pair();
    ran(samples, 0, 0, [7, 8, 9]);
    ran(samples, 2, 0, [7, 8, 9]);
    expect(stages.samples).toEqual([]);
  });

  test("in any order, while no more than four of a row wait", () => {
    for (const n of [8, 9, 10, 11]) ran(samples, 0, n, [100, 100, 100 + n]);
    for (const n of [11, 8, 10, 9]) host.append(0, n, n, n, n);
    samples.pair();
    expect(stages.samples.map((moments) => [moments[0], moments[5]])).toEqual([
      [11, 111],
      [8, 108],
      [10, 110],
      [9, 109],
    ]);
  });
});

describe("a half whose place is taken before its other half comes", () => {
  test("is lost, and the later sample is not", () => {
    host.append(0, 1, 1, 1, 1);
    host.append(0, 5, 5, 5, 5);
    samples.pair();
    ran(samples, 0, 1, [9, 9, 9]);
    ran(samples, 0, 5, [9, 9, 9]);
    expect(stages.samples.map((moments) => moments[0])).toEqual([5]);
  });

  test("is lost on the guest's side as well", () => {
    ran(samples, 0, 2, [9, 9, 92]);
    ran(samples, 0, 6, [9, 9, 96]);
    host.append(0, 2, 2, 2, 2);
    host.append(0, 6, 6, 6, 6);
    samples.pair();
    expect(stages.samples.map((moments) => moments[5])).toEqual([96]);
  });
});

test("rows and sequences that make no sense are passed over", () => {
  for (const row of [-1, ROWS, Number.NaN, Number.POSITIVE_INFINITY, 1e300]) {
    host.append(row, 0, 1, 2, 3);
  }
  for (const sequence of [Number.NaN, -1, 0.5, 2 ** 60]) host.append(0, sequence, 1, 2, 3);
  samples.pair();
  for (let row = 0; row < ROWS; row++) ran(samples, row, 0, [4, 5, 6]);
  expect(stages.samples).toEqual([]);
});

test("handlers wait for a look at the log that brings something", () => {
  ran(samples, 0, 0, [4, 5, 6]);
  ran(samples, 0, 1, [4, 5, 6]);
  samples.pair();
  expect(samples.unpaired).toBe(2);
  host.append(0, 0, 1, 2, 3);
  samples.pair();
  expect(samples.unpaired).toBe(0);
});

describe("interrupts that one handler serves together", () => {
  test("are one sample, and each of the others its own time from raise to that handler", () => {
    for (let i = 0; i < 3; i++) host.append(0, i, 100 + i, 110 + i, 120 + i);
    samples.stamps.set([200, 200, 210]);
    samples.ran(0, 0, 3);
    samples.pair();
    expect(stages.samples).toEqual([[100, 110, 120, 200, 200, 210]]);
    expect(stages.coalesced).toEqual([
      [101, 210, false],
      [102, 210, false],
    ]);
  });

  test("are found, too, if the host's stamps were there before the handler ran", () => {
    for (let i = 0; i < 3; i++) host.append(0, i, 100 + i, 110 + i, 120 + i);
    samples.pair();
    samples.stamps.set([200, 200, 210]);
    samples.ran(0, 0, 3);
    expect(stages.samples).toHaveLength(1);
    expect(stages.coalesced.map(([raised]) => raised)).toEqual([101, 102]);
  });

  test("may have merged on the host, which names the one they merged with", () => {
    host.append(0, 5, 100, 110, 120);
    host.append(0, 5, 150, MERGED, 160);
    ran(samples, 0, 5, [200, 200, 210]);
    samples.pair();
    expect(stages.samples).toEqual([[100, 110, 120, 200, 200, 210]]);
    expect(stages.coalesced).toEqual([[150, 210, false]]);
  });

  test("are not taken for others that come later", () => {
    samples.stamps.set([200, 200, 210]);
    samples.ran(0, 0, 2);
    host.append(0, 2, 300, 310, 320);
    samples.pair();
    ran(samples, 0, 2, [400, 400, 410]);
    expect(stages.samples).toEqual([[300, 310, 320, 400, 400, 410]]);
    expect(stages.coalesced).toEqual([]);
  });
});

test("a sample knows whether it found the guest's thread asleep", () => {
  const slept = Float64Array.of(0);
  const memory = new SharedArrayBuffer(stampLogBytes());
  const writer = new StampLogWriter(memory, 0);
  const both = new LatencySamples(new StampLogReader(memory, 0), stages, ROWS, slept);
  writer.append(0, 0, 100, 110, 120);
  slept[0] = 150;
  ran(both, 0, 0, [160, 160, 170]);
  // It sleeps again before the samples are paired, which does not count for one that ran before.
  slept[0] = 400;
  writer.append(0, 1, 500, 510, 520);
  ran(both, 0, 1, [560, 560, 570]);
  both.pair();
  expect(stages.parked).toEqual([true, false]);
});

test("after one beyond the limit nothing is recorded any more", () => {
  let hits = 0;
  const watch = new LatencyWatch(400, () => hits++);
  const memory = new SharedArrayBuffer(stampLogBytes());
  const writer = new StampLogWriter(memory, 0);
  const never = Float64Array.of(0);
  const watched = new LatencySamples(new StampLogReader(memory, 0), stages, ROWS, never, watch);
  for (const [sequence, isr] of [500, 501, 600].entries()) {
    writer.append(2, sequence, 100, 110, 120);
    ran(watched, 2, sequence, [200, 200, isr]);
    watched.pair();
  }
  expect(hits).toBe(1);
  expect(stages.samples.map((moments) => moments[5])).toEqual([500, 501]);
  const { hit, before } = watch.report();
  expect([hit?.row, hit?.sequence, hit?.moments[5]]).toEqual([2, 1, 501]);
  expect(before.map(({ sequence }) => sequence)).toEqual([0]);
});
