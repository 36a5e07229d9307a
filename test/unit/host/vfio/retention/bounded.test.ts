import { describe, expect, it } from "vitest";
import type { BoundedRetention, DeviceSpec } from "../../../../../src/scenario/types.ts";
import { VFIO_DEVICE_RESET } from "../../../../../src/uapi/vfio.ts";
import { NVME } from "../machine.ts";
import { ENOSPC, MSIX, RetentionVm, rocker } from "./rig.ts";

const BOUNDED: BoundedRetention = { policy: "bounded", reclaim: true };
const MS = 1e6;

describe("the cap", () => {
  it("is kept at the end of each call: the longest idle go first", () => {
    const vm = new RetentionVm({ retention: { ...BOUNDED, cap: 2 } });
    vm.arm(0, 6);
    for (const vector of [3, 1, 5, 0]) vm.unset(vector);
    expect(vm.held()).toEqual([0, 2, 4, 5]);
    expect(vm.retention.idle[0]!.released).toMatchObject({ cap: 2, pressure: 0 });
  });

  it("counts irqs that never had an eventfd; the highest of a range go first", () => {
    const vm = new RetentionVm({ retention: { ...BOUNDED, cap: 3 } });
    vm.unset(0, 16);
    expect(vm.held()).toEqual([0, 1, 2]);
    expect(vm.arm(9)).toBe(0);
    expect(vm.held()).toEqual([0, 1, 2, 9]);
  });

  it("of nothing keeps nothing, and takes nothing that has an eventfd", () => {
    const vm = new RetentionVm({ retention: { ...BOUNDED, cap: 0 } });
    vm.arm(0, 4);
    vm.unset(1, 2);
    expect(vm.held()).toEqual([0, 3]);
  });
});

describe("the idle timeout", () => {
  it("frees what has been idle for so long, and leaves what is used again", () => {
    const vm = new RetentionVm({ retention: { ...BOUNDED, idleTimeoutNs: 100 * MS } });
    vm.arm(0, 4);
    vm.unset(1);
    vm.sleep(60 * MS);
    vm.unset(2);
    expect(vm.held()).toEqual([0, 1, 2, 3]);
    vm.sleep(60 * MS);
    expect(vm.held()).toEqual([0, 2, 3]);
    expect(vm.arm(2)).toBe(0);
    vm.sleep(500 * MS);
    expect(vm.held()).toEqual([0, 2, 3]);
    expect(vm.retention.idle[0]).toMatchObject({ reused: 1, released: { timeout: 1 } });
  });

  it("does not outlive the mode: what is allocated later has its full time", () => {
    const vm = new RetentionVm({ retention: { ...BOUNDED, idleTimeoutNs: 100 * MS } });
    vm.unset(0, 3);
    vm.sleep(90 * MS);
    vm.set("rk", MSIX, 0, 0);
    vm.unset(0, 2);
    vm.sleep(50 * MS);
    expect(vm.held()).toEqual([0, 1]);
    vm.sleep(60 * MS);
    expect(vm.held()).toEqual([]);
  });
});

/** `a` holds 8 of 8 entries, of which 0..5 are idle, 0 the longest. */
function pressed(a: DeviceSpec["retention"], others: readonly DeviceSpec[] = []): RetentionVm {
  const devices = [rocker("a", a), rocker("b", "cache"), ...others];
  const vm = new RetentionVm({}, { free: 8, devices });
  expect(vm.arm(0, 8, "a")).toBe(0);
  for (let vector = 0; vector < 6; vector++) {
    vm.unset(vector, 1, "a");
    vm.sleep(MS);
  }
  return vm;
}

