import { expect, it } from "vitest";
import { VFIO_DEVICE_RESET } from "../../../../src/uapi/vfio.ts";
import { NVME, ROCKER, TestVm } from "./machine.ts";

const MSIX = 2;
const COMMAND = 4;
/** Control word of the nvme's MSI-X capability, and its enable bit. */
const MSIX_CONTROL = 0x42;
const MSIX_ENABLE = 0x8000;
const RESET_NS = 100_000_000;

function resetting(): TestVm {
  const vm = new TestVm([NVME, ROCKER]);
  vm.open("n8");
  vm.open("rk");
  vm.configWrite("n8", COMMAND, 2, 0x6);
  vm.post({ op: "ioctl", fd: vm.fd("n8"), cmd: VFIO_DEVICE_RESET, arg: new Uint8Array(0) });
  vm.sleep(RESET_NS / 2);
  return vm;
}

it("interrupt set-up waits for a reset that is under way, and is there after it", () => {
  const vm = resetting();
  expect(vm.set("n8", MSIX, 0, [vm.eventfd().fd])).toBe(0);
  vm.sleep(RESET_NS);
  expect(vm.configRead("n8", MSIX_CONTROL, 2) & MSIX_ENABLE).toBe(MSIX_ENABLE);
});

it("a mode that is disabled while a reset is under way does not come back with it", () => {
  const vm = new TestVm([NVME]);
  vm.open("n8");
  vm.set("n8", MSIX, 0, [vm.eventfd().fd]);
  vm.post({ op: "ioctl", fd: vm.fd("n8"), cmd: VFIO_DEVICE_RESET, arg: new Uint8Array(0) });
  vm.sleep(RESET_NS / 2);
  expect(vm.set("n8", MSIX, 0, 0)).toBe(0);
  vm.sleep(RESET_NS);
  expect(vm.configRead("n8", MSIX_CONTROL, 2) & MSIX_ENABLE).toBe(0);
});

it("accesses of registers and config space wait for the reset, so that it undoes none", () => {
  const vm = resetting();
  expect(vm.barWrite("n8", 0, 0x24, 0x1f001f)).toBe(4);
  vm.sleep(RESET_NS);
  const { data } = vm.call({ op: "pread", fd: vm.fd("n8"), offset: 0x24, count: 4 });
  expect([...data!]).toEqual([0x1f, 0, 0x1f, 0]);
});

it("other devices do not notice", () => {
  const vm = resetting();
  expect(vm.set("rk", MSIX, 0, [vm.eventfd().fd])).toBe(0);
  // The nvme is still at it: its command register is as the reset left it.
  expect(vm.host.inspect("n8").config[COMMAND]).toBe(0);
  vm.sleep(RESET_NS);
  expect(vm.host.inspect("n8").config[COMMAND]).toBe(0x6);
});
