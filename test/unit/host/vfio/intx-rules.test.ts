/** INTx of vfio-pci, rule by rule (recordings h12 to h15, h28; vfio_pci_intrs.c). */
import { describe, expect, it } from "vitest";
import type { DeviceSpec, HostSpec } from "../../../../src/scenario/types.ts";
import { encodeIrqSet } from "../../../../src/uapi/vfio.ts";
import { EDU, EDU_ACK, EDU_RAISE, NVME, ROCKER, TestVm } from "./machine.ts";

const [EINVAL, EBADF, EBUSY] = [-22, -9, -16];
const [INTX, MSI] = [0, 1];
const [NONE, BOOL, EVENTFD] = [1, 2, 4];
const [MASK, UNMASK, TRIGGER] = [8, 16, 32];
const SET_IRQS = 0x3b6e;
/** In the second byte of the command register: DisINTx. In the first of status: INTx is pending. */
const DISABLE = 0x4;
const PENDING = 0x8;
const CLOSED = 60_000;

interface Eventfd {
  readonly fd: number;
  readonly slot: number;
}

class Vm extends TestVm {
  constructor(host: Partial<HostSpec> = {}, devices: readonly DeviceSpec[] = [EDU, NVME]) {
    super(devices, host);
    for (const { name } of devices) this.open(name);
  }

  /** INTx on, with an eventfd. */
  enable(name = "edu"): Eventfd {
    const eventfd = this.eventfd();
    expect(this.set(name, INTX, 0, [eventfd.fd])).toBe(0);
    return eventfd;
  }

  count({ slot }: Eventfd): number {
    return Number(this.readEventfd(slot));
  }

  raise(): void {
    expect(this.barWrite("edu", 0, EDU_RAISE, 1)).toBe(4);
  }

  ack(): void {
    expect(this.barWrite("edu", 0, EDU_ACK, 1)).toBe(4);
  }

  action(flags: number, fds: number[] = []): number {
    return this.setRaw("edu", INTX, 0, 1, flags, fds);
  }

  /** DATA_BOOL of one entry. */
  bool(action: number, value: number): number {
    const header = { argsz: 21, flags: BOOL | action, index: INTX, start: 0, count: 1 };
    const arg = encodeIrqSet(header, Uint8Array.of(value));
    return this.call({ op: "ioctl", fd: this.fd("edu"), cmd: SET_IRQS, arg }).ret;
  }

  /** DisINTx of the hardware. */
  get disabled(): boolean {
    return (this.host.inspect("edu").config[5]! & DISABLE) !== 0;
  }
}

const masking = [
  ["with DisINTx", false],
  ["without", true],
] as const;

describe("enabling INTx", () => {
  it("needs that no mode is on", () => {
    const vm = new Vm();
    vm.set("edu", MSI, 0, [vm.eventfd().fd]);
    expect(vm.set("edu", INTX, 0, [vm.eventfd().fd])).toBe(EINVAL);
    expect(vm.set("edu", INTX, 0, 0)).toBe(EINVAL);
  });

  it("of a function without a pin is EINVAL, as an index it does not have", () => {
    const vm = new Vm({}, [ROCKER]);
    expect(vm.set("rk", INTX, 0, [vm.eventfd().fd])).toBe(EINVAL);
    expect(vm.set("rk", INTX, 0, 0)).toBe(EINVAL);
  });

  it("with -1 keeps a handler without an eventfd: an interrupt is masked and lost", () => {
    const vm = new Vm();
    expect(vm.set("edu", INTX, 0, [-1])).toBe(0);
    expect(vm.host.inspect("edu").intx).toBe(true);
    vm.raise();
    expect(vm.disabled).toBe(true);
  });

  it("with a descriptor that is none leaves INTx off", () => {
    const vm = new Vm();
    expect(vm.set("edu", INTX, 0, [CLOSED])).toBe(EBADF);
    expect(vm.set("edu", INTX, 0, [vm.fd("edu")])).toBe(EINVAL);
    expect(vm.host.inspect("edu").intx).toBe(false);
  });

  it("needs exactly one entry from 0 on", () => {
    const vm = new Vm();
    expect(vm.setRaw("edu", INTX, 0, 0, EVENTFD | TRIGGER)).toBe(EINVAL);
    expect(vm.setRaw("edu", INTX, 0, 0, NONE | TRIGGER)).toBe(EINVAL);
    expect(vm.host.inspect("edu").intx).toBe(false);
  });

  it("is masked from the start if the guest has set INTx disable", () => {
    for (const nointxmask of [false, true]) {
      const vm = new Vm({ nointxmask });
      vm.configWrite("edu", 4, 2, 0x0406);
      const trigger = vm.enable();
      vm.raise();
      expect(vm.count(trigger)).toBe(0);
      vm.configWrite("edu", 4, 2, 0x0006);
      expect(vm.count(trigger)).toBe(1);
    }
  });

  it.each(masking)("takes back a DisINTx that was set before, %s", (_name, nointxmask) => {
    const vm = new Vm({ nointxmask });
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
      const vm = new Vm({ nointxmask }, shared);
      vm.enable("edu");
      expect(vm.set("edu2", INTX, 0, [vm.eventfd().fd])).toBe(result);
      expect(vm.host.inspect("edu2").intx).toBe(!nointxmask);
    }
  });
});

