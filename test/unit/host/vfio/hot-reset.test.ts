/** The ioctls of a bus reset, as the recordings of e1000e and the sources have them. */
import { describe, expect, it } from "vitest";
import type { DeviceSpec, RecordedFunction } from "../../../../src/scenario/types.ts";
import { packWords } from "../../../../src/uapi/vfio.ts";
import { NVME, TestVm } from "./machine.ts";

const GET_INFO = 0x3b70;
const HOT_RESET = 0x3b71;
const EBADF = -9;
const EFAULT = -14;
const ENODEV = -19;
const EINVAL = -22;
const ENOTTY = -25;
const ENOSPC = -28;

const SHOWN: RecordedFunction = {
  interruptPin: 1,
  bars: [{ index: 0, size: 0x4000 }],
  msi: null,
  msix: null,
  express: { offset: 0x40, flr: false },
  pm: 0xc8,
  busReset: true,
  intxRegister: { bar: 0, offset: 0x3ffc },
};

function device(hotReset?: number): DeviceSpec {
  const recorded = hotReset === undefined ? SHOWN : { ...SHOWN, hotReset };
  const place = { bdf: "0000:01:00.0", rootSlot: 3 };
  return { name: "d", model: "nvme", msixVectors: 0, msiVectors: 0, place, recorded };
}

function open(spec: DeviceSpec): TestVm {
  const vm = new TestVm([spec]);
  vm.open(spec.name);
  return vm;
}

function ioctl(vm: TestVm, name: string, cmd: number, words: readonly number[], bytes = 0) {
  const arg = new Uint8Array(Math.max(bytes, 4 * words.length));
  arg.set(packWords(words));
  return vm.call({ op: "ioctl", fd: vm.fd(name), cmd, arg });
}

describe("VFIO_DEVICE_GET_PCI_HOT_RESET_INFO", () => {
  it("says -ENOSPC and how many functions there are, then which", () => {
    const vm = open(device(0));
    const first = ioctl(vm, "d", GET_INFO, [12, 0, 0]);
    expect([first.ret, [...first.data!]]).toEqual([ENOSPC, [12, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]]);
    const second = ioctl(vm, "d", GET_INFO, [20, 0, 0], 20);
    expect(second.ret).toBe(0);
    // Group 256, domain 0, bus 1, slot and function 0.
    expect([...second.data!.subarray(8)]).toEqual([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]);
  });

  it("is -ENODEV for a function on a root bus, which nobody can reset", () => {
    expect(ioctl(open(device()), "d", GET_INFO, [12, 0, 0]).ret).toBe(ENODEV);
    expect(ioctl(open(NVME), "n8", GET_INFO, [12, 0, 0]).ret).toBe(ENODEV);
  });

  it("looks at argsz before it looks for a bus, and reads 12 bytes", () => {
    const vm = open(device());
    expect(ioctl(vm, "d", GET_INFO, [11, 0, 0]).ret).toBe(EINVAL);
    expect(ioctl(vm, "d", GET_INFO, [12, 0]).ret).toBe(EFAULT);
    expect(ioctl(open(device(0)), "d", GET_INFO, [20, 0, 0]).ret).toBe(EFAULT);
  });
});

describe("VFIO_DEVICE_PCI_HOT_RESET", () => {
  it("gives what the bus reset gives: 0, or -ENOTTY for a function that does not come back", () => {
    for (const result of [0, ENOTTY]) {
      const vm = open(device(result));
      expect(ioctl(vm, "d", HOT_RESET, [16, 0, 1, vm.fd("d")]).ret).toBe(result);
    }
  });

  it("wants all groups of the bus, and no more", () => {
    const vm = open(device(0));
    expect(ioctl(vm, "d", HOT_RESET, [12, 0, 0]).ret).toBe(EINVAL);
    expect(ioctl(vm, "d", HOT_RESET, [20, 0, 2, vm.fd("d"), vm.fd("d")]).ret).toBe(EINVAL);
  });

  it("wants groups: a closed descriptor is -EBADF, another file's -EINVAL", () => {
    const vm = open(device(0));
    expect(ioctl(vm, "d", HOT_RESET, [16, 0, 1, 99]).ret).toBe(EBADF);
    expect(ioctl(vm, "d", HOT_RESET, [16, 0, 1, vm.eventfd().fd]).ret).toBe(EINVAL);
  });

  it("has no flags, and is -ENODEV on a root bus", () => {
    const vm = open(device(0));
    expect(ioctl(vm, "d", HOT_RESET, [16, 1, 1, vm.fd("d")]).ret).toBe(EINVAL);
    expect(ioctl(vm, "d", HOT_RESET, [16, 0]).ret).toBe(EFAULT);
    expect(ioctl(open(NVME), "n8", HOT_RESET, [16, 0, 1, 3]).ret).toBe(ENODEV);
  });
});

it("a bus with another function's group needs both: the device alone is -EINVAL", () => {
  const alone = device(0);
  const vm = open({ ...alone, recorded: { ...alone.recorded!, busFunctions: 2 } });
  const first = ioctl(vm, "d", GET_INFO, [12, 0, 0]);
  expect([first.ret, first.data![8]]).toEqual([ENOSPC, 2]);
  expect(ioctl(vm, "d", GET_INFO, [28, 0, 0], 28).data).toHaveLength(28);
  expect(ioctl(vm, "d", HOT_RESET, [16, 0, 1, vm.fd("d")]).ret).toBe(EINVAL);
});
