/** Unmasking INTx by eventfd, and its end (virqfd.c, vfio_pci_intrs.c; recordings h12, h15). */
import { describe, expect, it } from "vitest";
import { EVENTFD, INTX, IntxVm, MASK, MASKING, NONE, UNMASK } from "./intx-machine.ts";
import { EDU, TestVm } from "./machine.ts";

const [EINVAL, EBADF, EBUSY] = [-22, -9, -16];
const MSI = 1;
const CLOSED = 60_000;

describe("an unmask eventfd", () => {
  it("there is one: a second one is EBUSY, after its descriptor has been judged", () => {
    const vm = new IntxVm();
    vm.enable();
    expect(vm.action(EVENTFD | UNMASK, [vm.eventfd().fd])).toBe(0);
    expect(vm.action(EVENTFD | UNMASK, [CLOSED])).toBe(EBADF);
    expect(vm.action(EVENTFD | UNMASK, [vm.fd("edu")])).toBe(EINVAL);
    expect(vm.action(EVENTFD | UNMASK, [vm.eventfd().fd])).toBe(EBUSY);
    expect(vm.action(EVENTFD | UNMASK, [-1])).toBe(0);
    expect(vm.action(EVENTFD | UNMASK, [vm.eventfd().fd])).toBe(0);
  });

  it("unmasks each time it is written, and keeps no count", () => {
    const vm = new IntxVm();
    const trigger = vm.enable();
    const unmask = vm.eventfd();
    vm.action(EVENTFD | UNMASK, [unmask.fd]);
    for (let round = 0; round < 3; round++) {
      vm.raise();
      expect(vm.count(trigger)).toBe(1);
      vm.ack();
      vm.writeEventfd(unmask.slot, 1n);
      expect([vm.disabled, vm.count(unmask)]).toEqual([false, 0]);
    }
  });

  it("is gone with -1, and its slot with it", () => {
    const vm = new IntxVm();
    const trigger = vm.enable();
    const unmask = vm.eventfd();
    vm.action(EVENTFD | UNMASK, [unmask.fd]);
    vm.action(EVENTFD | UNMASK, [-1]);
    vm.raise();
    vm.count(trigger);
    vm.writeEventfd(unmask.slot, 1n);
    vm.sleep(1e6);
    expect([vm.count(trigger), vm.count(unmask)]).toEqual([0, 1]);
  });

  it("detaches when its descriptor is closed, so that another one may come", () => {
    const vm = new IntxVm();
    vm.enable();
    const { fd } = vm.eventfd();
    vm.action(EVENTFD | UNMASK, [fd]);
    vm.close(fd);
    expect(vm.action(EVENTFD | UNMASK, [vm.eventfd().fd])).toBe(0);
  });

  it("is forgotten when INTx is disabled", () => {
    const vm = new IntxVm();
    vm.enable();
    vm.action(EVENTFD | UNMASK, [vm.eventfd().fd]);
    vm.set("edu", INTX, 0, 0);
    vm.enable();
    expect(vm.action(EVENTFD | UNMASK, [vm.eventfd().fd])).toBe(0);
  });

  it("written before it is installed unmasks at once, and its count stays", () => {
    const vm = new IntxVm();
    vm.enable();
    vm.action(NONE | MASK);
    const unmask = vm.eventfd(3);
    expect(vm.action(EVENTFD | UNMASK, [unmask.fd])).toBe(0);
    expect([vm.disabled, vm.count(unmask)]).toEqual([false, 3]);
  });
});

describe("disabling INTx", () => {
  it.each(MASKING)("%s: removes the handler; what is raised then is nobody's", (_n, nointxmask) => {
    const vm = new IntxVm({ nointxmask });
    const trigger = vm.enable();
    expect(vm.set("edu", INTX, 0, 0)).toBe(0);
    vm.raise();
    expect([vm.host.inspect("edu").intx, vm.count(trigger)]).toEqual([false, 0]);
    expect(vm.set("edu", INTX, 0, 0)).toBe(EINVAL);
  });

  it("makes room for MSI", () => {
    const vm = new IntxVm();
    vm.enable();
    expect(vm.set("edu", MSI, 0, [vm.eventfd().fd])).toBe(EINVAL);
    vm.set("edu", INTX, 0, 0);
    expect(vm.set("edu", MSI, 0, [vm.eventfd().fd])).toBe(0);
  });

  it("gives the eventfd back", () => {
    const vm = new TestVm([EDU], {}, 1);
    vm.open("edu");
    const { fd } = vm.eventfd();
    vm.set("edu", INTX, 0, [fd]);
    vm.close(fd);
    expect(vm.eventfd().fd).toBeLessThan(0);
    vm.set("edu", INTX, 0, 0);
    expect(vm.eventfd().fd).toBeGreaterThan(0);
  });
});
