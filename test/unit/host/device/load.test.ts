/** Open-loop load: rates, distributions, and that it never depends on who is ready. */
import { expect, test } from "vitest";
import { OpenLoopLoad } from "../../../../host/device/load.ts";
import { DeviceMeter } from "../../../../host/device/meter.ts";
import { Nvme } from "../../../../host/device/nvme.ts";
import { createDevice } from "../../../../host/device/registry.ts";
import type { WorkloadSpec } from "../../../../src/scenario/types.ts";
import { meterStorage } from "../../../support/meter.ts";
import { spec, World } from "./fixtures.ts";

class Arrivals {
  readonly at: number[] = [];
  readonly queues: number[] = [];

  loadInterrupt(queue: number, atNs: number): void {
    this.queues.push(queue);
    this.at.push(atNs);
  }
}

const FIXED: WorkloadSpec = { arrivals: "fixed", rate: 1_000_000, per: "queue", depth: 1 };

function started(load: WorkloadSpec, queues: number) {
  const world = new World();
  const generator = new OpenLoopLoad();
  generator.start(load, world, "nvme0");
  generator.setQueues(queues);
  return { world, generator, arrivals: new Arrivals() };
}

/** Runs to the end: a turn raises a limited number only. */
function runUntil(generator: OpenLoopLoad, arrivals: Arrivals, now: number): void {
  while (generator.run(now, arrivals) <= now) {
    // The next burst.
  }
}

test("fixed arrivals come at their rate on each queue, in turn", () => {
  const { generator, arrivals } = started(FIXED, 4);
  runUntil(generator, arrivals, 2_000);
  expect(arrivals.at).toEqual([250, 500, 750, 1000, 1250, 1500, 1750, 2000]);
  expect(arrivals.queues).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
});

test("a storm has its own rate, from its first nanosecond to its last", () => {
  const storm = { every: 10_000, for: 2_000, rate: 2_000_000 };
  const { generator, arrivals } = started({ ...FIXED, rate: 250_000, storm }, 1);
  runUntil(generator, arrivals, 20_000);
  const first = [500, 1000, 1500, 6000];
  expect(arrivals.at).toEqual([...first, ...first.map((at) => 10_000 + at)]);
});

test("storms bring as many Poisson arrivals as their rate says, and the calm the rest", () => {
  const storm = { every: 1e6, for: 1e5, rate: 1_000_000 };
  const load = { arrivals: "poisson", rate: 10_000, per: "device", depth: 1, storm } as const;
  const { generator, arrivals } = started(load, 3);
  runUntil(generator, arrivals, 1e9);
  const inStorm = arrivals.at.filter((at) => at % 1e6 < 1e5).length;
  expect(inStorm / 1e5).toBeCloseTo(1, 1);
  expect((arrivals.at.length - inStorm) / 9e3).toBeCloseTo(1, 1);
});

test("a rate per device does not grow with the queues", () => {
  const { generator, arrivals } = started({ ...FIXED, per: "device" }, 4);
  runUntil(generator, arrivals, 4_000);
  expect(arrivals.at).toEqual([1000, 2000, 3000, 4000]);
  expect(arrivals.queues).toEqual([0, 1, 2, 3]);
});

test("late turns raise everything that is due, each at its intended time", () => {
  const { generator, arrivals } = started(FIXED, 1);
  runUntil(generator, arrivals, 1_000_000);
  expect(arrivals.at.length).toBe(1000);
  expect(arrivals.at[999]).toBe(1_000_000);
});

test("one turn raises a limited number, and says that more is due", () => {
  const { generator, arrivals } = started(FIXED, 1);
  expect(generator.run(1_000_000, arrivals)).toBeLessThan(1_000_000);
  expect(arrivals.at.length).toBe(256);
});

