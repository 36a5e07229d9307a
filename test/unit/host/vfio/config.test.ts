import { describe, expect, it } from "vitest";
import { EDU, NVME, ROCKER, TestVm } from "./machine.ts";

const MSI = 1;
const EFAULT = -14;
const EIO = -5;

function edu(): TestVm {
  const vm = new TestVm([EDU, NVME, ROCKER]);
  vm.open("edu");
  return vm;
}

describe("the virtual configuration space", () => {
  it("sizes a BAR as the PCI specification has it (6.2.5.1)", () => {
    const vm = edu();
    vm.configWrite("edu", 0x10, 4, 0xffffffff);
    // edu's BAR 0 has 1 MiB.
    expect(vm.configRead("edu", 0x10, 4)).toBe(0xfff00000);
    vm.configWrite("edu", 0x14, 4, 0xffffffff);
    expect(vm.configRead("edu", 0x14, 4)).toBe(0);
  });

  it("sizes a 64-bit BAR over both of its words", () => {
    const vm = edu();
    vm.open("n8");
    vm.configWrite("n8", 0x10, 4, 0xffffffff);
    vm.configWrite("n8", 0x14, 4, 0xffffffff);
    const low = vm.configRead("n8", 0x10, 4);
    expect(low & 0xf).toBe(4);
    expect(vm.configRead("n8", 0x14, 4)).toBe(0xffffffff);
  });

  it("has no expansion ROM: it reads zero, after all ones as well", () => {
    const vm = edu();
    expect(vm.configRead("edu", 0x30, 4)).toBe(0);
    vm.configWrite("edu", 0x30, 4, 0xffffffff);
    expect(vm.configRead("edu", 0x30, 4)).toBe(0);
  });

  it("keeps a memory BAR's type bits, and an I/O BAR's", () => {
    const net = { name: "net", model: "e1000e", msixVectors: 5, msiVectors: 1 } as const;
    const vm = new TestVm([net]);
    vm.open("net");
    for (const at of [0x10, 0x18]) vm.configWrite("net", at, 4, 0xffffffff);
    // 128 KiB of 32-bit memory, 32 bytes of I/O.
    expect(vm.configRead("net", 0x10, 4)).toBe(0xfffe0000);
    expect(vm.configRead("net", 0x18, 4)).toBe(0xffffffe1);
  });

  it("shows BARs as they are until one is written", () => {
    const vm = edu();
    const hardware = [...vm.host.inspect("edu").config.slice(0x10, 0x14)];
    const shown = vm.configRead("edu", 0x10, 4);
    expect([0, 8, 16, 24].map((shift) => (shown >>> shift) & 0xff)).toEqual(hardware);
  });

  it("a BAR that is written leaves its neighbours alone", () => {
    const vm = edu();
    vm.open("n8");
    vm.configWrite("n8", 0x14, 4, 0x12345678);
    vm.configWrite("n8", 0x10, 4, 0xffffffff);
    expect(vm.configRead("n8", 0x14, 4)).toBe(0x12345678);
    vm.configWrite("n8", 0x13, 1, 0);
    expect([vm.configRead("n8", 0x10, 4), vm.configRead("n8", 0x14, 4)]).toEqual([
      0x00ffc004, 0x12345678,
    ]);
  });

  it("never moves the hardware's BAR", () => {
    const vm = edu();
    const before = vm.host.inspect("edu").config.slice(0x10, 0x14);
    vm.configWrite("edu", 0x10, 4, 0xdead0000);
    expect(vm.host.inspect("edu").config.slice(0x10, 0x14)).toEqual(before);
  });

  it("does not let the guest turn MSI on in the hardware before the ioctl has", () => {
    const vm = edu();
    vm.configWrite("edu", 0x42, 2, 0x0001);
    expect(vm.configRead("edu", 0x42, 2) & 1).toBe(0);
    vm.set("edu", MSI, 0, [vm.eventfd().fd]);
    vm.configWrite("edu", 0x42, 2, 0x0001);
    expect(vm.configRead("edu", 0x42, 2) & 1).toBe(1);
  });

  it("refuses reads and writes that leave it", () => {
    const vm = edu();
    const fd = vm.fd("edu");
    const position = 7 * 2 ** 40 + 254;
    expect(vm.call({ op: "pread", fd, offset: position, count: 4 }).ret).toBe(EFAULT);
    const data = new Uint8Array(4);
    expect(vm.call({ op: "pwrite", fd, offset: position, data }).ret).toBe(EFAULT);
  });

  it("is accessed as a whole up to its very end, however many pieces that takes", () => {
    const vm = edu();
    const at = { fd: vm.fd("edu"), offset: 7 * 2 ** 40 + 244 };
    expect(vm.call({ op: "pread", ...at, count: 12 }).ret).toBe(12);
    expect(vm.call({ op: "pwrite", ...at, data: new Uint8Array(12) }).ret).toBe(12);
    expect(vm.call({ op: "pread", ...at, count: 13 }).ret).toBe(EFAULT);
    expect(vm.call({ op: "pwrite", ...at, data: new Uint8Array(13) }).ret).toBe(EFAULT);
  });

  it("a byte that is written leaves the bytes beside it alone, in a word of four as well", () => {
    const vm = edu();
    vm.configWrite("edu", 0x10, 4, 0xabc00000);
    vm.configWrite("edu", 0x10, 1, 0);
    expect(vm.configRead("edu", 0x10, 4)).toBe(0xabc00000);
    vm.configWrite("edu", 0x12, 1, 0xf0);
    expect(vm.configRead("edu", 0x10, 4)).toBe(0xabf00000);
    vm.configWrite("edu", 0x3c, 1, 0x7b);
    expect([vm.configRead("edu", 0x3c, 1), vm.configRead("edu", 0x3d, 1)]).toEqual([0x7b, 1]);
  });

  it("takes an access apart at capability borders and puts it together again", () => {
    const vm = edu();
    const fd = vm.fd("edu");
    const whole = vm.call({ op: "pread", fd, offset: 7 * 2 ** 40, count: 256 }).data!;
    for (const [at, size] of [
      [0, 4],
      [0x3c, 1],
      [0x41, 2],
      [0x43, 3],
    ] as const) {
      const part = vm.call({ op: "pread", fd, offset: 7 * 2 ** 40 + at, count: size }).data!;
      expect(part).toEqual(whole.slice(at, at + size));
    }
  });

  it("resets a function by the FLR bit of its PCI Express capability, and by nothing else", () => {
    const vm = new TestVm([NVME]);
    vm.open("n8");
    const control = 0x80 + 8;
    const aqa = { fd: vm.fd("n8"), offset: 0x24 };
    const value = () => vm.call({ op: "pread", ...aqa, count: 1 }).data![0];
    vm.configWrite("n8", 4, 2, 0x6);
    vm.barWrite("n8", 0, 0x24, 0x1f);
    vm.configWrite("n8", control, 2, 0x7fff);
    expect(value()).toBe(0x1f);
    vm.configWrite("n8", control, 2, 0x8000 | 0x2000);
    expect([value(), vm.configRead("n8", 4, 2)]).toEqual([0, 0x6]);
    // The bit reads as zero; the read request size is as written.
    expect(vm.configRead("n8", control, 2) & 0xf000).toBe(0x2000);
  });
});