describe("a new eventfd while INTx is on", () => {
  it("takes the place of the old one, and -1 leaves INTx on without one", () => {
    const vm = new Vm();
    const a = vm.enable();
    const b = vm.enable();
    vm.raise();
    expect([vm.count(a), vm.count(b)]).toEqual([0, 1]);
    expect(vm.set("edu", INTX, 0, [-1])).toBe(0);
    expect(vm.host.inspect("edu").intx).toBe(true);
  });

  it("that is none keeps the old one", () => {
    const vm = new Vm();
    const trigger = vm.enable();
    expect(vm.set("edu", INTX, 0, [CLOSED])).toBe(EBADF);
    vm.raise();
    expect(vm.count(trigger)).toBe(1);
  });
});

describe("MASK and UNMASK", () => {
  it("need INTx on, start 0 and count 1", () => {
    const vm = new Vm();
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

  it.each(masking)(
    "%s: what is raised while masked is signalled at the unmask",
    (_n, nointxmask) => {
      const vm = new Vm({ nointxmask });
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

  it.each(masking)("%s: masking twice is undone by one unmask", (_name, nointxmask) => {
    const vm = new Vm({ nointxmask });
    const trigger = vm.enable();
    vm.action(NONE | MASK);
    vm.action(NONE | MASK);
    vm.action(NONE | UNMASK);
    vm.raise();
    expect(vm.count(trigger)).toBe(1);
  });

  it.each(masking)("%s: an unmask of what is not masked does nothing", (_name, nointxmask) => {
    const vm = new Vm({ nointxmask });
    const trigger = vm.enable();
    expect(vm.action(NONE | UNMASK)).toBe(0);
    vm.raise();
    expect(vm.count(trigger)).toBe(1);
  });

  it("of DATA_BOOL act if true", () => {
    const vm = new Vm();
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
      const vm = new Vm({ nointxmask });
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
    const vm = new Vm();
    vm.enable();
    vm.raise();
    expect(vm.disabled).toBe(true);
    vm.ack();
    expect(vm.disabled).toBe(true);
    vm.action(NONE | UNMASK);
    expect(vm.disabled).toBe(false);
  });

  it("an unmask of a line that is still high leaves DisINTx set and signals again", () => {
    const vm = new Vm();
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
    const vm = new Vm({}, shared);
    const [a, b] = [vm.enable("edu"), vm.enable("edu2")];
    vm.raise();
    expect([vm.count(a), vm.count(b)]).toEqual([1, 0]);
    vm.barWrite("edu2", 0, EDU_RAISE, 1);
    expect([vm.count(a), vm.count(b)]).toEqual([0, 1]);
  });
});

describe("a software trigger", () => {
  it("signals, masked or not, and masks nothing", () => {
    const vm = new Vm();
    const trigger = vm.enable();
    expect(vm.action(NONE | TRIGGER)).toBe(0);
    expect([vm.count(trigger), vm.disabled]).toEqual([1, false]);
    vm.action(NONE | MASK);
    expect(vm.action(NONE | TRIGGER)).toBe(0);
    expect(vm.count(trigger)).toBe(1);
  });

  it("of DATA_BOOL signals if true", () => {
    const vm = new Vm();
    const trigger = vm.enable();
    expect(vm.bool(TRIGGER, 0)).toBe(0);
    expect(vm.count(trigger)).toBe(0);
    expect(vm.bool(TRIGGER, 1)).toBe(0);
    expect(vm.count(trigger)).toBe(1);
  });

  it("needs INTx on, but no eventfd", () => {
    const vm = new Vm();
    expect(vm.action(NONE | TRIGGER)).toBe(EINVAL);
    expect(vm.bool(TRIGGER, 1)).toBe(EINVAL);
    vm.set("edu", INTX, 0, [-1]);
    expect(vm.action(NONE | TRIGGER)).toBe(0);
  });

  it("does nothing while the guest has INTx disable set", () => {
    const vm = new Vm();
    const trigger = vm.enable();
    vm.configWrite("edu", 4, 2, 0x0406);
    expect(vm.action(NONE | TRIGGER)).toBe(0);
    expect(vm.count(trigger)).toBe(0);
  });
});

describe("INTx disable of the command register", () => {
  it.each(masking)("%s: masks and unmasks as the ioctls do", (_name, nointxmask) => {
    const vm = new Vm({ nointxmask });
    const trigger = vm.enable();
    vm.configWrite("edu", 4, 2, 0x0406);
    vm.raise();
    expect(vm.count(trigger)).toBe(0);
    expect(vm.configRead("edu", 4, 2)).toBe(0x0406);
    vm.configWrite("edu", 4, 2, 0x0006);
    expect(vm.count(trigger)).toBe(1);
  });

  it.each(masking)("%s: while it is set an UNMASK does nothing", (_name, nointxmask) => {
    const vm = new Vm({ nointxmask });
    const trigger = vm.enable();
    vm.configWrite("edu", 4, 2, 0x0406);
    vm.raise();
    expect(vm.action(NONE | UNMASK)).toBe(0);
    expect(vm.count(trigger)).toBe(0);
  });

  it("reads as the guest wrote it, whatever masking has made of the hardware's", () => {
    const vm = new Vm();
    vm.enable();
    vm.action(NONE | MASK);
    expect([vm.disabled, vm.configRead("edu", 4, 2) & 0x400]).toEqual([true, 0]);
  });

  it("without INTx on goes to the hardware where DisINTx may be used", () => {
    for (const nointxmask of [false, true]) {
      const vm = new Vm({ nointxmask });
      vm.configWrite("edu", 4, 2, 0x0406);
      expect(vm.disabled).toBe(!nointxmask);
      vm.configWrite("edu", 4, 2, 0x0006);
      expect(vm.disabled).toBe(false);
    }
  });

  it("can be written as the upper byte alone", () => {
    const vm = new Vm();
    const trigger = vm.enable();
    vm.configWrite("edu", 5, 1, 0x04);
    vm.raise();
    expect([vm.count(trigger), vm.configRead("edu", 4, 2) & 0x0402]).toEqual([0, 0x0402]);
    vm.configWrite("edu", 5, 1, 0x00);
    expect([vm.count(trigger), vm.configRead("edu", 4, 2) & 0x0402]).toEqual([1, 0x0002]);
  });
});

describe("an unmask eventfd", () => {
  it("there is one: a second one is EBUSY, after its descriptor has been judged", () => {
    const vm = new Vm();
    vm.enable();
    expect(vm.action(EVENTFD | UNMASK, [vm.eventfd().fd])).toBe(0);
    expect(vm.action(EVENTFD | UNMASK, [CLOSED])).toBe(EBADF);
    expect(vm.action(EVENTFD | UNMASK, [vm.fd("edu")])).toBe(EINVAL);
    expect(vm.action(EVENTFD | UNMASK, [vm.eventfd().fd])).toBe(EBUSY);
    expect(vm.action(EVENTFD | UNMASK, [-1])).toBe(0);
    expect(vm.action(EVENTFD | UNMASK, [vm.eventfd().fd])).toBe(0);
  });

  it("unmasks each time it is written, and keeps no count", () => {
    const vm = new Vm();
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
    const vm = new Vm();
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
    const vm = new Vm();
    vm.enable();
    const { fd } = vm.eventfd();
    vm.action(EVENTFD | UNMASK, [fd]);
    vm.close(fd);
    expect(vm.action(EVENTFD | UNMASK, [vm.eventfd().fd])).toBe(0);
  });

  it("is forgotten when INTx is disabled", () => {
    const vm = new Vm();
    vm.enable();
    vm.action(EVENTFD | UNMASK, [vm.eventfd().fd]);
    vm.set("edu", INTX, 0, 0);
    vm.enable();
    expect(vm.action(EVENTFD | UNMASK, [vm.eventfd().fd])).toBe(0);
  });

  it("written before it is installed unmasks at once, and its count stays", () => {
    const vm = new Vm();
    vm.enable();
    vm.action(NONE | MASK);
    const unmask = vm.eventfd(3);
    expect(vm.action(EVENTFD | UNMASK, [unmask.fd])).toBe(0);
    expect([vm.disabled, vm.count(unmask)]).toEqual([false, 3]);
  });
});

describe("disabling INTx", () => {
  it.each(masking)("%s: removes the handler; what is raised then is nobody's", (_n, nointxmask) => {
    const vm = new Vm({ nointxmask });
    const trigger = vm.enable();
    expect(vm.set("edu", INTX, 0, 0)).toBe(0);
    vm.raise();
    expect([vm.host.inspect("edu").intx, vm.count(trigger)]).toEqual([false, 0]);
    expect(vm.set("edu", INTX, 0, 0)).toBe(EINVAL);
  });

  it("makes room for MSI", () => {
    const vm = new Vm();
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
