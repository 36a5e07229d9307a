/** Open, close, reset and regions of a device (vfio_pci_core.c; recordings b01, h19 to h22). */
import { describe, expect, it } from "vitest";
import type { PhysicalDevice } from "../../../../host/device/types.ts";
import type { IrqClient } from "../../../../host/irq/types.ts";
import type { VfioHost } from "../../../../host/vfio/core-device.ts";
import { VfioPciDevice } from "../../../../host/vfio/pci-device.ts";
import type { DeviceSpec, HostSpec } from "../../../../src/scenario/types.ts";
import type { Process } from "../../../../src/time/process.ts";
import type { Tracer } from "../../../../src/trace/trace.ts";
import { VFIO_DEVICE_RESET } from "../../../../src/uapi/vfio.ts";
import { EDU, NVME, ROCKER, TestVm } from "./machine.ts";

const [ENOENT, EIO, EBUSY, ENODEV, EINVAL] = [-2, -5, -16, -19, -22];
const [EFAULT, ENOTTY] = [-14, -25];
const [MSI, MSIX] = [1, 2];
const XHCI: DeviceSpec = { name: "x16", model: "nec-usb-xhci", msixVectors: 16, msiVectors: 16 };
const UNIT = 2 ** 40;
const [COMMAND, MASTER, DISINTX] = [4, 0x4, 0x400];
/** A register of the nvme that keeps what is written. */
const NVME_AQA = 0x24;

function machine(host: Partial<HostSpec> = {}): TestVm {
  const vm = new TestVm([NVME, EDU, ROCKER, XHCI], host);
  for (const name of ["n8", "edu", "rk", "x16"]) vm.open(name);
  return vm;
}

/** Devices nobody has open yet, and what the kernel prints. */
function listening(devices: readonly DeviceSpec[], host: Partial<HostSpec>) {
  const klog: string[] = [];
  const emit: Tracer["emit"] = (point, args) => {
    if (point === "printk") klog.push(String(args?.text));
  };
  return { vm: new TestVm(devices, host, 64, { emit }), klog };
}

/** The hardware's command register. */
function command(vm: TestVm, name: string): number {
  const { config } = vm.host.inspect(name);
  return config[COMMAND]! | (config[COMMAND + 1]! << 8);
}

function reset(vm: TestVm, name: string): number {
  const arg = new Uint8Array(0);
  return vm.call({ op: "ioctl", fd: vm.fd(name), cmd: VFIO_DEVICE_RESET, arg }).ret;
}

function read32(vm: TestVm, name: string, offset: number): number {
  const { data } = vm.call({ op: "pread", fd: vm.fd(name), offset, count: 4 });
  return new DataView(data!.buffer, data!.byteOffset).getUint32(0, true);
}

describe("open", () => {
  it("is for one at a time, and for what is there", () => {
    const vm = machine();
    expect(vm.call({ op: "open", path: "/dev/vfio/n8" }).ret).toBe(EBUSY);
    expect(vm.call({ op: "open", path: "/dev/vfio/n9" }).ret).toBe(ENOENT);
    vm.close(vm.fd("n8"));
    expect(vm.call({ op: "open", path: "/dev/vfio/n8" }).ret).toBeGreaterThan(0);
  });

  it("turns bus mastering off and DisINTx, where it may be used, too", () => {
    const vm = machine();
    for (const name of ["n8", "edu", "rk"]) {
      expect(command(vm, name) & (MASTER | DISINTX)).toBe(0);
    }
  });

  it("on 7.2 says that the function is reset, if it can be", () => {
    const { vm, klog } = listening([NVME, ROCKER], { kernel: "linux-7.2" });
    vm.open("n8");
    vm.open("rk");
    expect(klog).toEqual(["vfio-pci 0000:00:01.0: resetting", "vfio-pci 0000:00:01.0: reset done"]);
  });

  it("says how it enables a function that no firmware has enabled", () => {
    const { vm, klog } = listening([NVME], { platform: "arm64-its" });
    vm.open("n8");
    expect(klog).toEqual(["vfio-pci 0000:00:01.0: enabling device (0000 -> 0002)"]);
    vm.close(vm.fd("n8"));
    klog.length = 0;
    vm.open("n8");
    expect(klog).toEqual([]);
  });
});