test("Poisson arrivals have a Poisson process's mean and spread, evenly over the queues", () => {
  const { generator, arrivals } = started({ ...FIXED, arrivals: "poisson" }, 4);
  runUntil(generator, arrivals, 10_000_000);
  const count = arrivals.at.length;
  // 40,000 expected, standard deviation 200.
  expect(Math.abs(count - 40_000)).toBeLessThan(1_000);
  const gaps = arrivals.at.slice(1).map((at, i) => at - arrivals.at[i]!);
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
  // An exponential distribution's standard deviation is its mean.
  expect(Math.sqrt(variance) / mean).toBeCloseTo(1, 1);
  for (const queue of [0, 1, 2, 3]) {
    const share = arrivals.queues.filter((at) => at === queue).length / count;
    expect(share).toBeCloseTo(0.25, 1);
  }
});

test("the same seed gives the same arrivals", () => {
  const first = started({ ...FIXED, arrivals: "poisson" }, 4);
  const second = started({ ...FIXED, arrivals: "poisson" }, 4);
  runUntil(first.generator, first.arrivals, 100_000);
  runUntil(second.generator, second.arrivals, 100_000);
  expect(second.arrivals.at).toEqual(first.arrivals.at);
});

test("no queues, no rate, closed loop or a stop mean silence", () => {
  for (const load of [
    { ...FIXED, rate: 0 },
    { ...FIXED, arrivals: "closed" as const },
    { ...FIXED, arrivals: "none" as const },
  ]) {
    const { generator, arrivals } = started(load, 4);
    expect(generator.run(1e12, arrivals)).toBe(Number.POSITIVE_INFINITY);
  }
  const { generator, arrivals } = started(FIXED, 1);
  generator.setQueues(0);
  expect(generator.run(1e12, arrivals)).toBe(Number.POSITIVE_INFINITY);
  generator.setQueues(1);
  generator.stop();
  expect(generator.run(1e12, arrivals)).toBe(Number.POSITIVE_INFINITY);
  expect(arrivals.at).toEqual([]);
});

test("a target that takes its queues away in the middle of a burst is not called again", () => {
  const { generator, arrivals } = started(FIXED, 2);
  const stopping = {
    loadInterrupt(queue: number, atNs: number): void {
      arrivals.loadInterrupt(queue, atNs);
      generator.setQueues(0);
    },
  };
  expect(generator.run(1_000_000, stopping)).toBe(Number.POSITIVE_INFINITY);
  expect(arrivals.at.length).toBe(1);
});

test("an nvme is silent until its I/O queues exist, and again after a reset", () => {
  const world = new World();
  const nvme = new Nvme(spec("nvme", 4), { env: world });
  const storage = meterStorage(5, world.clock);
  const { raised } = storage;
  nvme.meter = new DeviceMeter({ device: "dev0", base: 0, msi: 0, msix: 4 }, storage);
  nvme.startLoad(FIXED, world);
  const ready = (): void => {
    nvme.fn.configWrite(0x42, 2, 0x8000);
    nvme.barWrite(0, 0x14, 4, 1n);
    nvme.barWrite(0, 0xf00, 4, 3n);
  };
  expect(nvme.runLoad(1_000_000)).toBe(Number.POSITIVE_INFINITY);
  ready();
  nvme.runLoad(2_000);
  expect([...raised]).toEqual([0, 0, 2, 2, 2]);
  nvme.reset();
  expect(nvme.runLoad(1e12)).toBe(Number.POSITIVE_INFINITY);
  ready();
  nvme.runLoad(1_000);
  expect([...raised]).toEqual([0, 0, 3, 3, 3]);
  nvme.stopLoad();
  expect(nvme.runLoad(1e12)).toBe(Number.POSITIVE_INFINITY);
});

test("an edu's load interrupts only while its driver asks for interrupts", () => {
  const world = new World();
  const edu = createDevice(spec("edu", 0, 1), { env: world });
  edu.startLoad(FIXED, world);
  expect(edu.runLoad(1e9)).toBe(Number.POSITIVE_INFINITY);
  edu.barWrite(0, 0x20, 4, 0x80n);
  expect(edu.runLoad(1_000)).toBe(2_000);
  expect(edu.barRead(0, 0x24, 4)).toBe(1n);
});
