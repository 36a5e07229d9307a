import { describe, expect, it } from "vitest";
import { retentionLines, shortageLines } from "../../../../src/report/retention.ts";
import type { RetentionResult } from "../../../../src/run/result.ts";
import { retentionResult, retentionWarnings } from "../../../../src/run/retention-result.ts";
import { runScenario } from "../../../../src/run/run.ts";
import { expectationNames, expectationValue } from "../../../../src/scenario/expect-names.ts";
import { scenarioFromData } from "../../../../src/scenario/loader.ts";
import type { Scenario } from "../../../../src/scenario/types.ts";
import { SAMPLE } from "../../../support/sample-result.ts";
import { RetentionVm, rocker } from "../../host/vfio/retention/rig.ts";

const S = 1e9;

/** Guests g and h with the nvme devices a, b and c; what the host did is told separately. */
function scenario(host: object = {}): Scenario {
  return scenarioFromData({
    host,
    devices: [
      { name: "a", model: "nvme" },
      { name: "b", model: "nvme", retention: "free-on-unset" },
      { name: "c", model: "nvme" },
    ],
    guests: [
      { name: "g", devices: ["a", "b"] },
      { name: "h", device: "c" },
    ],
    duration: "1s",
  });
}

/** a lets 4 of 6 idle for two seconds, b frees what it does not use, c then finds too little. */
function crowded(): RetentionResult {
  const devices = [rocker("a"), rocker("b", "free-on-unset"), rocker("c")];
  const vm = new RetentionVm({ retention: "cache" }, { free: 10, devices });
  for (const name of ["a", "b"]) {
    vm.arm(0, name === "a" ? 6 : 2, name);
    vm.unset(1, name === "a" ? 4 : 1, name);
  }
  vm.sleep(2 * S);
  expect(vm.arm(0, 4, "c")).toBe(3);
  expect(vm.arm(0, 9, "c")).toBe(3);
  return retentionResult(scenario(), vm.retention, 0);
}

describe("the result's retention", () => {
  const result = crowded();

  it("has each device, and sums by guest, by policy and of all", () => {
    expect(result.devices.map(({ device, policy }) => [device, policy])).toEqual([
      ["a", "cache"],
      ["b", "free-on-unset"],
      ["c", "cache"],
    ]);
    const [a, b, c] = result.devices;
    expect(a!.idleIrteSeconds).toBeCloseTo(8, 2);
    expect(a!.armedIrteSeconds).toBeCloseTo(4, 2);
    expect(b!.idleIrteSeconds).toBeLessThan(0.001);
    // Four times a free_irq that waits for its handlers.
    expect(a!.idleVectorSeconds).toBeCloseTo(4 * 5e-6, 9);
    expect(a!.armedVectorSeconds).toBeCloseTo(a!.armedIrteSeconds, 3);
    const [g, h] = result.guests;
    expect(g!.idleIrteSeconds).toBe(a!.idleIrteSeconds + b!.idleIrteSeconds);
    expect(h!.allocations).toBe(c!.allocations);
    expect(result.policies.map(({ policy, devices }) => [policy, devices])).toEqual([
      ["cache", 2],
      ["free-on-unset", 1],
    ]);
    expect(result.totals.allocations).toBe(a!.allocations + b!.allocations + c!.allocations);
  });

  it("counts flushes for each allocation, free, request and free of a handler", () => {
    const [, b] = result.devices;
    // Two allocated and armed, one of them torn down and freed.
    expect(b).toMatchObject({ allocations: 2, frees: 1, iecFlushes: 2 + 1 + 2 + 1 });
  });

  it("has the failures, each with holder and victim, and the share of long idling", () => {
    expect(result.failures).toEqual({
      total: 2,
      causedByIdle: 1,
      holders: { a: 1 },
      victims: { c: { failed: 2, causedByIdle: 1 } },
    });
    const [a, , c] = result.devices;
    expect(a).toMatchObject({ failuresCaused: 1, failures: 0 });
    expect(c).toMatchObject({ failuresCaused: 0, failures: 2, failuresSuffered: 1 });
    const { idle } = result.policies[0]!;
    expect(idle).toMatchObject({ count: 4, stillIdle: 4 });
    expect(idle.over.find(({ limitNs }) => limitNs === S)).toMatchObject({ count: 4, share: 1 });
    expect(idle.p50 / S).toBeCloseTo(2, 1);
  });

  it("reads as a page", () => {
    const page = retentionLines(result).join("\n").replace(/\n +/g, " ");
    expect(page).toMatch(/cache +\d+\.\d+ +8\.0\d\d/);
    expect(page).toContain("idle 4 times, p50 2.00 s");
    expect(page).toContain("100.0 % a second or longer, 4 still idle");
    const shortages = shortageLines(result).join("\n").replace(/\s+/g, " ");
    expect(shortages).toContain("2 requests got less than asked for; idle irqs of others caused 1");
    expect(shortages).toContain("c asked for 4 MSI-X, got 3; IR0: 31 of 31 used, most by boot");
    expect(shortages).toContain("4 idle of others, most of a (4): they are the cause");
    expect(shortages).toContain("4 idle of others: not the cause");
  });
});