describe("close", () => {
  it("turns bus mastering off and gives all interrupts back", () => {
    const vm = machine();
    const { irqsHeld, irtesUsed, vectorsUsed } = vm.host.report().pool;
    vm.configWrite("n8", COMMAND, 2, 0x6);
    vm.set("n8", MSIX, 0, [vm.eventfd().fd, vm.eventfd().fd]);
    vm.close(vm.fd("n8"));
    expect(command(vm, "n8") & MASTER).toBe(0);
    expect(vm.host.inspect("n8")).toMatchObject({ kind: null, held: [], armed: [], intx: false });
    vm.open("n8");
    expect(vm.host.report().pool).toMatchObject({ irqsHeld, irtesUsed, vectorsUsed });
  });

  it("resets what can be reset, so that the next one finds no traces", () => {
    const vm = machine();
    vm.configWrite("n8", COMMAND, 2, 0x6);
    vm.barWrite("n8", 0, NVME_AQA, 0x1f001f);
    vm.close(vm.fd("n8"));
    vm.open("n8");
    vm.configWrite("n8", COMMAND, 2, 0x6);
    expect(read32(vm, "n8", NVME_AQA)).toBe(0);
  });

  it("puts configuration space back as it was at open", () => {
    const vm = machine();
    const before = vm.host.inspect("n8").config;
    vm.configWrite("n8", COMMAND, 2, 0x0007);
    vm.configWrite("n8", 0x0c, 1, 0x10);
    vm.close(vm.fd("n8"));
    expect(vm.host.inspect("n8").config).toEqual(before);
  });

  it("leaves the vectors that MSI was granted last in its control word (h08)", () => {
    const vm = machine();
    vm.set("x16", MSI, 0, Array(8).fill(vm.eventfd().fd));
    vm.close(vm.fd("x16"));
    const { config } = vm.host.inspect("x16");
    let at = config[0x34]!;
    while (config[at] !== 0x05) at = config[at + 1]!;
    // Multiple Message Enable is log2 of 8; enable is off.
    expect([config[at + 2]! & 0x01, (config[at + 2]! >> 4) & 7]).toEqual([0, 3]);
  });

  it("waits for a call that is under way", () => {
    const vm = machine();
    const arg = new Uint8Array(0);
    vm.post({ op: "ioctl", fd: vm.fd("n8"), cmd: VFIO_DEVICE_RESET, arg });
    vm.sleep(1e6);
    vm.close(vm.fd("n8"));
    vm.sleep(1e9);
    expect(vm.open("n8")).toBeGreaterThan(0);
  });

  it("forgets that the guest had set INTx disable", () => {
    const vm = machine();
    vm.configWrite("edu", COMMAND, 2, 0x0406);
    vm.close(vm.fd("edu"));
    vm.open("edu");
    expect(vm.configRead("edu", COMMAND, 2) & DISINTX).toBe(0);
  });
});

describe("a descriptor of a device", () => {
  it("has no other ioctls: ENOTTY", () => {
    const vm = machine();
    for (const cmd of [0, 0x3b64, 0x3b75, 0xffffffff]) {
      const arg = new Uint8Array(64);
      expect(vm.call({ op: "ioctl", fd: vm.fd("n8"), cmd, arg }).ret).toBe(ENOTTY);
    }
  });

  it("has no ROM, no VGA and no regions beyond: EINVAL, for reading and for writing", () => {
    const vm = machine();
    for (const region of [6, 8, 9, 100]) {
      const at = { fd: vm.fd("n8"), offset: region * UNIT };
      expect(vm.call({ op: "pread", ...at, count: 4 }).ret).toBe(EINVAL);
      expect(vm.call({ op: "pwrite", ...at, data: new Uint8Array(4) }).ret).toBe(EINVAL);
    }
  });

  it("begins with BAR 0: position 0 is its first register, and there is nothing before", () => {
    const vm = machine();
    const fd = vm.fd("n8");
    vm.configWrite("n8", COMMAND, 2, 0x6);
    const data = new Uint8Array(4);
    expect(vm.call({ op: "pread", fd, offset: 0, count: 4 }).ret).toBe(4);
    expect(vm.call({ op: "pwrite", fd, offset: 0, data }).ret).toBe(4);
    expect(vm.call({ op: "pread", fd, offset: -4, count: 4 }).ret).toBe(EINVAL);
    expect(vm.call({ op: "pwrite", fd, offset: -4, data }).ret).toBe(EINVAL);
  });

  it("reads a BAR up to its end, and configuration space as a whole or not at all", () => {
    const vm = machine();
    vm.configWrite("edu", COMMAND, 2, 0x6);
    const fd = vm.fd("edu");
    const { ret, data } = vm.call({ op: "pread", fd, offset: 0xffff8, count: 16 });
    expect([ret, data!.length]).toEqual([8, 8]);
    const config = (offset: number, count: number) =>
      vm.call({ op: "pread", fd, offset: 7 * UNIT + offset, count }).ret;
    expect([config(0, 256), config(252, 4), config(252, 5), config(256, 1)]).toEqual([
      256,
      4,
      EFAULT,
      EFAULT,
    ]);
  });
});

