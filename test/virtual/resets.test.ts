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
