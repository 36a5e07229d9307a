/** What the host's administrator does, and keys of guests and devices that came with it. */
import { describe, expect, test } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { loadScenarioText, scenarioFromData } from "../../../../src/scenario/loader.ts";
import { scenarioYaml } from "../../../../src/scenario/to-yaml.ts";
import type { Scenario } from "../../../../src/scenario/types.ts";

function scenario({ host = {}, device = {}, guest = {} }: Record<string, object> = {}): Scenario {
  return scenarioFromData({
    name: "s",
    host,
    devices: [{ name: "nic0", model: "nic", ...device }],
    guests: [{ name: "g", device: "nic0", ...guest }],
    duration: "1s",
  });
}

function refusal(parts: Record<string, object>): string {
  try {
    scenario(parts);
  } catch (error) {
    if (error instanceof UsageError) return error.format();
    throw error;
  }
  return "";
}

describe("the host's timeline", () => {
  const entry = (at: string, device = "nic0", action = "unbind") => ({ at, do: action, device });

  test("takes devices away and gives them back, in order of time", () => {
    const host = { timeline: [entry("5ms", "nic0", "bind"), entry("2ms")] };
    expect(scenario({ host }).host.timeline).toEqual([
      { at: 2e6, do: "unbind", device: "nic0" },
      { at: 5e6, do: "bind", device: "nic0" },
    ]);
  });

  test("is about devices that there are, within the run", () => {
    expect(refusal({ host: { timeline: [entry("5ms", "nic")] } })).toContain("did you mean nic0?");
    expect(refusal({ host: { timeline: [entry("5s")] } })).toContain("after the end of the run");
  });
});

test("MSI is what an nvme may be given although QEMU's has none, up to 32 vectors", () => {
  const device = { model: "nvme", msixVectors: 0 };
  expect(scenario({ device: { ...device, msiVectors: 16 } }).devices[0]!.msiVectors).toBe(16);
  expect(refusal({ device: { ...device, msiVectors: 12 } })).toContain("a power of two");
  expect(refusal({ device: { model: "idxd", msiVectors: 2 } })).toContain("idxd has 0 MSI");
});

test("host timeline, guest kernel and firmware survive being written and read again", () => {
  const made = scenario({
    host: { timeline: [{ at: "1500us", do: "unbind", device: "nic0" }] },
    guest: { kernel: "linux-2.6.18", firmware: ["intx", "msi"] },
  });
  expect(made.guests[0]).toMatchObject({ kernel: "linux-2.6.18", firmware: ["intx", "msi"] });
  expect(loadScenarioText(scenarioYaml(made), { file: "s.yaml" })).toEqual(made);
});
