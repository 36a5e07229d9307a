import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import {
  atomicPairs,
  createFloorMemory,
  measureClockCost,
  pingSide,
  pongSide,
} from "../../../../src/shm/floor.ts";
import { WallClock } from "../../../../src/time/wall-clock.ts";
import type { PeerData } from "./floor-peer.ts";

/** A clock that moves on by `stepNs` at every look. */
const steppingClock = (stepNs: number) => {
  let now = 0;
  return { now: () => (now += stepNs) };
};

describe.each(["spin", "park"] as const)("round trips of a word, %s", (mode) => {
  test("are timed one by one between two threads", async () => {
    const rounds = 500;
    const data: PeerData = { memory: createFloorMemory(), rounds, mode, side: "pong" };
    const worker = new Worker(new URL("./floor-peer.ts", import.meta.url), { workerData: data });
    const answered = once(worker, "message");
    const clock = new WallClock();
    const out = new Float64Array(rounds);
    const timed = pingSide(data.memory, rounds, mode, out, clock, clock.now() + 20e9);
    expect(timed).toBe(rounds);
    expect(await answered).toEqual([true]);
    expect(out.every((ns) => ns > 0 && ns < 20e9)).toBe(true);
  });

  test("end at the deadline if nobody answers, and the peer is told not to wait", () => {
    const memory = createFloorMemory();
    const out = new Float64Array(10);
    expect(pingSide(memory, 10, mode, out, steppingClock(1e6), 5e6)).toBe(0);
    // Much later: the answering side sees that the other has given up.
    const patient = { now: () => 0 };
    expect(pongSide(memory, 10, mode, patient, 1)).toBe(false);
  });

  test("end at the deadline if nobody asks", () => {
    const memory = createFloorMemory();
    expect(pongSide(memory, 10, mode, steppingClock(1e6), 5e6)).toBe(false);
    const out = new Float64Array(10);
    expect(pingSide(memory, 10, mode, out, { now: () => 0 }, 1)).toBe(0);
  });
});

test("the clock costs what its readings are apart", () => {
  expect(measureClockCost(steppingClock(25), 3, 100)).toEqual([25, 25, 25]);
});

test("atomic pairs leave the memory as they found it", () => {
  const memory = createFloorMemory();
  atomicPairs(memory, 100);
  expect(new Uint8Array(memory).every((byte) => byte === 0)).toBe(true);
});
