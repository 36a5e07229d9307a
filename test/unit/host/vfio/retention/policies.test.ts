import { describe, expect, it } from "vitest";
import type { RetentionSpec } from "../../../../../src/scenario/types.ts";
import { EBADF, ENOSPC, MSIX, RetentionVm, rocker } from "./rig.ts";

const ALL: readonly RetentionSpec[] = [
  "cache",
  "free-on-teardown",
  "free-on-unset",
  "free-dynamic",
  { policy: "bounded", reclaim: true, cap: 1 },
];

/** Vectors 0 and 1 came with enable, vector 5 was added; all three have an eventfd. */
function threeArmed(retention: RetentionSpec): RetentionVm {
  const vm = new RetentionVm({ retention });
  expect(vm.arm(0, 2)).toBe(0);
  expect(vm.arm(5)).toBe(0);
  expect(vm.held()).toEqual([0, 1, 5]);
  return vm;
}

describe("an explicit -1", () => {
  const left: Record<string, number[]> = {
    cache: [0, 1, 5],
    "free-on-teardown": [0],
    "free-on-unset": [0],
    "free-dynamic": [0, 1],
  };
  for (const [retention, held] of Object.entries(left)) {
    it(`leaves ${held} of 0, 1 and 5 to ${retention}, where 1 and 5 lose their eventfds`, () => {
      const vm = threeArmed(retention as RetentionSpec);
      expect(vm.unset(1)).toBe(0);
      expect(vm.unset(5)).toBe(0);
      expect(vm.held()).toEqual(held);
      expect(vm.armed()).toEqual([0]);
    });
  }

  it("frees nothing where there is no trigger to tear down", () => {
    for (const retention of ALL) {
      const vm = new RetentionVm({ retention });
      expect(vm.unset(0)).toBe(0);
      expect(vm.unset(0)).toBe(0);
      expect(vm.held()).toEqual([0]);
    }
  });
});

describe("a swap of eventfds", () => {
  it("keeps the irq under every policy but free-on-teardown, which allocates another", () => {
    for (const retention of ALL) {
      const vm = threeArmed(retention);
      const before = allocations(vm);
      expect(vm.arm(0, 2)).toBe(0);
      expect(vm.held()).toEqual([0, 1, 5]);
      expect(vm.armed()).toEqual([0, 1, 5]);
      const extra = retention === "free-on-teardown" ? 2 : 0;
      expect(allocations(vm) - before).toBe(extra);
    }
  });

  it("makes a vector of the first range a dynamic one under free-on-teardown", () => {
    const vm = threeArmed("free-on-teardown");
    vm.arm(0);
    vm.unset(0);
    expect(vm.held()).toEqual([1, 5]);
  });

  it("fails under free-on-teardown where another takes the entry in between", () => {
    for (const [retention, result] of [
      ["cache", [0, 1]],
      ["free-on-teardown", [1]],
    ] as const) {
      const devices = [rocker("a"), rocker("b")];
      const vm = new RetentionVm({ retention }, { free: 2, devices });
      expect(vm.arm(0, 2, "a")).toBe(0);
      vm.postSet("a", 0, [vm.eventfd().fd]);
      // free_irq takes 5 us, the allocation that follows begins 3 us later.
      vm.sleep(2_000);
      expect(vm.arm(0, 1, "b")).toBe(retention === "cache" ? ENOSPC : 0);
      vm.sleep(1e6);
      expect(vm.armed("a")).toEqual(result);
    }
  });
});

describe("a block that fails", () => {
  it("is taken back: only free-on-teardown gives its irqs back, too", () => {
    const left: Record<string, number[]> = {
      cache: [0, 5, 6, 7],
      "free-on-teardown": [0],
      "free-on-unset": [0, 5, 6, 7],
      "free-dynamic": [0, 5, 6, 7],
    };
    for (const [retention, held] of Object.entries(left)) {
      const vm = new RetentionVm({ retention: retention as RetentionSpec });
      vm.arm(0);
      const fds = [vm.eventfd().fd, vm.eventfd().fd, 60_000];
      expect(vm.set("rk", MSIX, 5, fds)).toBe(EBADF);
      expect(vm.armed()).toEqual([0]);
      expect([retention, vm.held()]).toEqual([retention, held]);
    }
  });

  it("that the first range is disables MSI-X under every policy", () => {
    for (const retention of ALL) {
      const vm = new RetentionVm({ retention });
      expect(vm.set("rk", MSIX, 0, [vm.eventfd().fd, 60_000])).toBe(EBADF);
      expect(vm.held()).toEqual([]);
    }
  });
});