describe("BAR access", () => {
  it("fails with EIO while memory decoding is off", () => {
    const vm = edu();
    vm.configWrite("edu", 4, 2, 0);
    expect(vm.barWrite("edu", 0, 0x60, 1)).toBe(EIO);
    vm.configWrite("edu", 4, 2, 2);
    expect(vm.barWrite("edu", 0, 0x60, 1)).toBe(4);
  });

  it("hides the MSI-X table: reads give ones, writes go nowhere", () => {
    const vm = edu();
    vm.open("rk");
    const fd = vm.fd("rk");
    const table = 1 * 2 ** 40;
    const { ret, data } = vm.call({ op: "pread", fd, offset: table + 0xf8, count: 16 });
    // The table has 16 entries of 16 bytes: half of this read is behind it.
    expect(ret).toBe(16);
    expect([...data!]).toEqual([...Array(8).fill(0xff), ...Array(8).fill(0)]);
    expect(vm.barWrite("rk", 1, 12, 0)).toBe(4);
  });

  it("is cut at the end of the BAR", () => {
    const vm = edu();
    const fd = vm.fd("edu");
    expect(vm.call({ op: "pread", fd, offset: 0xffffc, count: 64 }).ret).toBe(4);
    expect(vm.call({ op: "pread", fd, offset: 0x100000, count: 4 }).ret).toBe(-22);
  });
});
