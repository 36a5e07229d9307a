/** Verdicts on made-up figures: they say what the figures say, and what those do not say. */
import { describe, expect, it } from "vitest";
import { placesOf } from "../../../../src/sweep/comparison.ts";
import { limitsOf } from "../../../../src/sweep/limits.ts";
import { verdictOf } from "../../../../src/sweep/verdict.ts";
import { type SyntheticCell, syntheticCell } from "../../../support/synthetic-cells.ts";

function verdict(cells: readonly SyntheticCell[], seeds = 3): string[] {
  return verdictOf(placesOf(cells.map((cell) => syntheticCell({ seeds, ...cell }))), seeds);
}

const SLOW = { rearmP50: [20, 20, 20] };
const FAST = { rearmP50: [10, 10, 10] };

describe("a verdict", () => {
  it("says that the choice has no effect where all figures are equal", () => {
    const words = verdict([{ policy: "cache" }, { policy: "bounded" }]);
    expect(words[0]).toBe(
      "The choice of policy has no effect: all are equal in every figure in each of 3 seeds.",
    );
    expect(words.at(-1)).toBe("bounded is nowhere different from cache.");
  });

  it("tells in which combinations policies differ, and in which they are equal", () => {
    const words = verdict([
      { policy: "cache", vmm: "qemu" },
      { policy: "bounded", vmm: "qemu" },
      { policy: "cache", vmm: "minimal", figures: FAST },
      { policy: "bounded", vmm: "minimal", figures: SLOW },
    ]);
    expect(words[0]).toBe(
      "Policies differ in 1 of 2 combinations of VMM and topology: under minimal on vtd. In the " +
        "other 1 all are equal in every figure in each of 3 seeds.",
    );
    expect(words).toContain("Under qemu the choice has no effect, whatever the topology.");
  });

  it("names equal policies beside a different one", () => {
    const words = verdict([
      { policy: "cache", figures: FAST },
      { policy: "free-on-unset", figures: FAST },
      { policy: "free-on-teardown", figures: SLOW },
    ]);
    expect(words).toContain("Equal, in every figure: cache = free-on-unset under qemu on vtd.");
    expect(words.join("\n")).not.toContain("= free-on-teardown");
  });

  it("gives the reason where single irqs cannot be given back", () => {
    const cells = ["cache", "bounded"].flatMap((policy): SyntheticCell[] => [
      { policy, topology: "its", effective: false },
      { policy, topology: "vtd", figures: policy === "cache" ? FAST : SLOW },
    ]);
    expect(verdict(cells).join("\n")).toContain(
      "On its the choice has no effect, whatever the VMM: single irqs cannot be given back there",
    );
    const able = cells.map((cell) => ({ ...cell, effective: true }));
    expect(verdict(able)).toContain("On its the choice has no effect, whatever the VMM.");
  });

  it("says who pays under which policy", () => {
    const words = verdict([
      {
        policy: "cache",
        figures: { failuresCaused: [4, 4, 4], failures: [4, 4, 4] },
        victims: { late: { failed: 4, causedByIdle: 4 } },
      },
      {
        policy: "free-on-unset",
        figures: { failures: [6, 6, 6], refusedAgain: [6, 6, 6] },
        victims: { nic0: { failed: 3, causedByIdle: 0 }, nic1: { failed: 3, causedByIdle: 0 } },
      },
    ]);
    expect(words).toContain(
      "Under qemu on vtd idle irqs made requests of others fail: 4 with cache (late pays), " +
        "none with free-on-unset. Whatever the cause, there failed 6 with free-on-unset (nic0, " +
        "nic1), 4 with cache (late); for irqs that had been given back 6 with free-on-unset.",
    );
  });

  it("does not tell apart what seeds do not tell apart", () => {
    const words = verdict([
      { policy: "cache", figures: { failuresCaused: [2, 9, 4] } },
      { policy: "bounded", figures: { failuresCaused: [5, 3, 6] } },
    ]);
    const text = words.join("\n");
    expect(text).toContain("(not distinguishable: cache and bounded)");
    expect(words.at(-1)).toContain("better in nothing; worse in nothing.");
  });

  it("counts where the other policies are better and worse than the first, and how much", () => {
    const words = verdict([
      { policy: "cache", figures: { ...FAST, idleIrteSeconds: [8, 8, 8] } },
      { policy: "bounded", figures: { ...SLOW, idleIrteSeconds: [0, 0, 0] } },
    ]);
    expect(words.at(-1)).toBe(
      "bounded differs from cache in 1 combination; apart from refusals, better: less held " +
        "idle (in 1, to none); worse: a longer median re-arm (in 1, x2.00).",
    );
  });

  it("does not dwell on differences that are too small to matter", () => {
    const words = verdict([
      { policy: "cache", figures: { peak: [1000, 1000, 1000] } },
      { policy: "bounded", figures: { peak: [1001, 1001, 1001] } },
    ]);
    expect(words.at(-1)).toContain("better in nothing; worse in nothing");
  });

  it("says of harm that no policy changes where it is", () => {
    const words = verdict(
      ["cache", "bounded"].flatMap((policy): SyntheticCell[] => [
        { policy, vmm: "qemu", topology: "its", figures: { failuresCaused: [36, 36, 36] } },
        { policy, vmm: "dpdk", topology: "its", figures: { failuresCaused: [5, 6, 7] } },
      ]),
    );
    expect(words).toContain(
      "Whatever the policy, idle irqs made requests of others fail: 36 under qemu on its; 6 " +
        "under dpdk on its.",
    );
  });

  it("leaves out places of which a policy has no run at all", () => {
    const words = verdict([{ policy: "cache" }, { policy: "bounded", missing: [0, 1, 2] }]);
    expect(words).toEqual(["There are too few runs to say anything."]);
  });

  it("says that one seed is one seed", () => {
    const cells: SyntheticCell[] = [
      { policy: "cache", figures: { lost: [1] } },
      { policy: "bounded", figures: { lost: [2] } },
    ];
    const text = verdict(cells, 1).join("\n");
    expect(text).toContain("not distinguishable at 1 seed: interrupts lost (in 1)");
  });
});

describe("its limits", () => {
  const of = (vmms: readonly string[], seeds: readonly number[], jitterNs = 20e6): string => {
    const cells = vmms.map((vmm) => syntheticCell({ policy: "cache", vmm }));
    return limitsOf("s", placesOf(cells), { seeds, jitterNs, lateNs: 100_000 }).join("\n");
  };

  it("tell what concerns the VMMs that were compared, and no others", () => {
    expect(of(["minimal"], [1, 2])).toContain("minimal is hypothetical");
    expect(of(["minimal"], [1, 2])).not.toContain("another one");
    expect(of(["qemu 10.0"], [1, 2])).toContain("qemu 10.0 gives masked vectors another one");
    expect(of(["qemu 7.2", "crosvm"], [1, 2])).toContain("qemu 7.2 and crosvm give");
    expect(of(["dpdk"], [1, 2])).toContain("dpdk is modelled from sources, not from recordings");
  });

  it("tell what seeds did, and that one of them is too few", () => {
    expect(of(["dpdk"], [1, 2])).toContain("seeds delay each step of a guest's life by up to 20.0");
    expect(of(["dpdk"], [1, 2], 0)).toContain("seeds move arrivals only");
    expect(of(["dpdk"], [1])).toContain("cannot be told from chance");
  });
});
