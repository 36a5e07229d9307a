/** QEMU's versions, irqchips, bypass and vIOMMU from a scenario, and where QEMU gives up. */
import { describe, expect, test } from "vitest";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";

const MODES = [
  { at: "0ms", do: "boot" },
  { at: "100ms", do: "mode", to: "intx" },
  { at: "200ms", do: "mode", to: "msix" },
  { at: "300ms", do: "cpu-offline", cpu: 1 },
  { at: "400ms", do: "cpu-online", cpu: 1 },
  { at: "500ms", do: "reboot" },
];

async function nvme(guest: object, host: object = {}): Promise<RunResult> {
  const workload = { arrivals: "fixed", rate: "1k/s", per: "queue" };
  return runScenario(
    scenarioFromData({
      name: "machines",
      seed: 3,
      host,
      devices: [{ name: "d", model: "nvme", msixVectors: 9 }],
      guests: [{ name: "g", device: "d", vcpus: 2, workload, timeline: MODES, ...guest }],
      duration: "800ms",
    }),
    { engine: "virtual" },
  );
}

const counters = ({ guests }: RunResult): Readonly<Record<string, number>> => guests[0]!.counters;

/** All arrived; what a reboot or another mode threw away is no loss. */
function allArrived(result: RunResult): void {
  expect(result.ledger.violations).toEqual([]);
  expect(result.guests[0]!.state).toBe("running");
  expect(result.ledger.totals.delivered).toBeGreaterThan(600);
  expect(result.ledger.totals["dropped-no-handler"]).toBe(undefined);
  expect(result.warnings).toEqual([]);
  expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
}

describe("each QEMU, with INTx and MSI-X, CPUs that go and come, and a reboot:", () => {
  for (const vmmVersion of ["7.2", "10.0", "11.1"]) {
    for (const machine of [
      {},
      { irqchip: "split" },
      { irqchip: "none" },
      { bypass: false },
      { bypass: false, irqchip: "split" },
      { intremap: true },
      { intremap: true, bypass: false },
    ]) {
      test(`${vmmVersion} ${JSON.stringify(machine)}`, async () => {
        allArrived(await nvme({ vmmVersion, ...machine }));
      });
    }
  }
});

describe("kernel-irqchip", () => {
  test("full has the kernel's IOAPIC: no route changes but for vectors", async () => {
    expect(counters(await nvme({}))).toMatchObject({ kvm_set_irqchip: expect.any(Number) });
  });

  test("split enables KVM_CAP_SPLIT_IRQCHIP; each IOAPIC write commits all routes", async () => {
    const [full, split] = [counters(await nvme({})), counters(await nvme({ irqchip: "split" }))];
    expect(split).toMatchObject({ kvm_enable_cap: 1 });
    expect(split.kvm_set_irqchip).toBe(undefined);
    expect(split.kvm_set_gsi_routing).toBeGreaterThan(full.kvm_set_gsi_routing!);
    expect(split.set_irqs).toBe(full.set_irqs);
  });

  test("none asks nothing of KVM", async () => {
    const names = Object.keys(counters(await nvme({ irqchip: "none" })));
    expect(names.filter((name) => name.startsWith("kvm"))).toEqual([]);
  });
});

test("without bypass there is KVM, but no irqfd", async () => {
  const { kvm_set_gsi_routing, kvm_irqfd_assign } = counters(await nvme({ bypass: false }));
  expect([kvm_set_gsi_routing, kvm_irqfd_assign]).toEqual([1, undefined]);
});

test("7.2 takes all vectors away for each new one: two calls a vector, not one", async () => {
  const [old, modern] = [await nvme({ vmmVersion: "7.2" }), await nvme({})];
  expect(counters(old).set_irqs).toBeGreaterThan(counters(modern).set_irqs!);
  const linux61 = await nvme({}, { kernel: "linux-6.1" });
  expect(counters(linux61).set_irqs).toBeGreaterThan(counters(modern).set_irqs!);
});

describe("a guest that remaps interrupts", () => {
  const timeline = MODES.filter(({ do: action }) => action === "boot" || /^cpu/.test(action));

  test("asks for as many eventfds: what moves is in its own table", async () => {
    const split = counters(await nvme({ irqchip: "split", timeline }));
    const remapped = counters(await nvme({ intremap: true, timeline }));
    expect(remapped.set_irqs).toBeLessThanOrEqual(split.set_irqs!);
    expect(remapped.kvm_irqfd_assign).toBe(split.kvm_irqfd_assign);
  });
});

describe("QEMU's own limits", () => {
  test("MSI over MSI-X aborts that guest by the assertion's name; others run", async () => {
    for (const vmmVersion of ["10.0", "11.1"]) {
      const workload = { arrivals: "fixed", rate: "1k/s", per: "device" };
      const timeline = [
        { at: "0ms", do: "boot" },
        { at: "100ms", do: "msi-over-msix" },
      ];
      const result = await runScenario(
        scenarioFromData({
          name: "abort",
          devices: [{ name: "d", count: 2, model: "nic" }],
          guests: [
            { name: "bad", vmmVersion, device: "d0", workload, timeline },
            { name: "good", vmmVersion, device: "d1", workload },
          ],
          duration: "300ms",
        }),
        { engine: "virtual" },
      );
      const [bad, good] = result.guests;
      expect(bad!.state).toContain("msix_unset_vector_notifiers: Assertion");
      expect(good!.state).toBe("running");
      expect(good!.interrupts).toBeGreaterThan(50);
      expect(result.ledger.violations).toEqual([]);
      expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
    }
  });

  test("no room on the host: success for the guest, interrupts lost, and told", async () => {
    const result = await runScenario(
      scenarioFromData({
        name: "no-room",
        host: { irtes: 64 },
        devices: [{ name: "d", count: 5, model: "nvme", msixVectors: 17 }],
        guests: [
          {
            name: "g",
            count: 5,
            device: "d",
            vcpus: 16,
            workload: { arrivals: "fixed", rate: "1k/s", per: "queue" },
          },
        ],
        duration: "500ms",
      }),
      { engine: "virtual" },
    );
    expect(result.guests.map(({ state }) => state)).toEqual(new Array(5).fill("running"));
    expect(result.ledger.totals["dropped-no-handler"]).toBeGreaterThan(1000);
    expect(result.ledger.violations).toEqual([]);
    expect(result.warnings.length).toBeGreaterThan(0);
    for (const { text } of result.warnings) expect(text).toContain("silent loss");
    // A vector is either heard or lost: nothing merges into what nobody will ever take.
    for (const { fates, source } of result.ledger.rows) {
      if (fates["dropped-no-handler"] !== undefined) {
        expect(fates.delivered, source).toBe(undefined);
      }
    }
  });
});