describe("an irq that was given back", () => {
  it("may be refused when it is wanted again, which is counted until MSI-X is off", () => {
    for (const [retention, refused] of [
      ["cache", 0],
      ["free-on-unset", 2],
    ] as const) {
      const devices = [rocker("a"), rocker("b")];
      const vm = new RetentionVm({ retention }, { free: 8, devices });
      vm.arm(0, 4, "a");
      vm.unset(2, 2, "a");
      vm.arm(0, 4, "b");
      // What is still free, and what a has given back.
      vm.arm(4, retention === "cache" ? 0 : 2, "b");
      vm.arm(2, 1, "a");
      vm.arm(3, 1, "a");
      // Never had: a first request, not one for something given back.
      vm.arm(9, 1, "a");
      const { idle, failures } = vm.retention;
      expect(idle.map(({ refusedAgain }) => refusedAgain)).toEqual([refused, 0]);
      expect(failures.victims.a!.failed).toBe(refused + 1);
      vm.set("a", MSIX, 0, 0);
      vm.arm(0, 1, "a");
      vm.arm(3, 1, "a");
      vm.arm(4, 1, "a");
      expect(vm.retention.idle[0]!.refusedAgain).toBe(refused);
    }
  });
});

describe("a failure of one device", () => {
  it("is not laid to another that is just arming what it has", () => {
    const devices = [rocker("a"), rocker("b")];
    const vm = new RetentionVm({ retention: "cache" }, { free: 8, devices });
    vm.postSet(
      "a",
      0,
      Array.from({ length: 8 }, () => vm.eventfd().fd),
    );
    while (vm.held("a").length < 8) vm.sleep(1000);
    expect(vm.armed("a").length).toBeLessThan(4);
    expect(vm.arm(0, 1, "b")).toBe(ENOSPC);
    vm.sleep(1e6);
    expect(vm.armed("a")).toHaveLength(8);
    expect(vm.retention.failures).toMatchObject({ total: 1, causedByIdle: 0 });
    vm.unset(7, 1, "a");
    vm.arm(0, 1, "b");
    expect(vm.retention.failures).toMatchObject({ total: 2, causedByIdle: 1 });
  });
});

it("disable and close give everything back under every policy", () => {
  for (const retention of ALL) {
    const vm = threeArmed(retention);
    vm.unset(1);
    expect(vm.set("rk", MSIX, 0, 0)).toBe(0);
    expect(vm.held()).toEqual([]);
    vm.arm(0, 4);
    vm.unset(2);
    vm.close(vm.fd("rk"));
    expect(vm.host.report().pool.irqsHeld).toBe(0);
  }
});

it("policies have no effect on a kernel that cannot allocate single vectors", () => {
  for (const retention of ALL) {
    const vm = new RetentionVm({ retention, kernel: "linux-6.1" });
    vm.arm(0, 3);
    vm.arm(1);
    vm.unset(0, 3);
    expect(vm.held()).toEqual([0, 1, 2]);
    expect(vm.retention.dynamic).toBe(false);
  }
});

it("MSI keeps its block under every policy", () => {
  const nec = { name: "x", model: "nec-usb-xhci", msixVectors: 16, msiVectors: 16 } as const;
  for (const retention of ALL) {
    const vm = new RetentionVm({ retention }, { devices: [nec] });
    expect(vm.set("x", 1, 0, [vm.eventfd().fd, vm.eventfd().fd])).toBe(0);
    expect(vm.set("x", 1, 0, [-1, -1])).toBe(0);
    expect(vm.held("x")).toEqual([0, 1]);
  }
});

it("an interrupt that comes while its vector is freed is delivered to the next eventfd", () => {
  for (const retention of ALL) {
    const vm = threeArmed(retention);
    vm.unset(5);
    vm.raise(5);
    vm.raise(5);
    const { fd, slot } = vm.eventfd();
    expect(vm.set("rk", MSIX, 5, [fd])).toBe(0);
    expect(vm.readEventfd(slot)).toBe(1n);
  }
});

function allocations(vm: RetentionVm): number {
  return vm.retention.devices[0]!.held.allocations;
}
