import { describe, expect, it } from "vitest";
import { loadScenarioText, scenarioFromData } from "../../../../src/scenario/loader.ts";
import { scenarioYaml } from "../../../../src/scenario/to-yaml.ts";

const scenario = (action: object, device: object = {}) =>
  scenarioFromData({
    name: "nic",
    devices: [{ name: "eth0", model: "nic", ...device }],
    guests: [
      {
        name: "g",
        vcpus: 2,
        device: "eth0",
        timeline: [
          { at: "0ms", do: "boot" },
          { at: "1ms", ...action },
        ],
      },
    ],
    duration: "10ms",
  });

describe("a nic in a scenario", () => {
  it("has ten vectors and its own driver", () => {
    const { devices, guests } = scenario({ do: "link-up" }, { moderation: "50us" });
    expect(devices[0]).toMatchObject({ model: "nic", msixVectors: 10, moderationNs: 50_000 });
    expect(guests[0]!.driver).toBe("nic");
  });

  it("takes links, channels, self tests and affinity", () => {
    const action = (entry: object) => scenario(entry).guests[0]!.timeline[1];
    expect(action({ do: "ethtool-l", channels: 2 })).toMatchObject({ channels: 2 });
    expect(action({ do: "set-affinity", vector: 1, cpus: [1] })).toMatchObject({
      vector: 1,
      cpus: [1],
    });
    for (const plain of ["link-up", "link-down", "self-test"]) {
      expect(action({ do: plain })).toEqual({ at: 1_000_000, do: plain });
    }
  });

  it.each([
    [{ do: "ethtool-l" }, "ethtool-l needs channels:"],
    [{ do: "set-affinity", cpus: [0] }, "set-affinity needs vector:"],
    [{ do: "set-affinity", vector: 1 }, "set-affinity needs cpus:"],
    [{ do: "set-affinity", vector: 1, cpus: [2] }, "there is no vCPU 2"],
    [{ do: "reboot", channels: 2 }, "reboot takes no channels:"],
  ])("%j is told", (action, message) => {
    expect(() => scenario(action)).toThrow(message);
  });

  it("is what links belong to, and moderation", () => {
    expect(() => scenario({ do: "link-up" }, { model: "nvme" })).toThrow("the guest has no nic");
    const moderated = { model: "nvme", moderation: "1us" };
    expect(() => scenario({ do: "reboot" }, moderated)).toThrow("does not moderate");
  });

  it("is written back as it was read", () => {
    const made = scenario({ do: "set-affinity", vector: 1, cpus: [1] }, { moderation: "7us" });
    expect(loadScenarioText(scenarioYaml(made))).toEqual(made);
  });
});
