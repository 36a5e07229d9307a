/**
 * What growing vector by vector costs under QEMU (vfio_msix_vector_do_use): a static MSI-X is taken
 * down and set up anew each time, so that N vectors are 1 + 2 + ... + N allocations and what is
 * raised meanwhile is lost; a dynamic one takes N and loses nothing.
 *
 * Limits of shared tables are proven elsewhere: 31 devices of 2,048 leave 1,994 on VT-d in
 * test/unit/host/irq/pool-vtd.test.ts, 27 or 28 tables on an ITS in gic-its.test.ts, the domains of
 * AMD-Vi and of a bridge in test/unit/host/vfio/domains.test.ts.
 */
import { describe, expect, it } from "vitest";
import { lostOf } from "../../src/scenario/fate-sums.ts";
import { grow } from "../support/growth.ts";

describe("a static MSI-X that grows", () => {
  it.each([
    ["linux-6.1", 65, "20k/s", 2_145],
    ["linux-7.2", 65, "20k/s", 2_145],
    ["linux-6.1", 257, "2k/s", 33_153],
    ["linux-6.1", 2_048, "2k/s", 2_098_176],
  ] as const)(
    "%s: %i vectors at %s are %i allocations, and lose",
    (kernel, n, rate, expected) => {
      const { allocations, fates, injected, raised } = grow(kernel, "7.2", n, rate);
      expect(expected).toBe((n * (n + 1)) / 2);
      expect(allocations).toBe(expected);
      expect(lostOf(fates)).toBeGreaterThan(0);
      // Taken down, nobody hears them; masked meanwhile, they merge in the pending bit.
      expect(Object.keys(fates)).toContain("dropped-disabled");
      expect(lostOf(fates) + injected).toBeLessThanOrEqual(raised);
    },
    60_000,
  );

  it("costs QEMU 10.0 one more, for MSI-X that is on with no vector", () => {
    const { allocations, fates } = grow("linux-6.1", "10.0", 65, "20k/s");
    expect(allocations).toBe(1 + 2_145);
    expect(lostOf(fates)).toBeGreaterThan(0);
  });
});

describe("a dynamic MSI-X that grows", () => {
  it.each([65, 257, 2_048])("by %i vectors takes as many, and loses none", (n) => {
    const { allocations, fates, injected, raised } = grow("linux-6.12", "10.0", n, "20k/s");
    expect(allocations).toBe(n);
    expect(fates).toEqual({});
    expect([injected, raised > n / 2]).toEqual([raised, true]);
  });
});
