/** Limits of the route table (cloud-hypervisor 7940, 7081; rust-vmm/kvm 381; linux/kvm_host.h). */
import { describe, expect, it } from "vitest";
import {
  MsiGroup,
  MsiManager,
  type RoutedVm,
} from "../../../../../guest/vmm/cloud-hypervisor/msi-groups.ts";
import { cloudHypervisorProfile } from "../../../../../guest/vmm/cloud-hypervisor/profile.ts";
import { E2BIG, EINVAL } from "../../../../../src/base/errno.ts";
import type { GuestSpec } from "../../../../../src/scenario/types.ts";
import { type Process, step } from "../../../../../src/time/process.ts";
import type { KvmRoute } from "../../../../../src/uapi/kvm.ts";

/** KVM_MAX_IRQ_ROUTES: both the number of routes and the first GSI there is none for. */
const LIMIT = 4096;
const MESSAGE = { addressLo: 0xfee00000, addressHi: 0, data: 0x30 };

/** Runs a process to its end; what it waits for is there at once. */
function run<T>(process: Process<T>): T {
  for (;;) {
    const next = process.next();
    if (next.done === true) return next.value;
  }
}

class Kvm implements RoutedVm {
  calls = 0;
  routes: readonly KvmRoute[] = [];

  *setRouting(routes: readonly KvmRoute[]): Process<number> {
    this.calls++;
    yield* step();
    if (routes.length > LIMIT || routes.some(({ gsi }) => gsi >= LIMIT)) return -EINVAL;
    this.routes = routes;
    return 0;
  }

  *assignIrqfd(): Process<number> {
    yield* step();
    return 0;
  }

  *deassignIrqfd(): Process<number> {
    yield* step();
    return 0;
  }
}

function start(vmmVersion: GuestSpec["vmmVersion"]): { kvm: Kvm; manager: MsiManager } {
  const kvm = new Kvm();
  let fd = 0;
  const events = {
    *create(): Process<{ fd: number; slot: number }> {
      yield* step();
      return { fd: fd++, slot: 0 };
    },
  };
  const profile = cloudHypervisorProfile({ vmmVersion } as GuestSpec);
  return { kvm, manager: new MsiManager({ events: events as never }, kvm, profile) };
}

const group = (manager: MsiManager, count: number): MsiGroup =>
  run(MsiGroup.create(manager, count, () => -1));

/** Unmasks all vectors; what failed. */
function unmaskAll(groups: readonly MsiGroup[], vectors: number): number[] {
  const failed: number[] = [];
  for (const [g, each] of groups.entries()) {
    for (let v = 0; v < vectors; v++) {
      if (run(each.update(v, MESSAGE, false)) < 0) failed.push(g * vectors + v);
    }
  }
  return failed;
}

describe("GSIs given at first use", () => {
  it("begin behind the IOAPIC's 24 pins, and last for two 2,048-vector devices less 24", () => {
    const { kvm, manager } = start("main");
    const failed = unmaskAll([group(manager, 2048), group(manager, 2048)], 2048);
    expect(failed).toEqual(Array.from({ length: 24 }, (_, i) => 4072 + i));
    expect(kvm.routes).toHaveLength(4072);
    expect(kvm.routes[0]!.gsi).toBe(24);
  });

  it("stay unused by vectors that stay masked", () => {
    const { kvm, manager } = start("main");
    const [first, second] = [group(manager, 2048), group(manager, 2048)];
    for (const each of [first, second]) run(each.update(2047, MESSAGE, true));
    expect(kvm.calls).toBe(0);
    expect(run(second.update(2047, MESSAGE, false))).toBe(0);
    expect(kvm.routes[0]!.gsi).toBe(24);
  });
});

describe("GSIs given to every vector at once (51.0)", () => {
  it("are exhausted by two 2,048-vector devices, whatever is used of them", () => {
    const { manager } = start("51.0");
    group(manager, 24);
    const [, second] = [group(manager, 2048), group(manager, 2048)];
    // 24 pins of GSIs 24 to 47, then the devices: the last 48 vectors have none below 4096.
    expect(run(second.update(1999, MESSAGE, false))).toBe(0);
    expect(run(second.update(2000, MESSAGE, false))).toBe(-EINVAL);
  });
});

describe("a refused route", () => {
  it("spoils every later update, until it is masked", () => {
    const { manager } = start("51.0");
    const only = group(manager, 4100);
    expect(run(only.update(4099, MESSAGE, false))).toBe(-EINVAL);
    expect(run(only.update(0, MESSAGE, false))).toBe(-EINVAL);
    expect(run(only.update(4099, MESSAGE, true))).toBe(0);
    expect(run(only.update(0, MESSAGE, false))).toBe(0);
  });
});

describe("kvm-bindings up to 52.0", () => {
  it("refuses more than 1,024 routes, so that the kernel is not even asked", () => {
    const { kvm, manager } = start("52.0");
    const only = group(manager, 1025);
    expect(unmaskAll([only], 1024)).toEqual([]);
    expect(run(only.update(1024, MESSAGE, false))).toBe(-E2BIG);
    expect(kvm.calls).toBe(1024);
  });
});
