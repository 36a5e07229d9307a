import { describe, expect, it } from "vitest";
import { scenarioFromData } from "../../../../src/scenario/loader.ts";

const scenario = (platform: string, guest: object = {}) =>
  scenarioFromData({
    host: { platform },
    devices: [{ name: "d", count: 2, model: "nvme" }],
    guests: [
      { name: "a", device: "d0" },
      { name: "b", device: "d1", path: "posted", ...guest },
    ],
    duration: "1s",
  });

describe("path: posted", () => {
  it("is for a host with VT-d", () => {
    expect(scenario("x86-vtd").guests[1]!.path).toBe("posted");
  });

  it.each([
    ["x86-amd", /AVIC/],
    ["x86-flat", /nothing remaps/],
    ["arm64-its", /GICv4/],
    ["arm64-v2m", /GICv2m/],
  ])("is refused on %s, with a reason", (platform, reason) => {
    expect(() => scenario(platform)).toThrow(reason);
    expect(() => scenario(platform)).toThrow(`guest b: ${platform} cannot post interrupts`);
    expect(scenario(platform, { path: "irqfd" }).guests[1]!.path).toBe("irqfd");
  });

  it("needs KVM's irqchip, all of it or the local APICs", () => {
    expect(() => scenario("x86-vtd", { irqchip: "none" })).toThrow("irqfds are KVM's");
    expect(scenario("x86-vtd", { irqchip: "split" }).guests[1]!.irqchip).toBe("split");
  });
});