describe("pressure", () => {
  it("takes the longest idle irq of another device before an allocation fails", () => {
    const vm = pressed(BOUNDED);
    expect(vm.arm(0, 2, "b")).toBe(0);
    expect(vm.held("a")).toEqual([2, 3, 4, 5, 6, 7]);
    expect(vm.arm(7, 1, "b")).toBe(0);
    expect(vm.held("a")).toEqual([3, 4, 5, 6, 7]);
    expect(vm.retention.failures.total).toBe(0);
    expect(vm.retention.idle[0]!.released.pressure).toBe(3);
  });

  it("never takes an irq that has an eventfd: then the request is short as ever", () => {
    const vm = pressed(BOUNDED);
    expect(vm.arm(0, 9, "b")).toBe(6);
    expect(vm.armed("a")).toEqual([6, 7]);
    expect(vm.held("a")).toEqual([6, 7]);
    expect(vm.retention.failures).toMatchObject({ total: 1, causedByIdle: 0 });
  });

  it("takes nothing from devices whose policy does not let it", () => {
    for (const policy of ["cache", { policy: "bounded", reclaim: false }] as const) {
      const vm = pressed(policy);
      expect(vm.arm(0, 2, "b")).toBe(ENOSPC);
      expect(vm.held("a")).toHaveLength(8);
    }
  });

  it("lets a device grow by what it lets idle itself", () => {
    const vm = pressed(BOUNDED);
    expect(vm.arm(9, 1, "a")).toBe(0);
    expect(vm.held("a")).toEqual([1, 2, 3, 4, 5, 6, 7, 9]);
  });

  it("passes over a device in the middle of a reset, and takes from the next", () => {
    const a = { ...NVME, name: "a", retention: BOUNDED };
    const vm = new RetentionVm({}, { free: 9, devices: [a, rocker("b"), rocker("c", BOUNDED)] });
    for (const name of ["a", "c"]) vm.unset(0, 4, name);
    expect(vm.arm(0, 1, "b")).toBe(0);
    vm.post({ op: "ioctl", fd: vm.fd("a"), cmd: VFIO_DEVICE_RESET, arg: new Uint8Array(0) });
    vm.sleep(MS);
    expect(vm.arm(1, 1, "b")).toBe(0);
    expect([vm.held("a").length, vm.held("c").length]).toEqual([4, 3]);
    vm.sleep(200 * MS);
    expect(vm.arm(2, 1, "b")).toBe(0);
    expect([vm.held("a").length, vm.held("c").length]).toEqual([3, 3]);
  });

  it("makes room for a block of MSI, and for an INTx line", () => {
    const nec = { name: "x", model: "nec-usb-xhci", msixVectors: 16, msiVectors: 16 } as const;
    const devices = [rocker("a", BOUNDED), nec];
    const vm = new RetentionVm({}, { free: 12, devices });
    // The line of x took one at open; four aligned ones have to be made.
    expect(vm.arm(0, 11, "a")).toBe(0);
    vm.unset(0, 11, "a");
    const fds = [0, 1, 2, 3].map(() => vm.eventfd().fd);
    expect(vm.set("x", 1, 0, fds)).toBe(0);
    expect(vm.held("x")).toEqual([0, 1, 2, 3]);
    expect(vm.held("a").length).toBeLessThan(11);
  });

  it("does not cross tables: AMD-Vi has one a device", () => {
    const devices = [rocker("a", BOUNDED), { ...rocker("b", BOUNDED), msixVectors: 1024 }];
    const vm = new RetentionVm({ platform: "x86-amd", irtes: 512 }, { devices });
    vm.unset(0, 16, "a");
    expect(vm.unset(0, 513, "b")).toBe(512);
    expect(vm.held("a")).toHaveLength(16);
  });

  it("on AMD-Vi reaches devices behind the same bridge", () => {
    const behind = { bridge: "br" };
    const a = { ...rocker("a", BOUNDED), ...behind };
    const b = { ...rocker("b"), msixVectors: 1024, ...behind };
    const vm = new RetentionVm({ platform: "x86-amd", irtes: 512 }, { devices: [a, b] });
    vm.unset(0, 16, "a");
    expect(vm.unset(0, 500, "b")).toBe(0);
    expect(vm.held("a")).toHaveLength(12);
  });
});

describe("the watermark", () => {
  it("reclaims until so much is free, or nothing idle is left", () => {
    const devices = [rocker("a", { ...BOUNDED, watermark: 0.5 }), rocker("b"), rocker("c")];
    const vm = new RetentionVm({}, { free: 43, devices });
    // 64 entries, 32 are to stay free: 21 are boot's.
    vm.unset(0, 8, "a");
    vm.sleep(MS);
    expect(vm.held("a")).toHaveLength(8);
    vm.arm(0, 5, "b");
    vm.sleep(MS);
    expect(vm.held("a")).toHaveLength(6);
    vm.arm(0, 16, "c");
    vm.sleep(MS);
    expect(vm.held("a")).toEqual([]);
    expect(vm.retention.idle[0]!.released.pressure).toBe(8);
  });
});

it("a device's own policy overrides the host's", () => {
  const devices = [rocker("a"), rocker("b", "cache")];
  const vm = new RetentionVm({ retention: { ...BOUNDED, cap: 0 } }, { devices });
  for (const name of ["a", "b"]) {
    vm.arm(0, 3, name);
    vm.unset(0, 3, name);
  }
  expect(vm.held("a")).toEqual([]);
  expect(vm.held("b")).toEqual([0, 1, 2]);
});