describe("VFIO_DEVICE_RESET", () => {
  it("is EINVAL for a function that cannot be reset", () => {
    const vm = machine();
    expect(["rk", "edu", "x16", "n8"].map((name) => reset(vm, name))).toEqual([
      EINVAL,
      EINVAL,
      EINVAL,
      0,
    ]);
  });

  it("resets the registers and keeps configuration space", () => {
    const vm = machine();
    vm.configWrite("n8", COMMAND, 2, 0x6);
    vm.barWrite("n8", 0, NVME_AQA, 0x1f001f);
    const before = vm.host.inspect("n8").config;
    expect(reset(vm, "n8")).toBe(0);
    expect(vm.host.inspect("n8").config).toEqual(before);
    expect(read32(vm, "n8", NVME_AQA)).toBe(0);
  });

  it("ends in D0, from D3hot too", () => {
    const vm = machine();
    const { config } = vm.host.inspect("n8");
    let pm = config[0x34]!;
    while (config[pm] !== 0x01) pm = config[pm + 1]!;
    vm.configWrite("n8", COMMAND, 2, 0x6);
    vm.configWrite("n8", pm + 4, 2, 3);
    expect(vm.configRead("n8", pm + 4, 2) & 3).toBe(3);
    expect(vm.barWrite("n8", 0, NVME_AQA, 1)).toBe(EIO);
    expect(reset(vm, "n8")).toBe(0);
    expect(vm.configRead("n8", pm + 4, 2) & 3).toBe(0);
    expect(vm.barWrite("n8", 0, NVME_AQA, 1)).toBe(4);
  });
});

it("a device that nobody has open answers no call: ENODEV, EINVAL for reading and writing", () => {
  const physical = { spec: NVME, fn: {} } as unknown as PhysicalDevice;
  const device = new VfioPciDevice({} as VfioHost, physical, {} as IrqClient);
  const returned = (call: Process<unknown>): unknown => call.next().value;
  expect(returned(device.ioctl(VFIO_DEVICE_RESET, new Uint8Array(0)))).toEqual({ ret: ENODEV });
  expect(returned(device.pread(7 * UNIT, 4))).toEqual({ ret: EINVAL });
  expect(returned(device.pwrite(7 * UNIT, new Uint8Array(4)))).toBe(EINVAL);
});

describe("a device taken away from vfio-pci", () => {
  it("cannot be opened until it is given back", () => {
    const vm = machine();
    vm.close(vm.fd("n8"));
    vm.host.unbind("n8");
    vm.sleep(1e6);
    expect(vm.call({ op: "open", path: "/dev/vfio/n8" }).ret).toBe(ENOENT);
    vm.host.bind("n8");
    expect(vm.call({ op: "open", path: "/dev/vfio/n8" }).ret).toBeGreaterThan(0);
  });

  it("keeps working while userspace has it open", () => {
    const vm = machine();
    vm.host.unbind("n8");
    vm.sleep(30e9);
    expect(vm.set("n8", MSIX, 0, [vm.eventfd().fd])).toBe(0);
    expect(vm.host.inspect("n8").held).toEqual([0]);
  });
});
