/** Which VMM a guest runs on: versions, and the keys that only QEMU has a choice of. */
import { describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { scenarioFromData } from "../../../../src/scenario/loader.ts";
import type { GuestSpec } from "../../../../src/scenario/types.ts";

function guest(keys: object): GuestSpec {
  const { guests } = scenarioFromData({
    name: "test",
    devices: [{ name: "nvme0", model: "nvme" }],
    guests: [{ name: "g1", device: "nvme0", ...keys }],
    duration: "1s",
  });
  return guests[0]!;
}

function complaint(keys: object): string {
  try {
    guest(keys);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("versions", () => {
  it("have a default each: QEMU 10.0, the main branch of all others", () => {
    expect(guest({})).toMatchObject({ vmm: "qemu", vmmVersion: "10.0" });
    for (const vmm of ["cloud-hypervisor", "crosvm", "dpdk", "minimal"]) {
      expect(guest({ vmm })).toMatchObject({ vmm, vmmVersion: "main" });
    }
  });

  it("may be written without quotes", () => {
    expect(guest({ vmm: "cloud-hypervisor", vmmVersion: 51 }).vmmVersion).toBe("51.0");
    expect(guest({ vmmVersion: 7.2 }).vmmVersion).toBe("7.2");
  });

  it("belong to one VMM", () => {
    expect(complaint({ vmmVersion: "52.0" })).toBe("there is no qemu 52.0 here");
    expect(complaint({ vmm: "crosvm", vmmVersion: "10.0" })).toBe("there is no crosvm 10.0 here");
  });
});

describe("the way interrupts take", () => {
  it("is DPDK's own reading, and KVM's irqfds for all others", () => {
    expect(guest({ vmm: "dpdk" }).path).toBe("userspace");
    expect(guest({ vmm: "dpdk", path: "userspace" }).path).toBe("userspace");
    for (const vmm of ["cloud-hypervisor", "crosvm", "minimal"]) {
      expect(guest({ vmm }).path).toBe("irqfd");
      expect(guest({ vmm, path: "posted" }).path).toBe("posted");
    }
  });

  it("is no choice that they do not have", () => {
    expect(complaint({ vmm: "dpdk", path: "irqfd" })).toMatch(/^dpdk has no KVM/);
    expect(complaint({ vmm: "minimal", path: "userspace" })).toMatch(/^minimal leaves injecting/);
  });

  it("leaves irqchip, bypass and vIOMMU to QEMU", () => {
    for (const key of [{ irqchip: "split" }, { bypass: false }, { intremap: true }]) {
      const [name] = Object.keys(key);
      const text = `cloud-hypervisor has no choice of ${name}`;
      expect(complaint({ vmm: "cloud-hypervisor", ...key })).toBe(text);
    }
  });
});
