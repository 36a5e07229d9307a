import { expect, it } from "vitest";
import { CountingClock, heapBytesEach } from "../../support/heap.ts";

const INTERRUPTS = 100_000;
/** What is allocated for each interrupt shows in every round; the compiler's own only in some. */
const ROUNDS = 4;

for (const path of ["posted", "irqfd", "userspace"] as const) {
  it(`an interrupt on the ${path} path allocates nothing`, () => {
    const rounds = Array.from({ length: ROUNDS }, () =>
      heapBytesEach(path, "full", INTERRUPTS, new CountingClock()),
    );
    // A fraction of the smallest object: the looks at the heap are on it themselves.
    expect(Math.min(...rounds), rounds.join(", ")).toBeLessThan(2);
  });
}
