/** INTx of vfio-pci, rule by rule (recordings h12 to h15, h28; vfio_pci_intrs.c). */
import { describe, expect, it } from "vitest";
import { EVENTFD, INTX, IntxVm, MASK, MASKING, NONE, TRIGGER, UNMASK } from "./intx-machine.ts";
import { EDU, EDU_RAISE, ROCKER } from "./machine.ts";

const [EINVAL, EBADF, EBUSY] = [-22, -9, -16];
const MSI = 1;
/** In the first byte of status: INTx is pending. */
const PENDING = 0x8;
const CLOSED = 60_000;

describe("enabling INTx", () => {
  it("needs that no mode is on", () => {
    const vm = new IntxVm();
    vm.set("edu", MSI, 0, [vm.eventfd().fd]);
    expect(vm.set("edu", INTX, 0, [vm.eventfd().fd])).toBe(EINVAL);
    expect(vm.set("edu", INTX, 0, 0)).toBe(EINVAL);
  });

  it("of a function without a pin is EINVAL, as an index it does not have", () => {
    const vm = new IntxVm({}, [ROCKER]);
    expect(vm.set("rk", INTX, 0, [vm.eventfd().fd])).toBe(EINVAL);
    expect(vm.set("rk", INTX, 0, 0)).toBe(EINVAL);
  });

  it("with -1 keeps a handler without an eventfd: an interrupt is masked and lost", () => {
    const vm = new IntxVm();
    expect(vm.set("edu", INTX, 0, [-1])).toBe(0);
    expect(vm.host.inspect("edu").intx).toBe(true);
    vm.raise();
    expect(vm.disabled).toBe(true);
  });

  it("with a descriptor that is none leaves INTx off", () => {
    const vm = new IntxVm();
    expect(vm.set("edu", INTX, 0, [CLOSED])).toBe(EBADF);
    expect(vm.set("edu", INTX, 0, [vm.fd("edu")])).toBe(EINVAL);
    expect(vm.host.inspect("edu").intx).toBe(false);
  });

  it("needs exactly one entry from 0 on", () => {
    const vm = new IntxVm();
    expect(vm.setRaw("edu", INTX, 0, 0, EVENTFD | TRIGGER)).toBe(EINVAL);
    expect(vm.setRaw("edu", INTX, 0, 0, NONE | TRIGGER)).toBe(EINVAL);
    expect(vm.host.inspect("edu").intx).toBe(false);
  });

  it("is masked from the start if the guest has set INTx disable", () => {
    for (const nointxmask of [false, true]) {
      const vm = new IntxVm({ nointxmask });
      vm.configWrite("edu", 4, 2, 0x0406);
      const trigger = vm.enable();
      vm.raise();
      expect(vm.count(trigger)).toBe(0);
      vm.configWrite("edu", 4, 2, 0x0006);
      expect(vm.count(trigger)).toBe(1);
    }
  });

  it.each(MASKING)("takes back a DisINTx that was set before, %s", (_name, nointxmask) => {
    const vm = new IntxVm({ nointxmask });
    vm.enable();
    vm.action(NONE | MASK);
    expect(vm.set("edu", INTX, 0, 0)).toBe(0);
    const trigger = vm.enable();
    vm.raise();
    expect(vm.count(trigger)).toBe(1);
  });

  it("without DisINTx needs the line for itself alone", () => {
    const place = (slot: number) => ({ bdf: `0000:00:0${slot}.0`, rootSlot: slot });
    const shared = [
      { ...EDU, place: place(3) },
      { ...EDU, name: "edu2", place: place(7) },
    ];
    for (const [nointxmask, result] of [
      [true, EBUSY],
      [false, 0],
    ] as const) {
      const vm = new IntxVm({ nointxmask }, shared);
      vm.enable("edu");
      expect(vm.set("edu2", INTX, 0, [vm.eventfd().fd])).toBe(result);
      expect(vm.host.inspect("edu2").intx).toBe(!nointxmask);
    }
  });
});