describe("figures for expectations", () => {
  it("are there for holding, costs, failures and idle times", () => {
    const value = (name: string): number | null => expectationValue(name, SAMPLE);
    expect(value("idleIrteSeconds")).toBe(12.5);
    expect(value("failuresCausedByIdle")).toBe(1);
    expect(value("allocationFailures")).toBe(1);
    expect([value("allocations"), value("frees"), value("iecFlushes")]).toEqual([133, 67, 402]);
    expect([value("reclaimed"), value("reused")]).toEqual([0, 4]);
    expect([value("idle.p50"), value("idle.max")]).toEqual([700_000_000, 2_100_000_000]);
    expect([value("rearm.p50"), value("rearm.p99")]).toEqual([9_300, 11_200]);
    const names = expectationNames().map(({ name }) => name);
    expect(names).toContain("idleVectorSeconds");
  });

  it("are nothing where nothing was idle, but counts are 0", () => {
    const [policy] = SAMPLE.retention.policies;
    const idle = { ...policy!.idle, count: 0 };
    const retention = { ...SAMPLE.retention, policies: [{ ...policy!, idle }] };
    expect(expectationValue("idle.p50", { ...SAMPLE, retention })).toBeNull();
    expect(expectationValue("idle.count", { ...SAMPLE, retention })).toBe(0);
  });
});

describe("a policy that can do nothing", () => {
  const report = new RetentionVm({}).retention;
  const static_ = { ...report, dynamic: false };

  it("is warned of, with what to do", () => {
    const [onStatic] = retentionWarnings(scenario({ kernel: "linux-6.1" }), static_);
    expect(onStatic!.text).toContain("retention free-on-unset has no effect: linux-6.1");
    expect(onStatic!.advice).toContain("linux-6.12");
    const [onIts] = retentionWarnings(scenario({ platform: "arm64-its" }), static_);
    expect(onIts!.text).toContain("arm64-its cannot free single MSI-X vectors");
  });

  it("is not warned of where it can, nor if it is cache", () => {
    expect(retentionWarnings(scenario(), report)).toEqual([]);
    const plain = scenario({ kernel: "linux-6.1" });
    const devices = plain.devices.map(({ retention, ...device }) => device);
    expect(retentionWarnings({ ...plain, devices }, static_)).toEqual([]);
  });

  it("makes a warning of a run", async () => {
    const run = scenarioFromData({
      host: { kernel: "linux-6.1", retention: "free-on-teardown" },
      devices: [{ name: "n", model: "nvme", msixVectors: 3 }],
      guests: [{ name: "g", device: "n" }],
      duration: "300ms",
    });
    const { warnings, retention } = await runScenario(run, { engine: "virtual" });
    expect(retention.effective).toBe(false);
    expect(warnings.map(({ text }) => text).join()).toContain("has no effect");
  });
});

it("holding is integrated up to the end of the run, though nothing happens any more", async () => {
  const run = scenarioFromData({
    devices: [{ name: "n", model: "nvme", msixVectors: 3 }],
    guests: [{ name: "g", device: "n" }],
    duration: "10s",
  });
  const { retention, durationNs } = await runScenario(run, { engine: "virtual" });
  expect(durationNs).toBe(10 * S);
  // One queue and the admin queue, armed from a boot of some 200 ms on.
  expect(retention.totals.armedIrteSeconds).toBeGreaterThan(2 * 9.5);
  expect(retention.totals.armedIrteSeconds).toBeLessThan(2 * 10);
});
