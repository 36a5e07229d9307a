import { describe, expect, it } from "vitest";
import type { DeviceSpec, HostSpec } from "../../../../src/scenario/types.ts";
import {
  decodeIrqInfo,
  packWords,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
} from "../../../../src/uapi/vfio.ts";
import { EDU, EDU_RAISE, NVME, ROCKER, TestVm } from "./machine.ts";

const EINVAL = -22;
const EVENTFD_NORESIZE = 1 | 8;
const XHCI: DeviceSpec = { name: "x16", model: "nec-usb-xhci", msixVectors: 16, msiVectors: 16 };
const E1000E: DeviceSpec = { name: "net", model: "e1000e", msixVectors: 5, msiVectors: 1 };

function arm64(devices: readonly DeviceSpec[], host: Partial<HostSpec> = {}): TestVm {
  const vm = new TestVm(devices, { platform: "arm64-its", ...host });
  for (const { name } of devices) vm.open(name);
  return vm;
}

describe("MSI-X without dynamic allocation", () => {
  it.each(["linux-6.1", "linux-6.12", "linux-7.2"] as const)("%s says NORESIZE", (kernel) => {
    for (const platform of ["arm64-its", "arm64-v2m"] as const) {
      const vm = arm64([NVME], { kernel, platform });
      const arg = packWords([16, 0, VFIO_PCI_MSIX_IRQ_INDEX, 0]);
      const fd = vm.fd("n8");
      const { data } = vm.call({ op: "ioctl", fd, cmd: VFIO_DEVICE_GET_IRQ_INFO, arg });
      expect(decodeIrqInfo(data!)).toMatchObject({ flags: EVENTFD_NORESIZE, count: 8 });
    }
  });

  it("growth is -EINVAL, also with a bad eventfd, and takes the block's handlers along", () => {
    const vm = arm64([NVME]);
    const set = (start: number, fds: number[]) => vm.set("n8", VFIO_PCI_MSIX_IRQ_INDEX, start, fds);
    const fds = Array.from({ length: 8 }, () => vm.eventfd().fd);
    expect(set(0, fds.slice(0, 4))).toBe(0);
    expect(set(2, [fds[2]!, fds[3]!, 60_000])).toBe(EINVAL);
    expect(vm.host.inspect("n8")).toMatchObject({ held: [0, 1, 2, 3], armed: [0, 1] });
    expect(set(0, fds)).toBe(EINVAL);
    expect(vm.host.inspect("n8")).toMatchObject({ held: [0, 1, 2, 3], armed: [] });
  });

  it("6.12: a removal or loopback beyond the range does nothing; 6.1: -EINVAL", () => {
    for (const [kernel, result] of [
      ["linux-6.12", 0],
      ["linux-6.1", EINVAL],
    ] as const) {
      const vm = arm64([NVME], { kernel });
      vm.set("n8", VFIO_PCI_MSIX_IRQ_INDEX, 0, [-1, -1]);
      expect(vm.set("n8", VFIO_PCI_MSIX_IRQ_INDEX, 4, [-1, -1])).toBe(result);
      expect(vm.set("n8", VFIO_PCI_MSIX_IRQ_INDEX, 0, 8)).toBe(result);
    }
  });

  it("a short grant comes before the eventfds are looked at", () => {
    const vm = arm64([NVME], { lpis: 7 });
    // Three ports have one LPI each: four are left, in one range.
    expect(vm.set("n8", VFIO_PCI_MSIX_IRQ_INDEX, 0, new Array(8).fill(60_000))).toBe(4);
    expect(vm.host.inspect("n8").held).toEqual([]);
    expect(vm.set("n8", VFIO_PCI_MSIX_IRQ_INDEX, 3, [vm.eventfd().fd])).toBe(0);
  });
});

describe("what no firmware has done", () => {
  it("memory and I/O are decoded from the first open on, as the BARs need it", () => {
    const vm = new TestVm([NVME, E1000E, XHCI], { platform: "arm64-its" });
    const command = (name: string) => vm.host.inspect(name).config[4]!;
    // A USB controller is enabled by a quirk at boot already.
    expect(["n8", "net", "x16"].map(command)).toEqual([0, 0, 2]);
    for (const name of ["n8", "net", "x16"]) vm.open(name);
    expect(["n8", "net", "x16"].map((name) => vm.configRead(name, 4, 2))).toEqual([2, 3, 2]);
    vm.close(vm.fd("n8"));
    expect(command("n8")).toBe(2);
  });

  it("the interrupt line register has Linux's irq number of the line", () => {
    const place = (slot: number) => ({ place: { bdf: `0000:00:0${slot}.0`, rootSlot: slot } });
    const vm = arm64([
      { ...EDU, ...place(7) },
      { ...NVME, ...place(5) },
    ]);
    expect(vm.configRead("edu", 0x3c, 1)).toBe(0x18);
    expect(vm.host.inspect("n8").irqFile).toBe(20);
  });

  it("reads of a BAR with MSI-X only give ones beside table and PBA, on a q35 zero", () => {
    const read = (platform: HostSpec["platform"]): number => {
      const vm = new TestVm([ROCKER], { platform });
      vm.open("rk");
      const offset = 2 ** 40 + 0x100;
      return vm.call({ op: "pread", fd: vm.fd("rk"), offset, count: 4 }).data![3]!;
    };
    expect([read("arm64-its"), read("x86-vtd")]).toEqual([0xff, 0]);
  });
});

it("INTx enabled with the wire high already is signalled at once, and masked", () => {
  const vm = arm64([EDU]);
  vm.barWrite("edu", 0, EDU_RAISE, 1);
  const eventfd = vm.eventfd();
  expect(vm.set("edu", VFIO_PCI_INTX_IRQ_INDEX, 0, [eventfd.fd])).toBe(0);
  expect(vm.readEventfd(eventfd.slot)).toBe(1n);
  expect(vm.configRead("edu", 4, 2) & 0x400).toBe(0);
  expect(vm.host.inspect("edu").config[5]! & 0x4).toBe(0x4);
});

it("7.2: LPIs are kept over close and freed when the driver goes", () => {
  const vm = arm64([NVME], { kernel: "linux-7.2" });
  const used = () => vm.host.inspectPool().tables[0]!.used - 3;
  vm.set("n8", VFIO_PCI_MSIX_IRQ_INDEX, 0, [-1]);
  vm.close(vm.fd("n8"));
  expect(used()).toBe(8);
  vm.host.unbind("n8");
  vm.sleep(1e6);
  expect(used()).toBe(0);
});

it("6.12: one MSI of three leaves its LPIs behind, and the device short for good", () => {
  const vm = arm64([XHCI]);
  const set = (fds: number[]) => vm.set("x16", VFIO_PCI_MSI_IRQ_INDEX, 0, fds);
  expect(set([-1, -1, -1])).toBe(0);
  vm.close(vm.fd("x16"));
  vm.open("x16");
  expect(set([-1, -1, -1, -1])).toBe(1);
  expect(set([-1, -1])).toBe(0);
});
