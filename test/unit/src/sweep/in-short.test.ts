/** The answer of a comparison, on made-up figures of several shapes. */
import { describe, expect, it } from "vitest";
import { placesOf } from "../../../../src/sweep/comparison.ts";
import { inShort } from "../../../../src/sweep/in-short.ts";
import { type SyntheticCell, syntheticCell } from "../../../support/synthetic-cells.ts";

function short(cells: readonly SyntheticCell[], seeds = 3): string[] {
  return inShort(placesOf(cells.map((cell) => syntheticCell({ seeds, ...cell }))), seeds);
}

/** `n` in each seed. */
const each = (n: number): number[] => [n, n, n];
/** Requests refused because of idle irqs, and no others. */
const caused = (n: number) => ({ failuresCaused: each(n), failures: each(n) });

describe("in short", () => {
  /** As the review of V4 10/11 had it: whom a cache harms, and what freeing costs. */
  const REVIEW: readonly SyntheticCell[] = [
    ...["cache", "free-on-unset", "bounded"].flatMap((policy): SyntheticCell[] => [
      { policy, vmm: "qemu", topology: "vtd" },
      { policy, vmm: "dpdk", topology: "vtd", figures: costs(policy) },
      { policy, vmm: "qemu", topology: "small", figures: { failures: each(4) } },
      { policy, vmm: "qemu", topology: "its", figures: caused(36), effective: false },
      { policy, vmm: "dpdk", topology: "its", figures: caused(5), effective: false },
    ]),
    { policy: "cache", vmm: "dpdk", topology: "small", figures: caused(9) },
    { policy: "free-on-unset", vmm: "dpdk", topology: "small", figures: { refusedAgain: each(2) } },
    { policy: "bounded", vmm: "dpdk", topology: "small" },
  ];

  function costs(policy: string): NonNullable<SyntheticCell["figures"]> {
    const more = policy === "free-on-unset" ? 1.5 : 1;
    return { allocations: each(100 * more), rearmP50: each(policy === "cache" ? 10 : 12) };
  }

  it("tells harm, who avoids it and for what, what no policy changes, and the conclusion", () => {
    expect(short(REVIEW)).toEqual([
      "In a run idle irqs made requests of others fail that another policy would have spared: " +
        "with cache 9 under dpdk on small.",
      "free-on-unset and bounded spare them all; elsewhere, against cache, free-on-unset costs " +
        "up to 1.50 times the irqs allocated and 1.20 times the re-arm time; bounded up to 1.20 " +
        "times the re-arm time.",
      "Requests for irqs that had been given back were refused: with free-on-unset 2 under dpdk " +
        "on small.",
      "Whatever the policy, idle irqs made requests of others fail: 5 to 36 under every VMM on " +
        "its, where no single irq can be given back.",
      "Nobody's idle irqs harmed another where no table ran short (every VMM on vtd), nor where " +
        "too few were idle when one did (qemu on small).",
      "So what speaks for free-on-unset and bounded is a table that runs short while irqs " +
        "idle (dpdk on small); in the other 5 of 6 combinations no policy spares anybody " +
        "anything, and cache costs least.",
    ]);
  });

  it("does not depend on the order of policies, but for what they are held against", () => {
    const turned = short([...REVIEW].reverse());
    expect(turned[0]).toBe(short(REVIEW)[0]);
    expect(turned.at(-1)).toContain("what speaks for bounded and free-on-unset is a table");
  });

  it("says where what is given back is refused as often as a cache makes others fail", () => {
    const words = short([
      { policy: "cache", vmm: "dpdk", figures: caused(3) },
      { policy: "bounded", vmm: "dpdk", figures: { failures: each(2), refusedAgain: each(2) } },
      { policy: "cache", vmm: "crosvm", figures: caused(6) },
      { policy: "bounded", vmm: "crosvm", figures: { failures: each(6), refusedAgain: each(6) } },
    ]);
    expect(words[2]).toBe(
      "Requests for irqs that had been given back were refused: with bounded 2 to 6 under every " +
        "VMM on vtd, no fewer in all than with cache under crosvm on vtd.",
    );
  });

  it("of policies that do not differ says that nothing speaks for giving back", () => {
    expect(short([{ policy: "cache" }, { policy: "bounded" }])).toEqual([
      "With no policy did idle irqs make more requests of others fail than with another.",
      "Nobody's idle irqs harmed another where no table ran short (qemu on vtd).",
      "So nothing here speaks for giving irqs back before the mode changes, and no policy costs " +
        "more than another.",
    ]);
  });

  it("names the cheapest where no policy spares anybody anything", () => {
    const words = short([
      { policy: "cache", figures: { iecFlushes: each(10) } },
      { policy: "free-on-teardown", figures: { iecFlushes: each(30) } },
    ]);
    expect(words.at(-1)).toMatch(/before the mode changes, and cache costs least\.$/);
  });

  it("says so where each policy harms somebody", () => {
    const words = short([
      { policy: "cache", vmm: "crosvm", figures: caused(9) },
      { policy: "free-on-unset", vmm: "crosvm" },
      { policy: "cache", vmm: "dpdk", figures: caused(3) },
      { policy: "free-on-unset", vmm: "dpdk", figures: caused(5) },
    ]);
    expect(words).toEqual([
      "In a run idle irqs made requests of others fail that another policy would have spared: " +
        "with cache 9 under crosvm on vtd; with free-on-unset 5 under dpdk on vtd.",
      "None of the policies spares them everywhere.",
      "So none is best for others everywhere: it depends on VMM and topology (every VMM on vtd).",
    ]);
  });

  it("does not claim what seeds do not tell apart", () => {
    const words = short([
      { policy: "cache", figures: { failuresCaused: [2, 9, 4], failures: [2, 9, 4] } },
      { policy: "bounded", figures: { failuresCaused: [5, 3, 6], failures: [5, 3, 6] } },
    ]);
    expect(words).toEqual([
      "At 3 seeds it cannot be told whether the policy matters to others under qemu on vtd, " +
        "where idle irqs made 4.7 to 5 requests fail.",
      "So these seeds do not decide what speaks for giving irqs back; more may (--seeds).",
    ]);
  });

  it("does not call even what seeds do not tell apart", () => {
    const words = short([
      { policy: "cache", vmm: "dpdk", figures: caused(9) },
      { policy: "bounded", vmm: "dpdk" },
      { policy: "cache", vmm: "crosvm", figures: { failuresCaused: [2, 9, 4] } },
      { policy: "bounded", vmm: "crosvm", figures: { failuresCaused: [5, 3, 6] } },
      { policy: "cache" },
      { policy: "bounded" },
    ]);
    expect(words).toContain(
      "At 3 seeds it cannot be told whether the policy matters to others under crosvm on vtd, " +
        "where idle irqs made 4.7 to 5 requests fail.",
    );
    expect(words.at(-1)).toMatch(/; in 1 of 3 combinations no policy spares anybody anything\.$/);
  });

  it("leaves nothing open where some policy spares others for certain", () => {
    const words = short([
      { policy: "cache", figures: caused(9) },
      { policy: "free-on-unset", figures: { failuresCaused: [0, 9, 2] } },
      { policy: "bounded" },
    ]);
    expect(words[0]).toContain("with cache 9 under qemu on vtd.");
    expect(words.join()).not.toContain("cannot be told whether");
  });

  it("does not say that no fewer failed where fewer did, but not for certain", () => {
    const words = short([
      { policy: "cache", figures: caused(28) },
      { policy: "bounded", figures: { failures: [28, 20, 27], refusedAgain: each(5) } },
    ]);
    expect(words).toContain(
      "Requests for irqs that had been given back were refused: with bounded 5 under qemu on vtd.",
    );
  });

  it("of one seed says what differs, and that it is one", () => {
    const words = short(
      [{ policy: "cache", figures: { failuresCaused: [4], failures: [4] } }, { policy: "bounded" }],
      1,
    );
    expect(words[0]).toContain("with cache 4 under qemu on vtd.");
    expect(words.at(-1)).toBe("All this is of one seed, and cannot be told from chance.");
  });

  it("says of a hypothetical VMM that it is one", () => {
    const words = short([
      { policy: "cache", vmm: "minimal", figures: caused(1) },
      { policy: "bounded", vmm: "minimal" },
    ]);
    expect(words.at(-1)).toContain("(minimal on vtd; minimal is hypothetical).");
  });

  it("says nothing of a single policy, or without runs", () => {
    expect(short([{ policy: "cache" }])).toEqual([]);
    expect(short([{ policy: "cache" }, { policy: "bounded", missing: [0, 1, 2] }])).toEqual([]);
  });

  it("is never longer than seven sentences", () => {
    expect(short(REVIEW, 1).length).toBeLessThanOrEqual(7);
  });
});
