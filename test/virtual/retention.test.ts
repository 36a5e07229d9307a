/** Whole runs of each retention policy under each VMM client, and what their idle irqs do. */
import { describe, expect, it, test } from "vitest";
import { canonicalJson } from "../../src/report/json.ts";
import { textReport } from "../../src/report/text.ts";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";

const VMMS = ["qemu", "cloud-hypervisor", "crosvm", "dpdk", "minimal"] as const;
const POLICIES = [
  "cache",
  "free-on-teardown",
  "free-on-unset",
  "free-dynamic",
  { policy: "bounded", cap: 2, idleTimeout: "50ms", watermark: "30%" },
] as const;

function runOf(data: object): Promise<RunResult> {
  return runScenario(scenarioFromData(data, { engine: "virtual" }), { engine: "virtual" });
}

const LIFE = [
  { at: "0ms", do: "boot" },
  { at: "300ms", do: "mode", to: "intx" },
  { at: "400ms", do: "mode", to: "msix" },
  { at: "500ms", do: "reboot" },
  { at: "900ms", do: "crash" },
];

function life(vmm: string, retention: unknown): Promise<RunResult> {
  return runOf({
    name: "life",
    seed: 3,
    host: { retention, irtes: 64 },
    devices: [{ name: "nvme", count: 2, model: "nvme", msixVectors: 17 }],
    guests: [
      {
        name: "g",
        count: 2,
        vmm,
        vcpus: 2,
        device: "nvme",
        workload: { rate: "4k/s", per: "device" },
        timeline: LIFE,
      },
    ],
    duration: "1400ms",
  });
}

describe.each(POLICIES.map((policy) => [JSON.stringify(policy), policy] as const))(
  "under %s",
  (_, policy) => {
    test.each(VMMS)("a life of two guests on %s adds up", async (vmm) => {
      const result = await life(vmm, policy);
      for (const { check, ok, detail } of result.checks) {
        expect(ok, `${check}: ${detail}`).toBe(true);
      }
      expect(result.ledger.violations).toEqual([]);
      expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
      expect(result.ledger.totals.delivered).toBeGreaterThan(500);
      const { totals, policies } = result.retention;
      expect(totals.allocations - totals.frees).toBe(result.pool.irqsHeld);
      expect(policies).toHaveLength(1);
    });
  },
);

it("under QEMU, which only swaps, free-on-unset and free-dynamic are cache", async () => {
  const [cache, unset, dynamic] = await Promise.all(
    ["cache", "free-on-unset", "free-dynamic"].map((policy) => life("qemu", policy)),
  );
  expect(unset!.retention.totals).toEqual(cache!.retention.totals);
  expect(dynamic!.retention.totals).toEqual(cache!.retention.totals);
  const teardown = (await life("qemu", "free-on-teardown")).retention.totals;
  expect(teardown.allocations).toBeGreaterThan(cache!.retention.totals.allocations);
});

/** A table of 64: crosvm takes the whole of a 41-vector device, and arms three of them. */
function hoarder(retention: unknown): Promise<RunResult> {
  return runOf({
    name: "hoarder",
    seed: 5,
    host: { retention, irtes: 64 },
    devices: [
      { name: "wide", model: "nvme", msixVectors: 41 },
      { name: "late", model: "nvme", msixVectors: 9 },
    ],
    guests: [
      { name: "first", vmm: "crosvm", vcpus: 2, device: "wide" },
      {
        name: "second",
        vmm: "qemu",
        vcpus: 4,
        device: "late",
        timeline: [{ at: "500ms", do: "boot" }],
      },
    ],
    duration: "2s",
  });
}

describe("a device that takes its whole table and uses three vectors", () => {
  it("makes the next one fail under cache, and is named as the one who did", async () => {
    const result = await hoarder("cache");
    const { failures, shortages, devices } = result.retention;
    expect(failures.causedByIdle).toBeGreaterThan(0);
    expect(failures.holders).toEqual({ wide: failures.causedByIdle });
    expect(shortages.at(-1)).toMatchObject({ device: "late", idlest: "wide", causedByIdle: true });
    expect(devices[0]!.idleIrteSeconds).toBeGreaterThan(50);
    expect(textReport(result)).toContain("they are the cause");
  });

  it("does the same under policies that free at a teardown: nothing was torn down", async () => {
    for (const policy of ["free-on-unset", "free-on-teardown", "free-dynamic"]) {
      expect((await hoarder(policy)).retention.failures.holders.wide).toBeGreaterThan(0);
    }
  });

  it("does no harm where idle irqs are bounded, in whichever way", async () => {
    for (const policy of [
      "bounded",
      { policy: "bounded", cap: 4, reclaim: false },
      { policy: "bounded", idleTimeout: "100ms", reclaim: false },
    ]) {
      const { retention, ledger } = await hoarder(policy);
      expect(retention.failures.total, JSON.stringify(policy)).toBe(0);
      expect(ledger.violations).toEqual([]);
    }
  });

  it("loses to reclaim no more than what others need", async () => {
    const { retention } = await hoarder("bounded");
    expect(retention.totals.reclaimed).toBeGreaterThan(0);
    expect(retention.totals.reclaimed).toBeLessThan(10);
  });
});

it("the same seed gives the same bytes, whatever reclaims in the background", async () => {
  const policy = { policy: "bounded", idleTimeout: "20ms", watermark: "50%" };
  const [one, two] = [await hoarder(policy), await hoarder(policy)];
  expect(canonicalJson(one)).toBe(canonicalJson(two));
});

it("V3's unsigned loop keeps a device for ever, and the leak check finds it", async () => {
  const data = (bugs: readonly string[]): object => ({
    host: { bugs, irtes: 64, cpus: 1, vectorsPerCpu: 16 },
    devices: [{ name: "n", model: "nvme", msixVectors: 33 }],
    // Arms all vectors in one call from 0; there are six CPU vectors.
    guests: [{ name: "g", vmm: "cloud-hypervisor", vcpus: 2, device: "n" }],
    duration: "500ms",
  });
  const sound = await runOf(data([]));
  expect(sound.checks.every(({ ok }) => ok)).toBe(true);
  const broken = await runOf(data(["msi-unwind-unsigned"]));
  const failed = broken.checks.filter(({ ok }) => !ok).map(({ check }) => check);
  expect(failed).toContain("leaks");
});
