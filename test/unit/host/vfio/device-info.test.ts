/** What a device says of itself (recordings b01; drivers/vfio/pci/vfio_pci_core.c). */
import { describe, expect, it } from "vitest";
import type { HostSpec } from "../../../../src/scenario/types.ts";
import { packWords } from "../../../../src/uapi/vfio.ts";
import { EDU, NVME, ROCKER, TestVm } from "./machine.ts";

const EINVAL = -22;
const EFAULT = -14;
const [GET_INFO, GET_REGION_INFO, GET_IRQ_INFO] = [0x3b6b, 0x3b6c, 0x3b6d];
const XHCI = { name: "x16", model: "nec-usb-xhci", msixVectors: 16, msiVectors: 16 } as const;
const E1000E = { name: "net", model: "e1000e", msixVectors: 5, msiVectors: 1 } as const;
/** Retyped from include/uapi/linux/vfio.h. */
const [EVENTFD, MASKABLE, AUTOMASKED, NORESIZE] = [1, 2, 4, 8];

function machine(host: Partial<HostSpec> = {}): TestVm {
  const vm = new TestVm([NVME, XHCI, E1000E, EDU, ROCKER], host);
  for (const { name } of [NVME, XHCI, E1000E, EDU, ROCKER]) vm.open(name);
  return vm;
}

function words(vm: TestVm, name: string, cmd: number, arg: Uint8Array): number | number[] {
  const { ret, data } = vm.call({ op: "ioctl", fd: vm.fd(name), cmd, arg });
  if (ret !== 0) return ret;
  const view = new DataView(data!.buffer, data!.byteOffset, data!.byteLength);
  return Array.from({ length: data!.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

/** Flags and count of an irq index, or the error. */
function irq(vm: TestVm, name: string, index: number): number | number[] {
  const found = words(vm, name, GET_IRQ_INFO, packWords([16, 0, index, 0]));
  return typeof found === "number" ? found : [found[1]!, found[3]!];
}

describe("the number of irqs", () => {
  it("is one for INTx with a pin, 2^QMASK for MSI, the table size for MSI-X, one for REQ", () => {
    const vm = machine();
    const counts = (name: string) =>
      [0, 1, 2, 4].map((index) => (irq(vm, name, index) as number[])[1]);
    expect(counts("n8")).toEqual([1, 0, 8, 1]);
    expect(counts("x16")).toEqual([1, 16, 16, 1]);
    expect(counts("net")).toEqual([1, 1, 5, 1]);
    expect(counts("edu")).toEqual([1, 1, 0, 1]);
    // rocker has no interrupt pin.
    expect(counts("rk")).toEqual([0, 0, 16, 1]);
  });

  it("is one for ERR of a PCI Express device, and EINVAL of any other", () => {
    const vm = machine();
    const answers = ["n8", "x16", "net", "edu", "rk"].map((name) => irq(vm, name, 3));
    const one = [EVENTFD | NORESIZE, 1];
    expect(answers).toEqual([one, one, one, EINVAL, EINVAL]);
  });
});

describe("the flags of an irq index", () => {
  it("INTx can be masked and masks itself, all others cannot be resized but dynamic MSI-X", () => {
    const vm = machine();
    const flags = [0, 1, 2, 4].map((index) => (irq(vm, "x16", index) as number[])[0]);
    const fixed = EVENTFD | NORESIZE;
    expect(flags).toEqual([EVENTFD | MASKABLE | AUTOMASKED, fixed, EVENTFD, fixed]);
  });

  it("MSI-X of a static kernel cannot be resized either", () => {
    expect(irq(machine({ kernel: "linux-6.1" }), "n8", 2)).toEqual([EVENTFD | NORESIZE, 8]);
  });

  it("MSI-X that a device does not have is told as if it could not be resized", () => {
    expect(irq(machine(), "edu", 2)).toEqual([EVENTFD | NORESIZE, 0]);
  });
});

describe("an info call", () => {
  it("GET_IRQ_INFO refuses an index beyond REQ and an argsz below 16", () => {
    const vm = machine();
    expect(irq(vm, "n8", 5)).toBe(EINVAL);
    expect(words(vm, "n8", GET_IRQ_INFO, packWords([15, 0, 0, 0]))).toBe(EINVAL);
    expect(words(vm, "n8", GET_IRQ_INFO, packWords([16, 7, 4, 7]))).toEqual([16, 9, 4, 1]);
  });

  it("faults where its argument cannot be read", () => {
    const vm = machine();
    expect(words(vm, "n8", GET_IRQ_INFO, new Uint8Array(15))).toBe(EFAULT);
    expect(words(vm, "n8", GET_INFO, new Uint8Array(15))).toBe(EFAULT);
    expect(words(vm, "n8", GET_REGION_INFO, new Uint8Array(31))).toBe(EFAULT);
  });

  it("GET_INFO tells of 9 regions, 5 irq indexes, and whether the device can be reset", () => {
    const vm = machine();
    const [reset, pci] = [1, 2];
    expect(words(vm, "n8", GET_INFO, packWords([16, 0, 0, 0]))).toEqual([16, reset | pci, 9, 5]);
    expect(words(vm, "rk", GET_INFO, packWords([16, 0, 0, 0]))).toEqual([16, pci, 9, 5]);
    expect(words(vm, "n8", GET_INFO, packWords([15, 0, 0, 0]))).toBe(EINVAL);
  });
});

describe("GET_REGION_INFO", () => {
  const [READ, WRITE, MMAP] = [1, 2, 4];
  const region = (vm: TestVm, name: string, index: number, argsz = 32) =>
    words(vm, name, GET_REGION_INFO, packWords([argsz, 0, index, 0, 0, 0, 0, 0]));

  it("tells size, offset and access of a BAR; a memory BAR of a page or more can be mapped", () => {
    const vm = machine();
    const at = (index: number) => index << 8;
    // nvme: 16 KiB of memory; e1000e: BAR 2 are 32 bytes of I/O.
    expect(region(vm, "n8", 0)).toEqual([32, READ | WRITE | MMAP, 0, 0, 0x4000, 0, 0, at(0)]);
    expect(region(vm, "net", 2)).toEqual([32, READ | WRITE, 2, 0, 32, 0, 0, at(2)]);
    expect(region(vm, "edu", 0)).toEqual([32, READ | WRITE | MMAP, 0, 0, 0x100000, 0, 0, at(0)]);
    // rocker's table has a BAR of its own.
    expect((region(vm, "rk", 1) as number[])[4]).toBeGreaterThan(0);
  });

  it("tells a BAR that is not there as empty, without access", () => {
    const vm = machine();
    for (const index of [1, 5, 6]) expect((region(vm, "n8", index) as number[])[1]).toBe(0);
    expect((region(vm, "n8", 1) as number[])[4]).toBe(0);
  });

  it("tells configuration space of 4,096 bytes, of 256 without PCI Express, never mappable", () => {
    const vm = machine();
    const config = [READ | WRITE, 7, 0];
    expect((region(vm, "n8", 7) as number[]).slice(1, 5)).toEqual([...config, 4096]);
    expect((region(vm, "edu", 7) as number[]).slice(1, 5)).toEqual([...config, 256]);
  });

  it("refuses the VGA region, a region beyond it, and an argsz below 32", () => {
    const vm = machine();
    expect(region(vm, "n8", 8)).toBe(EINVAL);
    expect(region(vm, "n8", 9)).toBe(EINVAL);
    expect(region(vm, "n8", 0, 31)).toBe(EINVAL);
  });
});
