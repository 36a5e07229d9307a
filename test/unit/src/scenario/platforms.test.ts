import { describe, expect, it } from "vitest";
import { scenarioFromData } from "../../../../src/scenario/loader.ts";

function scenario(host: object, device: object = {}) {
  return scenarioFromData({
    host,
    devices: [{ name: "d", model: "nvme", ...device }],
    guests: [{ name: "g", device: "d" }],
    duration: "1s",
  });
}

describe("a host of arm64", () => {
  it.each(["arm64-its", "arm64-v2m"])("may be %s with any recorded kernel", (platform) => {
    for (const kernel of ["linux-6.1", "linux-6.12", "linux-7.2"]) {
      expect(scenario({ platform, kernel }).host).toMatchObject({ platform, kernel });
    }
  });

  it("may have fewer LPIs, and none of the kernel's bugs", () => {
    const fixed = ["its-msi-frees-part", "its-prepare-marks-shared"];
    const { host } = scenario({ platform: "arm64-its", lpis: 128, fixed });
    expect(host).toMatchObject({ lpis: 128, fixed });
    expect(() => scenario({ platform: "arm64-its", lpis: 57_345 })).toThrow("at most 57344");
    expect(() => scenario({ platform: "arm64-its", fixed: ["all"] })).toThrow("its-msi-frees-part");
  });

  it("has no bridges, and other hosts have no LPIs", () => {
    expect(() => scenario({ platform: "arm64-its" }, { bridge: "pb" })).toThrow("bridge");
    expect(() => scenario({ lpis: 128 })).toThrow("x86-vtd has no LPIs");
  });
});