describe("a new eventfd while INTx is on", () => {
  it("takes the place of the old one, and -1 leaves INTx on without one", () => {
    const vm = new IntxVm();
    const a = vm.enable();
    const b = vm.enable();
    vm.raise();
    expect([vm.count(a), vm.count(b)]).toEqual([0, 1]);
    expect(vm.set("edu", INTX, 0, [-1])).toBe(0);
    expect(vm.host.inspect("edu").intx).toBe(true);
  });

  it("that is none keeps the old one", () => {
    const vm = new IntxVm();
    const trigger = vm.enable();
    expect(vm.set("edu", INTX, 0, [CLOSED])).toBe(EBADF);
    vm.raise();
    expect(vm.count(trigger)).toBe(1);
  });
});

describe("MASK and UNMASK", () => {
  it("need INTx on, start 0 and count 1", () => {
    const vm = new IntxVm();
    for (const action of [MASK, UNMASK]) {
      expect(vm.action(NONE | action)).toBe(EINVAL);
      expect(vm.action(EVENTFD | action, [vm.eventfd().fd])).toBe(EINVAL);
    }
    vm.enable();
    for (const action of [MASK, UNMASK]) {
      expect(vm.setRaw("edu", INTX, 0, 0, NONE | action)).toBe(EINVAL);
      expect(vm.action(NONE | action)).toBe(0);
    }
  });

  it.each(MASKING)(
    "%s: what is raised while masked is signalled at the unmask",
    (_n, nointxmask) => {
      const vm = new IntxVm({ nointxmask });
      const trigger = vm.enable();
      vm.action(NONE | MASK);
      vm.raise();
      expect(vm.count(trigger)).toBe(0);
      vm.action(NONE | UNMASK);
      expect(vm.count(trigger)).toBe(1);
      vm.action(NONE | UNMASK);
      expect(vm.count(trigger)).toBe(1);
      vm.ack();
      vm.action(NONE | UNMASK);
      expect(vm.count(trigger)).toBe(0);
    },
  );

  it.each(MASKING)("%s: masking twice is undone by one unmask", (_name, nointxmask) => {
    const vm = new IntxVm({ nointxmask });
    const trigger = vm.enable();
    vm.action(NONE | MASK);
    vm.action(NONE | MASK);
    vm.action(NONE | UNMASK);
    vm.raise();
    expect(vm.count(trigger)).toBe(1);
  });

  it.each(MASKING)("%s: an unmask of what is not masked does nothing", (_name, nointxmask) => {
    const vm = new IntxVm({ nointxmask });
    const trigger = vm.enable();
    expect(vm.action(NONE | UNMASK)).toBe(0);
    vm.raise();
    expect(vm.count(trigger)).toBe(1);
  });

  it("of DATA_BOOL act if true", () => {
    const vm = new IntxVm();
    vm.enable();
    expect(vm.bool(MASK, 0)).toBe(0);
    expect(vm.disabled).toBe(false);
    expect(vm.bool(MASK, 1)).toBe(0);
    expect(vm.disabled).toBe(true);
    expect(vm.bool(UNMASK, 0)).toBe(0);
    expect(vm.disabled).toBe(true);
    expect(vm.bool(UNMASK, 1)).toBe(0);
    expect(vm.disabled).toBe(false);
  });

  it("set and clear DisINTx where it may be used, and nowhere else", () => {
    for (const [nointxmask, set] of [
      [false, true],
      [true, false],
    ] as const) {
      const vm = new IntxVm({ nointxmask });
      vm.enable();
      vm.action(NONE | MASK);
      expect(vm.disabled).toBe(set);
      vm.action(NONE | UNMASK);
      expect(vm.disabled).toBe(false);
    }
  });
});

describe("the handler", () => {
  it("sets DisINTx, which stays until the unmask, also when the device is quiet by then", () => {
    const vm = new IntxVm();
    vm.enable();
    vm.raise();
    expect(vm.disabled).toBe(true);
    vm.ack();
    expect(vm.disabled).toBe(true);
    vm.action(NONE | UNMASK);
    expect(vm.disabled).toBe(false);
  });

  it("an unmask of a line that is still high leaves DisINTx set and signals again", () => {
    const vm = new IntxVm();
    const trigger = vm.enable();
    vm.raise();
    vm.count(trigger);
    vm.action(NONE | UNMASK);
    expect([vm.disabled, vm.count(trigger)]).toEqual([true, 1]);
    expect(vm.host.inspect("edu").config[6]! & PENDING).toBe(PENDING);
  });

  it("on a shared line signals only the device that is pending", () => {
    const place = (slot: number) => ({ bdf: `0000:00:0${slot}.0`, rootSlot: slot });
    const shared = [
      { ...EDU, place: place(3) },
      { ...EDU, name: "edu2", place: place(7) },
    ];
    const vm = new IntxVm({}, shared);
    const [a, b] = [vm.enable("edu"), vm.enable("edu2")];
    vm.raise();
    expect([vm.count(a), vm.count(b)]).toEqual([1, 0]);
    vm.barWrite("edu2", 0, EDU_RAISE, 1);
    expect([vm.count(a), vm.count(b)]).toEqual([0, 1]);
  });
});

