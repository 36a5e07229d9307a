import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import type { RunResult } from "../../../../src/run/result.ts";
import type { IdleIrq, RetentionPolicy } from "../../../../src/run/retention-policy.ts";
import { type RunOptions, runScenario } from "../../../../src/run/run.ts";
import { scenarioFromData } from "../../../../src/scenario/loader.ts";

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "policies-"));
  const files = {
    "always.mjs":
      'export const policy = { name: "always", freesAfterTeardown: () => true };\n' +
      "export const other = 1;\n",
    "by-device.mjs":
      "export default (device) => ({ name: device, idleMax: 1, freesAfterTeardown: () => false });",
    "typed.ts":
      "interface P { name: string }\n" +
      'export const policy = { name: "typed" as P["name"], freesAfterTeardown: () => true };',
    "empty.mjs": "export const nothing = 1;",
    "nameless.mjs": "export const policy = { freesAfterTeardown: () => true };",
    "broken.mjs": "export const policy = {",
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
});
afterAll(() => rmSync(directory, { recursive: true }));

function run(
  retention: string,
  options: Partial<RunOptions> = {},
  host: object = {},
): Promise<RunResult> {
  const scenario = scenarioFromData(
    {
      host: { retention, ...host },
      devices: [{ name: "n", model: "nvme", msixVectors: 5 }],
      guests: [{ name: "g", vcpus: 2, device: "n", workload: { rate: "2k/s" } }],
      duration: options.engine === "threads" ? "400ms" : "600ms",
    },
    { file: join(directory, "my.yaml") },
  );
  return runScenario(scenario, { engine: "virtual", ...options });
}

async function complaint(retention: string, options: Partial<RunOptions> = {}): Promise<string> {
  try {
    await run(retention, options);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).format();
  }
  return "";
}

describe("a policy of one's own", () => {
  it("is imported from a file next to the scenario, and decides", async () => {
    const { retention, provenance } = await run("./always.mjs");
    expect(provenance.options.retention).toBe("./always.mjs");
    expect(retention.policies[0]).toMatchObject({ policy: "./always.mjs", devices: 1 });
    const cache = (await run("cache")).retention.totals;
    const teardown = (await run("free-on-teardown")).retention.totals;
    expect(retention.totals).toEqual(teardown);
    expect(retention.totals.allocations).toBeGreaterThan(cache.allocations);
  });

  it("may be made for each device, and be exported as default", async () => {
    const { retention } = await run("./by-device.mjs");
    expect(retention.policies[0]!.policy).toBe("./by-device.mjs");
  });

  it("may be TypeScript where the runtime can", async () => {
    expect((await run("./typed.ts")).retention.totals.frees).toBeGreaterThan(0);
  });

  it("is imported by the host's thread, too", async () => {
    const { retention, partial } = await run("./always.mjs", { engine: "threads" });
    expect(partial).toBeNull();
    expect(retention.policies[0]!.policy).toBe("./always.mjs");
    expect(retention.totals.allocations).toBeGreaterThan(0);
  });

  it("may be passed by the program, and is asked with what it has to know", async () => {
    const asked: (IdleIrq & { reason: string })[] = [];
    const mine: RetentionPolicy = {
      name: "mine",
      freesAfterTeardown: (irq, reason) => {
        asked.push({ ...irq, reason });
        return false;
      },
    };
    await run("own:mine", { policies: { mine } });
    expect(asked.length).toBeGreaterThan(0);
    for (const irq of asked) {
      expect(irq).toMatchObject({ device: "n", reason: "swap" });
      expect(irq.vector).toBeLessThan(5);
    }
    expect(asked.find(({ vector }) => vector === 0)?.dynamic).toBe(false);
  });
});

describe("what is wrong with a policy of one's own", () => {
  it("is told with the remedy", async () => {
    expect(await complaint("./gone.mjs")).toMatch(
      /there is no such file[\s\S]*relative to the scen/,
    );
    expect(await complaint("./empty.mjs")).toMatch(/exports no policy[\s\S]*export const policy/);
    expect(await complaint("./nameless.mjs")).toContain("has no name");
    expect(await complaint("./broken.mjs")).toContain("cannot be loaded");
    expect(await complaint("own:mine")).toContain("passes no such policy");
    const policies = { yours: { name: "yours", freesAfterTeardown: () => true } };
    expect(await complaint("own:mine", { policies })).toContain("it passes yours");
  });

  it("is told when it is asked, by its name", async () => {
    const throws = {
      name: "throws",
      freesAfterTeardown: () => {
        throw new Error("no idea");
      },
    };
    const message = await complaint("own:x", { policies: { x: throws } });
    expect(message).toContain("own:x: freesAfterTeardown threw: no idea");
    const silent = { name: "silent", freesAfterTeardown: () => undefined as unknown as boolean };
    expect(await complaint("own:x", { policies: { x: silent } })).toContain("returned undefined");
  });

  it("includes limits that are none", async () => {
    const base = { name: "x", freesAfterTeardown: () => false };
    for (const [limits, words] of [
      [{ idleMax: 1.5 }, "idleMax"],
      [{ idleTimeoutNs: 0 }, "idleTimeoutNs"],
      [{ reclaim: { watermark: 2 } }, "watermark"],
    ] as const) {
      expect(await complaint("own:x", { policies: { x: { ...base, ...limits } } })).toContain(
        words,
      );
    }
  });

  it("on threads is told before anything starts: functions do not cross", async () => {
    const policies = { x: { name: "x", freesAfterTeardown: () => true } };
    const options = { engine: "threads", policies } as const;
    expect(await complaint("own:x", options)).toContain("cannot be sent to the host's thread");
    expect(await complaint("./gone.mjs", { engine: "threads" })).toContain("no such file");
  });
});
