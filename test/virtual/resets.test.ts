/** Resets at any moment of an interrupt's way: what comes up again takes interrupts again. */
import { describe, expect, test } from "vitest";
import { runScenario } from "../../src/run/run.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";

/** So busy that most resets meet an INTx interrupt in service, whose EOI never comes. */
function busyEdu(seed: number, path: string, action: string) {
  const at = (ms: number): object => ({ at: `${ms}ms`, do: action });
  const timeline = [
    { at: "0ms", do: "boot" },
    { at: "2ms", do: "mode", to: "intx" },
    ...[10, 20, 30].map(at),
  ];
  const workload = { arrivals: "poisson", rate: "20k/s", per: "device" };
  const guest = { name: "g", device: "edu", path, vcpus: 2, workload, timeline };
  const devices = [{ name: "edu", model: "edu" }];
  return scenarioFromData({ name: "resets", seed, devices, guests: [guest], duration: "40ms" });
}

describe("a guest whose INTx is in service when it comes to a", () => {
  for (const action of ["reset", "crash", "reboot"]) {
    for (const path of ["irqfd", "userspace"]) {
      test(`${action}, through ${path}, takes interrupts afterwards`, async () => {
        for (let seed = 1; seed <= 12; seed++) {
          const result = await runScenario(busyEdu(seed, path, action), { engine: "virtual" });
          expect(result.ledger.violations, `seed ${seed}`).toEqual([]);
          expect(result.ledger.totals["pending-host"], `seed ${seed}`).toBe(undefined);
          // The driver's count begins anew with each boot.
          const acknowledged = result.guests[0]!.counters["edu.acknowledged"]!;
          expect(acknowledged, `seed ${seed}`).toBeGreaterThan(0);
        }
      });
    }
  }
});

describe("a function reset silences the device when it begins, not 100 ms later", () => {
  for (const vmm of ["qemu", "crosvm", "cloud-hypervisor"]) {
    test(`under ${vmm}, whose guest crashes under load`, async () => {
      const timeline = [
        { at: "0ms", do: "boot" },
        { at: "300ms", do: "crash" },
      ];
      const workload = { arrivals: "poisson", rate: "10k/s", per: "queue" };
      const guest = { name: "g", vmm, device: "d", vcpus: 4, workload, timeline };
      const devices = [{ name: "d", model: "nvme", msixVectors: 17 }];
      const scenario = { name: "silent", seed: 1, devices, guests: [guest], duration: "460ms" };
      const result = await runScenario(scenarioFromData(scenario), { engine: "virtual" });
      const { totals, violations } = result.ledger;
      expect(violations).toEqual([]);
      expect(totals.delivered).toBeGreaterThan(3000);
      // Between MSI-X off and the reset a few completions may find the wire; 40 come in a ms.
      expect(totals["coalesced-line"] ?? 0).toBeLessThan(10);
    });
  }
});
