/** Whole runs with each VMM client: what is raised is accounted for, and nothing stays taken. */
import { describe, expect, test } from "vitest";
import { canonicalJson } from "../../src/report/json.ts";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";

const VMMS = ["qemu", "cloud-hypervisor", "crosvm", "dpdk", "minimal"] as const;
type Vmm = (typeof VMMS)[number];

interface Small {
  readonly kernel?: string;
  readonly timeline?: readonly object[];
  readonly duration?: string;
  readonly workload?: object;
  readonly host?: object;
}

const LIFE = [
  { at: "0ms", do: "boot" },
  { at: "400ms", do: "mode", to: "intx" },
  { at: "600ms", do: "mode", to: "msix" },
  { at: "800ms", do: "reboot" },
  { at: "1300ms", do: "crash" },
  { at: "1700ms", do: "reset" },
];

function run(vmm: Vmm, small: Small = {}): Promise<RunResult> {
  const scenario = scenarioFromData(
    {
      name: "test",
      seed: 7,
      host: { kernel: small.kernel ?? "linux-6.12", ...small.host },
      devices: [{ name: "nvme", count: 2, model: "nvme", msixVectors: 9 }],
      guests: [
        {
          name: "g",
          count: 2,
          vmm,
          vcpus: 2,
          device: "nvme",
          workload: small.workload ?? { arrivals: "poisson", rate: "5k/s", per: "device" },
          timeline: small.timeline ?? [{ at: "0ms", do: "boot" }],
        },
      ],
      duration: small.duration ?? "600ms",
    },
    { engine: "virtual" },
  );
  return runScenario(scenario, { engine: "virtual" });
}

function expectSound(result: RunResult): void {
  for (const { check, ok, detail } of result.checks) expect(ok, `${check}: ${detail}`).toBe(true);
  expect(result.ledger.violations).toEqual([]);
  expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
}

describe.each(VMMS)("a whole life under %s adds up", (vmm) => {
  for (const kernel of ["linux-6.1", "linux-6.12"]) {
    test(`on ${kernel}`, async () => {
      const result = await run(vmm, { kernel, timeline: LIFE, duration: "2200ms" });
      expectSound(result);
      expect(result.ledger.totals.delivered).toBeGreaterThan(1000);
      expect(result.guests.map(({ state }) => state)).toEqual(["running", "running"]);
    });
  }
});

describe("a moment's load in each mode", () => {
  for (const vmm of ["qemu", "crosvm", "dpdk", "minimal"] as const) {
    test(`${vmm} goes on being interrupted by INTx`, async () => {
      const timeline = [
        { at: "0ms", do: "boot" },
        { at: "300ms", do: "mode", to: "intx" },
      ];
      const result = await run(vmm, { timeline, duration: "700ms" });
      expectSound(result);
      expect(intxDelivered(result)).toBeGreaterThan(500);
    });
  }

  test("cloud-hypervisor's INTx ends with the first, since nobody unmasks it", async () => {
    const timeline = [
      { at: "0ms", do: "boot" },
      { at: "300ms", do: "mode", to: "intx" },
    ];
    const result = await run("cloud-hypervisor", { timeline, duration: "700ms" });
    expectSound(result);
    expect(intxDelivered(result)).toBeLessThanOrEqual(4);
  });
});

/** INTx interrupts that reached a handler, of all guests. */
function intxDelivered(result: RunResult): number {
  return result.ledger.rows
    .filter(({ source }) => source.endsWith("intx"))
    .reduce((sum, { fates }) => sum + (fates.delivered ?? 0), 0);
}

describe("what a client costs the pool", () => {
  const peak = async (vmm: Vmm, kernel: string): Promise<number> => {
    const { pool } = await run(vmm, { kernel });
    return pool.irtesPeak - pool.irtesBoot;
  };

  test("whole tables where it arms whole tables, the used vectors where it grows", async () => {
    // Two nvme with tables of 9; their guests use 3 vectors each.
    const dynamic = await Promise.all(VMMS.map((vmm) => peak(vmm, "linux-6.12")));
    expect(Object.fromEntries(VMMS.map((vmm, i) => [vmm, dynamic[i]]))).toEqual({
      qemu: 6,
      "cloud-hypervisor": 18,
      crosvm: 18,
      dpdk: 18,
      minimal: 6,
    });
  });

  test("on a kernel that cannot add vectors the minimal one takes the table, too", async () => {
    expect(await peak("minimal", "linux-6.1")).toBe(18);
    expect(await peak("qemu", "linux-6.1")).toBe(6);
  });
});

test("a short grant that is taken for success: the guest gets nothing, silently", async () => {
  // 64 entries are the smallest table; boot holds 21 of them.
  const scenario = (vmm: Vmm) =>
    scenarioFromData(
      {
        name: "short",
        seed: 7,
        host: { irtes: 64 },
        devices: [{ name: "nvme0", model: "nvme", msixVectors: 65 }],
        guests: [
          {
            name: "g",
            vmm,
            vcpus: 2,
            device: "nvme0",
            workload: { arrivals: "fixed", rate: "1k/s", per: "device" },
          },
        ],
        duration: "500ms",
      },
      { engine: "virtual" },
    );
  const result = await runScenario(scenario("cloud-hypervisor"), { engine: "virtual" });
  expectSound(result);
  const [guest] = result.guests;
  expect(guest!.counters.short_grants_taken_for_success).toBeGreaterThan(0);
  expect(guest!.state).toBe("running");
  expect(result.ledger.totals.delivered ?? 0).toBe(0);
  const qemu = await runScenario(scenario("qemu"), { engine: "virtual" });
  expect(qemu.ledger.totals.delivered).toBeGreaterThan(100);
});

test.each(VMMS)("the same seed gives the same bytes twice under %s", async (vmm) => {
  const once = await run(vmm, { timeline: LIFE, duration: "1800ms" });
  const twice = await run(vmm, { timeline: LIFE, duration: "1800ms" });
  expect(canonicalJson(once)).toBe(canonicalJson(twice));
});

test.each(VMMS)("a killed %s gives everything back", async (vmm) => {
  const scenario = scenarioFromData(
    {
      name: "killed",
      seed: 7,
      devices: [{ name: "nvme", count: 2, model: "nvme", msixVectors: 9 }],
      guests: [
        {
          name: "g",
          count: 2,
          vmm,
          vcpus: 2,
          device: "nvme",
          workload: { arrivals: "poisson", rate: "5k/s", per: "device" },
          timeline: [
            { at: "0ms", do: "boot" },
            { at: "500ms", do: "kill" },
          ],
        },
      ],
      duration: "800ms",
    },
    { engine: "virtual" },
  );
  const result = await runScenario(scenario, { engine: "virtual" });
  expectSound(result);
  expect(result.guests[0]!.state).toMatch(/^dead/);
});
