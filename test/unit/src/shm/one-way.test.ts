import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { createFloorMemory } from "../../../../src/shm/floor.ts";
import { receiveSide, sendSide } from "../../../../src/shm/one-way.ts";
import { WallClock } from "../../../../src/time/wall-clock.ts";
import type { PeerData } from "./floor-peer.ts";

/** A clock that moves on by `stepNs` at every look. */
const steppingClock = (stepNs: number) => {
  let now = 0;
  return { now: () => (now += stepNs) };
};

const waysOf = (rounds: number) => ({
  ns: new Float64Array(rounds),
  aheadNs: new Float64Array(rounds),
});
/** Two threads' clocks are found by readings, each on its own, ns. */
const CLOCKS_APART = 10_000;

describe.each(["spin", "park"] as const)("one way of a word, %s", (mode) => {
  test("is timed from stamp to stamp between two threads", async () => {
    const rounds = 200;
    const data: PeerData = { memory: createFloorMemory(), rounds, mode, side: "receive" };
    const worker = new Worker(new URL("./floor-peer.ts", import.meta.url), { workerData: data });
    const answered = once(worker, "message");
    const clock = new WallClock();
    const out = waysOf(rounds);
    const begun = clock.now();
    const timed = sendSide(data.memory, rounds, mode, out, clock, clock.now() + 20e9);
    const took = clock.now() - begun;
    expect(timed).toBe(rounds);
    expect(await answered).toEqual([true]);
    expect(out.ns.every((ns) => ns > 0)).toBe(true);
    // There and back do not overlap, and there is a pause before each.
    expect(2 * out.ns.reduce((a, b) => a + b)).toBeLessThan(took - rounds * 10_000);
    // The receiver's stamp is between the sender's.
    expect(out.aheadNs.every((ahead, i) => Math.abs(ahead) < out.ns[i]! + CLOCKS_APART)).toBe(true);
  });

  test("ends at the deadline if nobody answers, and the receiver is told not to wait", () => {
    const memory = createFloorMemory();
    const out = waysOf(10);
    expect(sendSide(memory, 10, mode, out, steppingClock(1e6), 9e6)).toBe(0);
    const patient = { now: () => 0 };
    expect(receiveSide(memory, 10, mode, patient, 1)).toBe(false);
  });

  test("ends at the deadline if nobody sends", () => {
    const memory = createFloorMemory();
    expect(receiveSide(memory, 10, mode, steppingClock(1e6), 5e6)).toBe(false);
    expect(sendSide(memory, 10, mode, waysOf(10), { now: () => 0 }, 1)).toBe(0);
  });
});
