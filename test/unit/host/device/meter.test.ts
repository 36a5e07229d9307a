/** What a device's meter counts and stamps (host/device/meter.ts), one rule a test. */
import { beforeEach, describe, expect, test } from "vitest";
import { DeviceMeter, MeterStorage } from "../../../../host/device/meter.ts";
import { FATE, FateCounts } from "../../../../src/measure/fates.ts";
import { MERGED } from "../../../../src/measure/stages.ts";
import { LevelTokens } from "../../../../src/shm/level-tokens.ts";
import { StampLogReader, StampLogWriter, stampLogBytes } from "../../../../src/shm/stamp-log.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";

const ROWS = { device: "d", base: 0, msi: 1, msix: 2 };
const COUNT = 4;
const ROW = 2;

let clock: VirtualClock;
let fates: FateCounts;
let levelTokens: LevelTokens;
let reader: StampLogReader;
let storage: MeterStorage;
let meter: DeviceMeter;

function setUp(allStages: boolean): void {
  clock = new VirtualClock();
  fates = new FateCounts(COUNT);
  levelTokens = new LevelTokens(new SharedArrayBuffer(LevelTokens.bytes(COUNT)), 0, COUNT);
  const memory = new SharedArrayBuffer(stampLogBytes());
  reader = new StampLogReader(memory, 0);
  const border = { log: new StampLogWriter(memory, 0), levelTokens };
  storage = new MeterStorage(COUNT, fates, clock, border, allStages);
  meter = new DeviceMeter(ROWS, storage);
}

/** New samples: row, sequence, raised, handler, signalled. */
function logged(): number[][] {
  const samples: number[][] = [];
  reader.read((doubles, at) => samples.push([...doubles.subarray(at, at + 5)]));
  return samples;
}

beforeEach(() => setUp(true));

test("rows are the device's own: INTx, MSI, MSI-X", () => {
  expect([meter.row("intx", 0), meter.row("msi", 0), meter.row("msix", 1)]).toEqual([0, 1, 3]);
});

describe("stamps", () => {
  test("are when it was meant to be raised, when the handler began, when it was signalled", () => {
    clock.advanceTo(1000);
    meter.raise(ROW, 900);
    clock.advanceTo(1100);
    meter.handler(ROW);
    clock.advanceTo(1200);
    meter.signalled(ROW);
    meter.sent(ROW);
    expect(logged()).toEqual([[ROW, 0, 900, 1100, 1200]]);
  });

  test("are all that of the raise where only the ends are wanted", () => {
    setUp(false);
    meter.raise(ROW, 900);
    clock.advanceTo(1100);
    meter.handler(ROW);
    meter.signalled(ROW);
    meter.sent(ROW);
    expect(logged()).toEqual([[ROW, 0, 900, 900, 900]]);
  });

  test("are numbered by row, in the order in which tokens left", () => {
    for (const row of [ROW, ROW, 3, ROW]) {
      meter.raise(row, 0);
      meter.injected(row);
    }
    expect(logged().map(([row, sequence]) => [row, sequence])).toEqual([
      [ROW, 0],
      [ROW, 1],
      [3, 0],
      [ROW, 2],
    ]);
  });

  test("of a token that nobody raised are none, but it has its number", () => {
    meter.sent(ROW);
    meter.raise(ROW, 5);
    meter.sent(ROW);
    expect(logged().map(([, sequence, raised]) => [sequence, raised])).toEqual([[1, 5]]);
  });
});

describe("a token that waits on the host's side", () => {
  test("keeps its time while younger ones merge with it", () => {
    meter.raise(ROW, 100);
    meter.raise(ROW, 200);
    meter.merged(ROW, "coalesced-pba");
    meter.raise(ROW, 300);
    meter.merged(ROW, "coalesced-pba");
    meter.sent(ROW);
    expect(logged().map((sample) => sample[2])).toEqual([100]);
    expect(fates.get(ROW, FATE["coalesced-pba"])).toBe(2);
  });

  test("keeps its time although a younger one leaves in its stead", () => {
    meter.raise(ROW, 100);
    meter.raise(ROW, 200);
    meter.sent(ROW);
    expect(logged().map((sample) => sample[2])).toEqual([100]);
  });

  test("has no time any more once it is dropped", () => {
    meter.raise(ROW, 100);
    meter.dropped(ROW, "dropped-withdrawn");
    meter.raise(ROW, 200);
    meter.sent(ROW);
    expect(logged().map((sample) => sample[2])).toEqual([200]);
    expect(fates.get(ROW, FATE["dropped-withdrawn"])).toBe(1);
  });

  test("that merges right away with one that has left leaves no time behind", () => {
    meter.raise(ROW, 100);
    meter.merged(ROW, "coalesced-irr");
    meter.raise(ROW, 200);
    meter.sent(ROW);
    expect(logged().map((sample) => sample[2])).toEqual([200]);
  });

  test("leaves its raise in the log, with the number it merged with, for all stages", () => {
    meter.raise(ROW, 100);
    meter.sent(ROW);
    meter.raise(ROW, 200);
    meter.merged(ROW, "coalesced-pir");
    expect(logged()).toEqual([
      [ROW, 0, 100, 100, 100],
      [ROW, 0, 200, MERGED, 200],
    ]);
    setUp(false);
    meter.raise(ROW, 100);
    meter.sent(ROW);
    meter.raise(ROW, 200);
    meter.merged(ROW, "coalesced-pir");
    expect(logged()).toHaveLength(1);
  });

  test("does not lose its time to a merge in another row", () => {
    meter.raise(ROW, 100);
    meter.raise(3, 150);
    meter.merged(3, "coalesced-irr");
    meter.sent(ROW);
    expect(logged().map((sample) => sample[2])).toEqual([100]);
  });
});

describe("tokens that were in an eventfd and come back", () => {
  test("merge with the one that brought them, and give their numbers back", () => {
    for (let i = 0; i < 3; i++) {
      meter.raise(ROW, i);
      meter.sent(ROW);
    }
    logged();
    meter.raise(ROW, 7);
    meter.tookBack(ROW, 2);
    meter.injected(ROW);
    expect(fates.get(ROW, FATE["coalesced-eventfd"])).toBe(2);
    expect(logged().map(([, sequence, raised]) => [sequence, raised])).toEqual([[1, 7]]);
  });
});

describe("counts", () => {
  test("of what was raised and what an irqfd requested", () => {
    meter.raise(ROW, 0);
    meter.injected(ROW);
    meter.raise(ROW, 0);
    meter.sent(ROW);
    expect([storage.raised[ROW], storage.injected[ROW], storage.sent[ROW]]).toEqual([2, 1, 2]);
  });

  test("of several tokens at once", () => {
    meter.dropped(ROW, "dropped-disabled", 3);
    meter.pending(ROW, "pending-host", 2);
    expect(fates.get(ROW, FATE["dropped-disabled"])).toBe(3);
    expect(fates.get(ROW, FATE["pending-host"])).toBe(2);
    expect(fates.sum(ROW)).toBe(5);
  });

  test("of a line's tokens are where the guest's handler finds them", () => {
    meter.levelRequested(0);
    meter.levelRequested(0);
    expect([levelTokens.take(0), levelTokens.take(ROW)]).toEqual([2, 0]);
  });
});
