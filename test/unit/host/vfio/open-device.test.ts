/** Which index and action has a handler, and what excludes what (vfio_pci_set_irqs_ioctl). */
import { describe, expect, it } from "vitest";
import type { HostSpec } from "../../../../src/scenario/types.ts";
import { encodeIrqSet, packFds } from "../../../../src/uapi/vfio.ts";
import { EDU, EVENTFD_TRIGGER, NVME, ROCKER, TestVm } from "./machine.ts";

const EINVAL = -22;
const ENOTTY = -25;
const [INTX, MSI, MSIX, ERR, REQ] = [0, 1, 2, 3, 4];
const [NONE, EVENTFD] = [1, 4];
const [MASK, UNMASK, TRIGGER] = [8, 16, 32];
const SET_IRQS = 0x3b6e;

function machine(host: Partial<HostSpec> = {}): TestVm {
  const vm = new TestVm([NVME, EDU, ROCKER], host);
  for (const name of ["n8", "edu", "rk"]) vm.open(name);
  return vm;
}

describe("SET_IRQS without a handler is ENOTTY:", () => {
  it("neither an action nor more than one", () => {
    const vm = machine();
    for (const index of [INTX, MSIX, ERR, REQ]) {
      expect(vm.setRaw("n8", index, 0, 1, NONE)).toBe(ENOTTY);
      expect(vm.setRaw("n8", index, 0, 1, NONE | TRIGGER | MASK)).toBe(ENOTTY);
      expect(vm.setRaw("n8", index, 0, 1, NONE | UNMASK | MASK)).toBe(ENOTTY);
    }
  });

  it("MASK and UNMASK of anything but INTx, whether it is on or not", () => {
    const vm = machine();
    vm.set("n8", MSIX, 0, [vm.eventfd().fd]);
    vm.set("edu", MSI, 0, [vm.eventfd().fd]);
    for (const action of [MASK, UNMASK]) {
      for (const index of [MSIX, ERR, REQ]) {
        expect(vm.setRaw("n8", index, 0, 1, NONE | action)).toBe(ENOTTY);
      }
      expect(vm.setRaw("edu", MSI, 0, 1, NONE | action)).toBe(ENOTTY);
    }
  });

  it("MASK of INTx with an eventfd", () => {
    const vm = machine();
    vm.set("edu", INTX, 0, [vm.eventfd().fd]);
    expect(vm.setRaw("edu", INTX, 0, 1, EVENTFD | MASK, [-1])).toBe(ENOTTY);
    expect(vm.setRaw("edu", INTX, 0, 1, EVENTFD | MASK, [vm.eventfd().fd])).toBe(ENOTTY);
  });
});

it("ERR of a device without PCI Express is EINVAL, as an index it does not have", () => {
  const vm = machine();
  expect(vm.set("edu", ERR, 0, [vm.eventfd().fd])).toBe(EINVAL);
  expect(vm.set("n8", ERR, 0, [vm.eventfd().fd])).toBe(0);
});

it("MSI of a device that has none, and MSI-X likewise, is EINVAL, disabling too", () => {
  const vm = machine();
  for (const count of [0, 1]) {
    expect(vm.set("n8", MSI, 0, count)).toBe(EINVAL);
    expect(vm.set("edu", MSIX, 0, count)).toBe(EINVAL);
  }
});

it("a larger argsz than the data need is fine", () => {
  const vm = machine();
  const header = { argsz: 4096, flags: EVENTFD_TRIGGER, index: MSIX, start: 0, count: 1 };
  const arg = encodeIrqSet(header, packFds([vm.eventfd().fd]));
  expect(vm.call({ op: "ioctl", fd: vm.fd("n8"), cmd: SET_IRQS, arg }).ret).toBe(0);
});

it("REQ is signalled when the host wants the device back, and ERR is not", () => {
  const vm = machine();
  const [err, req] = [vm.eventfd(), vm.eventfd()];
  vm.set("n8", ERR, 0, [err.fd]);
  vm.set("n8", REQ, 0, [req.fd]);
  vm.host.unbind("n8");
  vm.sleep(1e6);
  expect([vm.readEventfd(err.slot), vm.readEventfd(req.slot)]).toEqual([0n, 1n]);
});

describe("one mutex a device", () => {
  const arm = (vm: TestVm, name: string, count: number): Parameters<TestVm["post"]>[0] => {
    const data = packFds(Array(count).fill(vm.eventfd().fd));
    const header = { argsz: 20 + 4 * count, flags: EVENTFD_TRIGGER, index: MSIX, start: 0, count };
    return { op: "ioctl", fd: vm.fd(name), cmd: SET_IRQS, arg: encodeIrqSet(header, data) };
  };

  it("a second SET_IRQS of the device waits for the first", () => {
    const vm = machine();
    vm.post(arm(vm, "rk", 16));
    // It disables what the first one enables, which it could not if it came in between.
    expect(vm.set("rk", MSIX, 0, 0)).toBe(0);
    expect(vm.host.inspect("rk")).toMatchObject({ held: [], armed: [], kind: null });
  });

  it("SET_IRQS of another device does not wait", () => {
    const vm = machine();
    vm.post(arm(vm, "rk", 16));
    expect(vm.set("n8", MSIX, 0, [vm.eventfd().fd])).toBe(0);
    expect(vm.host.inspect("rk").armed.length).toBeLessThan(16);
  });

  it("a config write of INTx disable waits for a SET_IRQS that is under way", () => {
    const vm = machine();
    vm.post(arm(vm, "rk", 16));
    vm.sleep(1000);
    expect(vm.configWrite("rk", 4, 2, 0x0406)).toBe(2);
    expect(vm.host.inspect("rk").armed.length).toBe(16);
  });

  it("a config write that leaves INTx disable as it is does not wait", () => {
    const vm = machine();
    vm.post(arm(vm, "rk", 16));
    vm.sleep(1000);
    expect(vm.configWrite("rk", 4, 2, 0x0006)).toBe(2);
    expect(vm.host.inspect("rk").armed.length).toBeLessThan(16);
  });
});
