import { describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { loadScenarioText } from "../../../../src/scenario/loader.ts";

/** A scenario with one device and these lines in its sections. */
function load(host: string, device = "") {
  const text = `host: { ${host} }
devices:
  - { name: net0, model: virtio-net, msixVectors: 64${device} }
  - { name: nvme0, model: nvme }
guests: [{ name: g1, device: nvme0 }]
duration: 1ms
`;
  return loadScenarioText(text, { file: "t.yaml" });
}

function errorOf(host: string): string {
  try {
    load(host);
  } catch (error) {
    if (error instanceof UsageError) return error.format();
    throw error;
  }
  return "";
}

describe("host.irtes", () => {
  it("is 65,536 with VT-d, and 512 a device with AMD-Vi, unless the scenario says", () => {
    expect(load("platform: x86-vtd").host.irtes).toBe(65_536);
    expect(load("platform: x86-amd").host).toMatchObject({ platform: "x86-amd", irtes: 512 });
    expect(load("platform: x86-amd, irtes: 2048").host.irtes).toBe(2048);
    expect(load("platform: x86-vtd, irtes: 600").host.irtes).toBe(600);
    expect(load("platform: x86-amd, irtes: 107").host.irtes).toBe(107);
  });

  it("is a size that AMD-Vi has", () => {
    for (const irtes of [2049, 4096]) {
      const error = errorOf(`platform: x86-amd, irtes: ${irtes}`);
      expect(error).toContain(`t.yaml:1:35: AMD-Vi has no table of ${irtes} entries`);
      expect(error).toContain("use 512");
    }
  });
});

describe("a device's bridge", () => {
  it("is kept, and left out where there is none", () => {
    const [net, nvme] = load("", ", bridge: pb").devices;
    expect(net!.bridge).toBe("pb");
    expect(nvme).not.toHaveProperty("bridge");
  });
});