describe("a software trigger", () => {
  it("signals, masked or not, and masks nothing", () => {
    const vm = new IntxVm();
    const trigger = vm.enable();
    expect(vm.action(NONE | TRIGGER)).toBe(0);
    expect([vm.count(trigger), vm.disabled]).toEqual([1, false]);
    vm.action(NONE | MASK);
    expect(vm.action(NONE | TRIGGER)).toBe(0);
    expect(vm.count(trigger)).toBe(1);
  });

  it("of DATA_BOOL signals if true", () => {
    const vm = new IntxVm();
    const trigger = vm.enable();
    expect(vm.bool(TRIGGER, 0)).toBe(0);
    expect(vm.count(trigger)).toBe(0);
    expect(vm.bool(TRIGGER, 1)).toBe(0);
    expect(vm.count(trigger)).toBe(1);
  });

  it("needs INTx on, but no eventfd", () => {
    const vm = new IntxVm();
    expect(vm.action(NONE | TRIGGER)).toBe(EINVAL);
    expect(vm.bool(TRIGGER, 1)).toBe(EINVAL);
    vm.set("edu", INTX, 0, [-1]);
    expect(vm.action(NONE | TRIGGER)).toBe(0);
  });

  it("does nothing while the guest has INTx disable set", () => {
    const vm = new IntxVm();
    const trigger = vm.enable();
    vm.configWrite("edu", 4, 2, 0x0406);
    expect(vm.action(NONE | TRIGGER)).toBe(0);
    expect(vm.count(trigger)).toBe(0);
  });
});

describe("INTx disable of the command register", () => {
  it.each(MASKING)("%s: masks and unmasks as the ioctls do", (_name, nointxmask) => {
    const vm = new IntxVm({ nointxmask });
    const trigger = vm.enable();
    vm.configWrite("edu", 4, 2, 0x0406);
    vm.raise();
    expect(vm.count(trigger)).toBe(0);
    expect(vm.configRead("edu", 4, 2)).toBe(0x0406);
    vm.configWrite("edu", 4, 2, 0x0006);
    expect(vm.count(trigger)).toBe(1);
  });

  it.each(MASKING)("%s: while it is set an UNMASK does nothing", (_name, nointxmask) => {
    const vm = new IntxVm({ nointxmask });
    const trigger = vm.enable();
    vm.configWrite("edu", 4, 2, 0x0406);
    vm.raise();
    expect(vm.action(NONE | UNMASK)).toBe(0);
    expect(vm.count(trigger)).toBe(0);
  });

  it("reads as the guest wrote it, whatever masking has made of the hardware's", () => {
    const vm = new IntxVm();
    vm.enable();
    vm.action(NONE | MASK);
    expect([vm.disabled, vm.configRead("edu", 4, 2) & 0x400]).toEqual([true, 0]);
  });

  it("without INTx on goes to the hardware where DisINTx may be used", () => {
    for (const nointxmask of [false, true]) {
      const vm = new IntxVm({ nointxmask });
      vm.configWrite("edu", 4, 2, 0x0406);
      expect(vm.disabled).toBe(!nointxmask);
      vm.configWrite("edu", 4, 2, 0x0006);
      expect(vm.disabled).toBe(false);
    }
  });

  it("can be written as the upper byte alone", () => {
    const vm = new IntxVm();
    const trigger = vm.enable();
    vm.configWrite("edu", 5, 1, 0x04);
    vm.raise();
    expect([vm.count(trigger), vm.configRead("edu", 4, 2) & 0x0402]).toEqual([0, 0x0402]);
    vm.configWrite("edu", 5, 1, 0x00);
    expect([vm.count(trigger), vm.configRead("edu", 4, 2) & 0x0402]).toEqual([1, 0x0002]);
  });
});
