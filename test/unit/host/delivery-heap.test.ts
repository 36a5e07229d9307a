import { expect, it } from "vitest";
import { CountingClock, heapBytesEach } from "../../support/heap.ts";

const INTERRUPTS = 300_000;

for (const path of ["posted", "irqfd", "userspace"] as const) {
  it(`an interrupt on the ${path} path allocates nothing`, () => {
    // A hundredth of the smallest object: the looks at the heap are on it themselves.
    expect(heapBytesEach(path, "full", INTERRUPTS, new CountingClock())).toBeLessThan(1);
  });
}
