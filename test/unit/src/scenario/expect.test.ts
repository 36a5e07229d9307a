/** Expectations: their grammar, their names, and what decides. */
import { describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { FATES } from "../../../../src/measure/fates.ts";
import type { RunResult } from "../../../../src/run/result.ts";
import {
  evaluateExpectations,
  nameIssues,
  parseExpectation,
} from "../../../../src/scenario/expect.ts";
import { expectationNames, expectationValue } from "../../../../src/scenario/expect-names.ts";
import { SAMPLE } from "../../../support/sample-result.ts";

function check(text: string, result: RunResult = SAMPLE): boolean | null {
  return evaluateExpectations([text], result)[0]!.ok;
}

describe("the grammar", () => {
  it("compares both ways and knows the order of operations", () => {
    expect(check("1 + 2 * 3 == 7")).toBe(true);
    expect(check("(1 + 2) * 3 == 9")).toBe(true);
    expect(check("10 - 2 - 3 == 5")).toBe(true);
    expect(check("8 / 4 / 2 == 1")).toBe(true);
    expect(check("-3 < -2")).toBe(true);
    expect(check("2 >= 2")).toBe(true);
    expect(check("2 > 2")).toBe(false);
    expect(check("1 != 1")).toBe(false);
  });

  it("takes durations as nanoseconds", () => {
    expect(check("1.5us == 1500")).toBe(true);
    expect(check("latency.p50 < 2us")).toBe(true);
  });

  it.each([
    "",
    "lost",
    "lost ==",
    "== 0",
    "lost = 0",
    "lost == 0 0",
    "(lost == 0",
    "a b == 1",
    "1 < 2 < 3",
  ])("refuses %j", (text) => {
    expect(() => parseExpectation(text)).toThrow(UsageError);
  });
});

describe("the names", () => {
  it("are those of the result", () => {
    const value = (name: string): number | null => expectationValue(name, SAMPLE);
    expect(value("raised")).toBe(24_400);
    expect(value("coalesced")).toBe(300);
    expect(value("dropped")).toBe(100);
    expect(value("leaked")).toBe(0);
    expect(value("fates.droppedGuestReset")).toBe(97);
    expect(value("pool.irtesPeak")).toBe(97);
    expect(value("latency.p999")).toBe(131_000);
    expect(value("floor.p50")).toBe(140);
    expect(value("floor.park")).toBe(6_100);
    expect(value("guests.g2.interrupts")).toBe(3_900);
    expect(value("guests.g1.latency.p50")).toBe(1_510);
    expect(value("guests.g2.latency.p50")).toBeNull();
  });

  it("do not count as lost what a reset, a death or the device took back", () => {
    expect(expectationValue("lost", SAMPLE)).toBe(3);
  });

  it("all have a meaning, and every fate has one", () => {
    const names = expectationNames();
    expect(names.every(({ about }) => about.length > 3)).toBe(true);
    expect(names.filter(({ name }) => name.startsWith("fates.")).length).toBe(FATES.length);
  });
});

describe("what decides", () => {
  const virtual: RunResult = {
    ...SAMPLE,
    latency: { ...SAMPLE.latency, floor: null, ratio: null },
  };
  const silent: RunResult = { ...virtual, latency: { ...virtual.latency, stages: [] } };

  it("is both sides, and both are reported", () => {
    expect(evaluateExpectations(["latency.p99 < 20 * floor.p50"], SAMPLE)).toEqual([
      { text: "latency.p99 < 20 * floor.p50", ok: false, left: 14_200, right: 2_800 },
    ]);
  });

  it("is nothing where only the floor is missing", () => {
    expect(check("latency.p99 < 20 * floor.p50", virtual)).toBeNull();
    expect(check("ratio.p50 < 3", virtual)).toBeNull();
  });

  it("is failure where a figure is missing: no samples are no success", () => {
    expect(check("latency.p99 < 1s", silent)).toBe(false);
    expect(check("latency.p99 < 20 * floor.p50", silent)).toBe(false);
    expect(check("leaked == 0", { ...SAMPLE, leaked: null })).toBe(false);
  });
});

describe("figures of single guests and devices", () => {
  const guest = { state: "running", timeline: [], interrupts: 5 };
  const row = {
    raised: 10,
    fates: { delivered: 7, "dropped-closed": 2, "dropped-guest-reset": 1 },
  };
  const result: RunResult = {
    ...SAMPLE,
    guests: [
      { ...guest, name: "vm0", counters: { msix_errors: 2, set_irqs: 9, "d.completed": 40 } },
      { ...guest, name: "vm1", counters: { set_irqs: 1, failed_updating_vector: 1 } },
      { ...guest, name: "vmx", state: "dead: killed", counters: { msi_errors: 1, boots: 2 } },
    ],
    ledger: {
      ...SAMPLE.ledger,
      rows: [
        { ...row, guest: "vm0", source: "d0 msix[0]" },
        { ...row, guest: "vm1", source: "d1 msix[0]" },
        { ...row, guest: "vm1", source: "d1 msix[1]" },
      ],
    },
  };
  const value = (name: string): number | null => expectationValue(name, result);

  it("are the guest's own", () => {
    expect(value("guests.vm1.raised")).toBe(20);
    expect(value("guests.vm1.delivered")).toBe(14);
    expect(value("guests.vm1.lost")).toBe(4);
    expect(value("guests.vm0.refused")).toBe(2);
    expect(value("guests.nobody.refused")).toBe(null);
    expect(value("guests.vm0.nothing")).toBe(null);
  });

  it("are sums for an entry with a count, which leaves other names out", () => {
    expect(value("guests.vm.raised")).toBe(30);
    expect(value("guests.vm.interrupts")).toBe(10);
    expect(value("guests.v.interrupts")).toBe(null);
  });

  it("of devices are what they held", () => {
    const [device] = SAMPLE.retention.devices;
    expect(value(`devices.${device!.device}.allocations`)).toBe(device!.allocations);
    expect(value("devices.none.allocations")).toBe(null);
  });

  it("beside them stand the sums of what VMMs and drivers counted", () => {
    expect(value("setIrqs")).toBe(10);
    expect(value("commands")).toBe(40);
    expect(value("boots")).toBe(2);
    expect(value("refused")).toBe(3);
    expect(value("unrouted")).toBe(1);
  });

  it("count as silent losers only guests that go on", () => {
    expect(value("silentLosses")).toBe(2);
  });

  it("are checked against the scenario's names", () => {
    const subjects = { guests: ["vm0", "vm1"], devices: ["d0"] };
    const issues = (text: string): number => nameIssues(text, subjects, []).length;
    expect(issues("guests.vm.lost == 0")).toBe(0);
    expect(issues("guests.vm1.latency.p50 < devices.d0.failures")).toBe(0);
    expect(issues("guests.vm.latency.p50 < 1")).toBe(1);
    expect(issues("devices.d1.failures == 0")).toBe(1);
    const [hint] = nameIssues("devices.d0.failure == 0", subjects, []);
    expect(hint!.hint).toContain("devices.d0.failures");
  });
});
