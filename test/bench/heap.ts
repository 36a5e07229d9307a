/** What an interrupt puts on the heap, over ten million of them on each path. */

import type { Path } from "../support/delivery.ts";
import { CountingClock, heapBytesEach } from "../support/heap.ts";
import type { Bench, BenchContext, BenchResult } from "./bench.ts";

const PATHS: readonly Path[] = ["posted", "irqfd", "userspace"];
const INTERRUPTS = 10_000_000;
/** One object in a hundred interrupts would be more. */
const BYTES_MAX = 0.2;

async function run({ quick }: BenchContext): Promise<BenchResult[]> {
  const times = quick ? INTERRUPTS / 20 : INTERRUPTS;
  return PATHS.map((path) => {
    const value = heapBytesEach(path, "full", times, new CountingClock());
    return {
      name: `heap.${path}`,
      value,
      unit: "B",
      floorName: "the same with node's clock, which puts its readings there",
      floor: heapBytesEach(path, "full", times / 10),
      ratio: null,
      better: "lower",
      target: { text: "none an interrupt", met: value < BYTES_MAX },
    };
  });
}

export const benches: Bench[] = [{ name: "heap", run }];
