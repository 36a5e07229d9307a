import { describe, expect, it } from "vitest";
import { LatencyHistogram } from "../../../../../src/measure/histogram.ts";
import type { RetentionSpec } from "../../../../../src/scenario/types.ts";
import { DEFAULT_COSTS } from "../../../../../src/time/costs.ts";
import { EBADF, MSIX, RetentionVm, rocker } from "./rig.ts";

const MS = 1e6;
const S = 1e9;

function spansOf(vm: RetentionVm) {
  return vm.retention.policies[0]!.spans;
}

describe("idle irqs", () => {
  it("idle from the call that took their eventfd until the next one comes", () => {
    const vm = new RetentionVm({ retention: "cache" });
    vm.arm(0, 2);
    vm.unset(1);
    vm.sleep(300 * MS);
    vm.arm(1);
    const { spans, reused, open } = spansOf(vm);
    expect([reused, open]).toEqual([1, 0]);
    const histogram = LatencyHistogram.fromJSON(spans);
    expect(histogram.count).toBe(1);
    expect(histogram.max / MS).toBeCloseTo(300, 1);
  });

  it("do not idle between the two eventfds of a swap, which counts as none", () => {
    const vm = new RetentionVm({ retention: "cache" });
    vm.arm(0, 4);
    vm.arm(0, 4);
    expect(spansOf(vm)).toMatchObject({ reused: 0, open: 0, sumNs: 0 });
  });

  it("idle on where the eventfd that was to replace theirs is none", () => {
    const vm = new RetentionVm({ retention: "cache" });
    vm.arm(0, 2);
    expect(vm.set("rk", MSIX, 1, [60_000])).toBe(EBADF);
    vm.sleep(2 * S);
    const { open, over, spans } = spansOf(vm);
    expect(open).toBe(1);
    expect(over).toEqual([1, 1, 1, 1, 0, 0]);
    expect(LatencyHistogram.fromJSON(spans).max / S).toBeCloseTo(2, 3);
  });

  it("tell what ended it", () => {
    const vm = new RetentionVm({ retention: "cache" });
    vm.unset(0, 5);
    vm.arm(3);
    vm.sleep(MS);
    vm.set("rk", MSIX, 0, 0);
    expect(spansOf(vm).released).toMatchObject({ disable: 4 });
    expect(vm.retention.idle[0]).toMatchObject({ reused: 1, released: { disable: 4 } });
  });

  it("of MSI count, too", () => {
    const nec = { name: "x", model: "nec-usb-xhci", msixVectors: 16, msiVectors: 16 } as const;
    const vm = new RetentionVm({ retention: "cache" }, { devices: [nec] });
    vm.set("x", 1, 0, [vm.eventfd().fd, -1]);
    expect(spansOf(vm).open).toBe(1);
  });

  it("are measured together where devices have the same policy, apart where not", () => {
    const own: RetentionSpec = { policy: "bounded", reclaim: true };
    const devices = [rocker("a"), rocker("b", own), rocker("c"), rocker("d", { ...own })];
    const vm = new RetentionVm({ retention: "cache" }, { devices });
    expect(vm.retention.policies.map(({ devices: names }) => names)).toEqual([
      ["a", "c"],
      ["b", "d"],
    ]);
  });
});

describe("arming", () => {
  const { irqAlloc, irqFree, iecFlush, requestIrq, freeIrq, eventfdGet } = DEFAULT_COSTS;

  it("again costs the handler under cache, and the irq as well under free-on-teardown", () => {
    const handler = freeIrq + requestIrq + 2 * iecFlush + eventfdGet;
    for (const [retention, ns] of [
      ["cache", handler],
      ["free-on-unset", handler],
      ["free-on-teardown", handler + irqAlloc + irqFree + 2 * iecFlush],
    ] as const) {
      const vm = new RetentionVm({ retention });
      vm.arm(0);
      vm.arm(0);
      const rearm = LatencyHistogram.fromJSON(spansOf(vm).rearm);
      expect([retention, rearm.count, rearm.max]).toEqual([retention, 1, ns]);
    }
  });

  it("for the first time is told apart; disabling MSI-X makes it the first time again", () => {
    const vm = new RetentionVm({ retention: "cache" });
    vm.arm(0, 3);
    vm.set("rk", MSIX, 0, 0);
    vm.arm(0, 2);
    vm.arm(9);
    const { arm, rearm } = spansOf(vm);
    const histogram = LatencyHistogram.fromJSON(arm);
    expect(histogram.count).toBe(6);
    expect(histogram.max).toBe(irqAlloc + iecFlush + requestIrq + iecFlush + eventfdGet);
    expect(LatencyHistogram.fromJSON(rearm).count).toBe(0);
  });
});

it("V3's unsigned loop never ends where the block begins at 0: igate stays locked", () => {
  const vm = new RetentionVm({ retention: "cache", bugs: ["msi-unwind-unsigned"] });
  vm.arm(0, 2);
  expect(vm.set("rk", MSIX, 5, [60_000])).toBe(EBADF);
  vm.postSet("rk", 0, [60_000]);
  vm.sleep(60 * S);
  vm.postSet("rk", 1, [vm.eventfd().fd]);
  vm.sleep(60 * S);
  expect(vm.host.busy()).toBe(true);
  vm.host.exit(0, "killed");
  vm.sleep(60 * S);
  expect(vm.held()).not.toEqual([]);
});
