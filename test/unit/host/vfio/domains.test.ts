/** What userspace sees of the interrupt domains' limits (recordings-irte, recordings-arm64). */
import { describe, expect, it } from "vitest";
import type { DeviceSpec, HostSpec } from "../../../../src/scenario/types.ts";
import { packWords, VFIO_DEVICE_GET_IRQ_INFO } from "../../../../src/uapi/vfio.ts";
import { TestVm } from "./machine.ts";

const [INTX, MSI, MSIX] = [0, 1, 2];
const [ENOMEM, ENODEV, EINVAL, ENOSPC] = [-12, -19, -22, -28];
const big = (name: string): DeviceSpec => {
  return { name, model: "nvme", msixVectors: 2048, msiVectors: 0 };
};
const XHCI: DeviceSpec = { name: "x16", model: "nec-usb-xhci", msixVectors: 16, msiVectors: 16 };

/** A process that arms with one eventfd for all vectors, as the limits do not care. */
class Vm extends TestVm {
  readonly #fd: number;

  constructor(devices: readonly DeviceSpec[], host: Partial<HostSpec>) {
    super(devices, host);
    this.#fd = this.eventfd().fd;
  }

  arm(name: string, index: number, start: number, count: number): number {
    return this.set(name, index, start, Array(count).fill(this.#fd));
  }

  allocate(name: string, index: number, count: number): number {
    return this.set(name, index, 0, Array(count).fill(-1));
  }

  held(name: string): number {
    return this.host.inspect(name).held.length;
  }
}

describe("VT-d", () => {
  it("what one device holds idle is what another one lacks", () => {
    const vm = new Vm([big("a"), big("b")], { irtes: 4096 });
    for (const name of ["a", "b"]) vm.open(name);
    const free = 4096 - vm.host.report().pool.irtesUsed;
    expect(vm.allocate("a", MSIX, 2048)).toBe(0);
    expect(vm.allocate("b", MSIX, 2048)).toBe(free - 2048);
    expect(vm.held("b")).toBe(0);
    expect(vm.allocate("b", MSIX, free - 2048)).toBe(0);
    expect(vm.arm("b", MSIX, 2047, 1)).toBe(ENOSPC);
    // The irqs of `a` stay without an eventfd, and go with their mode.
    expect(vm.set("a", MSIX, 0, Array(2048).fill(-1))).toBe(0);
    expect(vm.arm("b", MSIX, 2047, 1)).toBe(ENOSPC);
    expect(vm.set("a", MSIX, 0, 0)).toBe(0);
    expect(vm.arm("b", MSIX, 2047, 1)).toBe(0);
  });

  it("without an entry for its INTx line a device cannot be opened: ENOMEM", () => {
    // 21 entries are the machine's, and the line of slot 1 is one that its ports hold open.
    const place = { bdf: "0000:00:04.0", rootSlot: 4 };
    const vm = new Vm([{ ...big("a"), place }], { irtes: 21 });
    expect(vm.open("a")).toBe(ENOMEM);
  });
});

describe("AMD-Vi", () => {
  const host = { platform: "x86-amd", irtes: 512 } as const;

  it("512 vectors a device, which GET_IRQ_INFO does not tell", () => {
    const vm = new Vm([big("a")], host);
    vm.open("a");
    const arg = packWords([16, 0, MSIX, 0]);
    const { data } = vm.call({
      op: "ioctl",
      fd: vm.fd("a"),
      cmd: VFIO_DEVICE_GET_IRQ_INFO,
      arg,
    });
    expect(new DataView(data!.buffer, data!.byteOffset).getUint32(12, true)).toBe(2048);
    expect(vm.allocate("a", MSIX, 2048)).toBe(512);
    expect(vm.allocate("a", MSIX, 512)).toBe(0);
    expect(vm.arm("a", MSIX, 512, 1)).toBe(ENOSPC);
    expect(vm.held("a")).toBe(512);
  });

  it("what one device holds is no other one's loss", () => {
    const vm = new Vm([big("a"), big("b")], host);
    for (const name of ["a", "b"]) {
      vm.open(name);
      expect(vm.allocate(name, MSIX, 512)).toBe(0);
    }
  });
});

describe("GICv3 ITS", () => {
  it("no LPI left is ENOMEM; since 6.16 there is no MSI domain then: ENODEV", () => {
    for (const [kernel, result] of [
      ["linux-6.1", ENOMEM],
      ["linux-6.12", ENOMEM],
      ["linux-7.2", ENODEV],
    ] as const) {
      // Three LPIs are the machine's own.
      const vm = new Vm([XHCI], { platform: "arm64-its", kernel, lpis: 3 });
      vm.open("x16");
      expect(vm.arm("x16", MSIX, 0, 1)).toBe(result);
      expect(vm.arm("x16", MSI, 0, 1)).toBe(result);
      expect(vm.arm("x16", INTX, 0, 1)).toBe(0);
    }
  });

  it("a device's block is its table's size, 6.1 takes what is asked for", () => {
    for (const [kernel, rest] of [
      ["linux-6.1", 11],
      ["linux-6.12", 8],
    ] as const) {
      const vm = new Vm([{ ...XHCI, name: "a" }, XHCI], {
        platform: "arm64-its",
        kernel,
        lpis: 28,
      });
      for (const name of ["a", "x16"]) vm.open(name);
      expect(vm.arm("a", MSIX, 0, 2)).toBe(0);
      // 23 or 9 LPIs are left: the largest power of two below is what the next one is told.
      expect(vm.host.inspectPool().tables[0]!.used).toBe(kernel === "linux-6.1" ? 5 : 19);
      expect(vm.arm("x16", MSIX, 0, 16)).toBe(kernel === "linux-6.1" ? 0 : rest);
    }
  });

  it("has no vectors a CPU could run out of", () => {
    const vm = new Vm([big("a")], { platform: "arm64-its", cpus: 1, vectorsPerCpu: 1 });
    vm.open("a");
    expect(vm.arm("a", MSIX, 0, 2048)).toBe(0);
  });
});

describe("GICv2m", () => {
  it("short grants are exact, and growth is EINVAL before anything else", () => {
    const vm = new Vm([big("a"), XHCI], { platform: "arm64-v2m" });
    for (const name of ["a", "x16"]) vm.open(name);
    // 64 SPIs, three of them the machine's own.
    expect(vm.arm("a", MSIX, 0, 64)).toBe(61);
    expect(vm.arm("a", MSIX, 0, 58)).toBe(0);
    expect(vm.arm("a", MSIX, 58, 1)).toBe(EINVAL);
    expect(vm.arm("x16", MSIX, 0, 16)).toBe(3);
    expect(vm.arm("x16", MSIX, 0, 3)).toBe(0);
    expect(vm.set("x16", MSIX, 0, 0)).toBe(0);
  });

  it("none left is ENOSPC", () => {
    const vm = new Vm([big("a"), XHCI], { platform: "arm64-v2m" });
    for (const name of ["a", "x16"]) vm.open(name);
    expect(vm.arm("a", MSIX, 0, 61)).toBe(0);
    expect([vm.arm("x16", MSIX, 0, 1), vm.arm("x16", MSI, 0, 1)]).toEqual([ENOSPC, ENOSPC]);
  });
});

describe("CPU vectors", () => {
  /** 10 are the machine's own. */
  const host = { cpus: 1, vectorsPerCpu: 14 };

  it("an irq without an eventfd needs none, one with an eventfd does, or is ENOSPC", () => {
    const vm = new Vm([big("a")], host);
    vm.open("a");
    expect(vm.allocate("a", MSIX, 100)).toBe(0);
    expect(vm.arm("a", MSIX, 0, 4)).toBe(0);
    expect(vm.arm("a", MSIX, 50, 1)).toBe(ENOSPC);
    expect([vm.held("a"), vm.host.inspect("a").armed.length]).toEqual([100, 4]);
    expect(vm.set("a", MSIX, 0, [-1])).toBe(0);
    expect(vm.arm("a", MSIX, 50, 1)).toBe(0);
  });

  it("a block that runs short gives back what it took, and what was armed in it before", () => {
    const vm = new Vm([big("a")], host);
    vm.open("a");
    vm.arm("a", MSIX, 0, 3);
    expect(vm.arm("a", MSIX, 2, 4)).toBe(ENOSPC);
    expect(vm.host.inspect("a")).toMatchObject({ armed: [0, 1], held: [0, 1, 2, 3, 4] });
  });

  it("MSI takes them when it is enabled, with or without eventfds", () => {
    const vm = new Vm([XHCI], host);
    vm.open("x16");
    expect(vm.allocate("x16", MSI, 5)).toBe(ENOSPC);
    expect(vm.allocate("x16", MSI, 4)).toBe(0);
    expect(vm.host.inspectPool().matrix!.globalAvailable).toBe(0);
  });

  it("entries short come before vectors short: a positive number, not ENOSPC", () => {
    const vm = new Vm([big("a")], { ...host, irtes: 32 });
    vm.open("a");
    const free = 32 - vm.host.report().pool.irtesUsed;
    expect(vm.arm("a", MSIX, 0, free + 1)).toBe(free);
    expect(vm.arm("a", MSIX, 0, free)).toBe(ENOSPC);
  });
});
