import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { InvariantError } from "../../../../src/base/errors.ts";
import { DEFAULT_COSTS } from "../../../../src/time/costs.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";
import { WallClock } from "../../../../src/time/wall-clock.ts";

describe("the wall clock", () => {
  it("never runs backwards and is in nanoseconds", () => {
    const clock = new WallClock();
    const start = clock.now();
    let last = start;
    for (let i = 0; i < 10_000; i++) {
      const now = clock.now();
      expect(now >= last).toBe(true);
      last = now;
    }
    const wall = process.hrtime();
    // Within a millisecond of the monotonic clock it stands for, preemption aside.
    expect(Math.abs(wall[0] * 1e9 + wall[1] - clock.now())).toBeLessThan(20e6);
  });

  it("shows another thread the same time", async () => {
    const clock = new WallClock();
    const before = clock.now();
    const worker = new Worker(new URL("../../../support/clock-worker.ts", import.meta.url));
    const theirs = await new Promise<number>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    const after = clock.now();
    // 50 us of slack for the two offsets' error; the thread's own origin is milliseconds away.
    expect(theirs).toBeGreaterThan(before - 50e3);
    expect(theirs).toBeLessThan(after + 50e3);
    await worker.terminate();
  });

  it("takes no notice of work it has seen pass itself", () => {
    const clock = new WallClock();
    const before = clock.now();
    clock.spend(1e15);
    expect(clock.now() - before).toBeLessThan(1e12);
  });
});

it("is put right where it was found to be ahead of another thread's", () => {
  const [clock, other] = [new WallClock(), new WallClock()];
  clock.setBack(1e9);
  const apart = other.now() - clock.now();
  expect(Math.abs(apart - 1e9)).toBeLessThan(1e8);
});

describe("the virtual clock", () => {
  it("stands still but for what is spent, until the next event", () => {
    const clock = new VirtualClock();
    expect([clock.now(), clock.now()]).toEqual([0, 0]);
    clock.spend(30);
    clock.spend(12);
    expect(clock.now()).toBe(42);
    clock.advanceTo(10);
    expect(clock.now()).toBe(10);
    expect(() => clock.advanceTo(9)).toThrow(InvariantError);
  });
});

describe("the cost model", () => {
  it("has only positive costs of at most a second", () => {
    for (const ns of Object.values(DEFAULT_COSTS)) expect(ns > 0 && ns <= 1e9).toBe(true);
  });
});
