/** Whatever a guest's life is like, under every VMM all interrupts and resources add up. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { runScenario } from "../../src/run/run.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";

const ACTIONS = [
  { do: "mode", to: "intx" },
  { do: "mode", to: "msix" },
  { do: "reboot" },
  { do: "reset" },
  { do: "crash" },
  { do: "unbind" },
  { do: "bind" },
  { do: "cpu-offline", cpu: 1 },
  { do: "cpu-online", cpu: 1 },
  { do: "io-stop" },
  { do: "io-start" },
  { do: "shutdown" },
  { do: "kill" },
] as const;

const life = fc.record({
  vmm: fc.constantFrom("cloud-hypervisor", "crosvm", "dpdk", "minimal"),
  kernel: fc.constantFrom("linux-6.1", "linux-6.12"),
  platform: fc.constantFrom("x86-vtd", "x86-amd", "x86-flat"),
  irtes: fc.constantFrom(64, 128),
  device: fc.constantFrom(
    { model: "nvme", msixVectors: 3 },
    { model: "nvme", msixVectors: 9 },
    { model: "nvme", msixVectors: 65 },
    { model: "nic" },
  ),
  seed: fc.nat(10_000),
  actions: fc.array(
    fc.record({ after: fc.integer({ min: 1, max: 40_000 }), what: fc.constantFrom(...ACTIONS) }),
    { minLength: 1, maxLength: 7 },
  ),
});

it("conservation and leaks", async () => {
  await fc.assert(
    fc.asyncProperty(life, async ({ vmm, kernel, platform, irtes, device, seed, actions }) => {
      let us = 150_000;
      const end = actions.findIndex(({ what }) => what.do === "shutdown" || what.do === "kill");
      const timeline = (end < 0 ? actions : actions.slice(0, end + 1)).map(({ after, what }) => {
        us += after;
        return { at: `${us}us`, ...what };
      });
      const scenario = scenarioFromData(
        {
          name: "life",
          seed,
          host: { kernel, platform, irtes },
          devices: [{ name: "dev0", ...device }],
          guests: [
            {
              name: "g",
              vmm,
              vcpus: 2,
              device: "dev0",
              workload: { arrivals: "poisson", rate: "20k/s", per: "device" },
              timeline: [{ at: "0ms", do: "boot" }, ...timeline],
            },
          ],
          duration: "600ms",
        },
        { engine: "virtual" },
      );
      const result = await runScenario(scenario, { engine: "virtual" });
      const failed = result.checks.filter(({ ok }) => !ok).map(({ detail }) => detail);
      expect(failed).toEqual([]);
      expect(result.leaked).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
    }),
    { numRuns: 60 },
  );
}, 120_000);
