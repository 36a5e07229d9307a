import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import type { UsageError } from "../../../../src/base/errors.ts";
import { scenarioHash } from "../../../../src/scenario/hash.ts";
import { loadScenarioText, scenarioFromData } from "../../../../src/scenario/loader.ts";
import { retentionText } from "../../../../src/scenario/retention.ts";
import { scenarioJsonSchema } from "../../../../src/scenario/schema.ts";
import { scenarioYaml } from "../../../../src/scenario/to-yaml.ts";
import type { Scenario } from "../../../../src/scenario/types.ts";

function load(retention: string, device = ""): Scenario {
  return loadScenarioText(
    `host: { retention: ${retention} }
devices: [{ name: n, model: nvme${device} }]
guests: [{ name: g, device: n }]
duration: 1s
`,
    { file: "/somewhere/my.yaml" },
  );
}

function complaint(retention: string): string {
  try {
    load(retention);
  } catch (error) {
    return (error as UsageError).format();
  }
  return "";
}

describe("retention", () => {
  it("is cache unless a scenario says otherwise", () => {
    const scenario = scenarioFromData({
      devices: [{ name: "n", model: "nvme" }],
      guests: [{ name: "g", device: "n" }],
      duration: "1s",
    });
    expect(scenario.host.retention).toBe("cache");
    expect(scenario.devices[0]!.retention).toBeUndefined();
  });

  it("has a name, or is bounded with limits that carry their units", () => {
    for (const name of ["cache", "free-on-teardown", "free-on-unset", "free-dynamic"]) {
      expect(load(name).host.retention).toBe(name);
    }
    expect(load("bounded").host.retention).toEqual({ policy: "bounded", reclaim: true });
    const entry = "{ policy: bounded, cap: 8, idleTimeout: 100ms, watermark: 5% }";
    expect(load(entry).host.retention).toEqual({
      policy: "bounded",
      reclaim: true,
      cap: 8,
      idleTimeoutNs: 100_000_000,
      watermark: 0.05,
    });
  });

  it("of a single device overrides the host's", () => {
    const scenario = load("bounded", ", retention: free-dynamic");
    expect(scenario.devices[0]!.retention).toBe("free-dynamic");
  });

  it("may be a file, found from where the scenario is, or what the program has", () => {
    const { retention } = load("./policies/mine.ts").host;
    expect(retention).toEqual({
      policy: "own",
      name: "./policies/mine.ts",
      url: pathToFileURL("/somewhere/policies/mine.ts").href,
    });
    expect(load("own:mine").host.retention).toMatchObject({ url: "own:mine" });
  });

  it("is the same scenario wherever its policy's file is", () => {
    const here = load("./mine.js");
    const there = { ...here, host: { ...here.host } };
    there.host = {
      ...here.host,
      retention: { policy: "own", name: "./mine.js", url: "file:///x/mine.js" },
    };
    expect(scenarioHash(there)).toBe(scenarioHash(here));
    expect(scenarioHash(load("./other.js"))).not.toBe(scenarioHash(here));
  });

  it("survives being written as a scenario", () => {
    const entries = [
      "free-on-unset",
      "bounded",
      "{ policy: bounded, cap: 0, idleTimeout: 1500us, watermark: 2.5%, reclaim: true }",
      "{ policy: bounded, reclaim: false }",
      "./mine.js",
    ];
    for (const entry of entries) {
      const scenario = load(entry, ", retention: { policy: bounded, cap: 3 }");
      const again = loadScenarioText(scenarioYaml(scenario), { file: "/elsewhere/my.yaml" });
      const url = (spec: Scenario["host"]["retention"]): unknown =>
        typeof spec === "object" && spec.policy === "own" ? spec.url : spec;
      expect(url(again.host.retention)).toEqual(url(scenario.host.retention));
      expect(again.devices).toEqual(scenario.devices);
    }
  });

  it("reads as a person would say it", () => {
    const entry = "{ policy: bounded, cap: 8, idleTimeout: 100ms, watermark: 5% }";
    expect(retentionText(load(entry).host.retention)).toBe(
      "bounded cap 8 timeout 100 ms watermark 5%",
    );
    expect(retentionText(load("{ policy: bounded, reclaim: false }").host.retention)).toBe(
      "bounded no reclaim",
    );
    expect(retentionText(load("./mine.js").host.retention)).toBe("./mine.js");
  });
});

describe("what is wrong with a retention", () => {
  it("is told with its place and what was meant", () => {
    expect(complaint("cashe")).toMatch(/my\.yaml:1:20: .*"cashe" is not one of cache/);
    expect(complaint("cashe")).toContain("did you mean cache?");
    expect(complaint("{ policy: bounded, capp: 3 }")).toMatch(/unknown key "capp".*retention/);
    expect(complaint("{ policy: bounded, capp: 3 }")).toContain("did you mean cap?");
    expect(complaint("{ policy: bounded, idleTimeout: 100 }")).toContain("needs a unit: 100ms");
    expect(complaint("{ policy: bounded, watermark: 5 }")).toContain("needs a %: 5%");
    expect(complaint("{ policy: bounded, watermark: 500% }")).toContain("such as 5%");
    expect(complaint("{ policy: bounded, cap: -1 }")).toContain("is impossible: at least 0");
    const limit = "{ policy: bounded, reclaim: false, watermark: 5% }";
    expect(complaint(limit)).toContain("needs reclaim");
    expect(complaint("{ policy: cache }")).not.toBe("");
  });
});

it("editors know both ways to write it", () => {
  const text = JSON.stringify(scenarioJsonSchema());
  expect(text).toContain("idleTimeout");
  expect(text).toContain("free-on-teardown");
});
