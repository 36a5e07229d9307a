/** INTx through QEMU, with the kernel's irqchip and with QEMU's own. */
import { describe, expect, it } from "vitest";
import { createRig, only, type Rig, type RigOptions } from "../rig.ts";

const LEVEL = 0x8000;
const MASKED = 0x10000;
const VECTOR = 0x51;

function start(options: RigOptions = {}): Rig {
  const rig = createRig(options);
  rig.powerOn();
  return rig;
}

/** QEMU's irqchip with the device's pin routed to vCPU 1, level triggered. */
function routed(): Rig {
  const rig = start({ path: "userspace" });
  rig.run(rig.vm.routeIntx(rig.fn, rig.fn.intxPin));
  rig.run(rig.vm.ioapicWrite(rig.fn.intxPin, VECTOR | LEVEL, 1 << 24));
  rig.host.take();
  return rig;
}

describe("on the irqfd path", () => {
  it("INTx goes on with a mask, an irqfd with resample, an UNMASK eventfd and an unmask", () => {
    const rig = createRig();
    rig.run(rig.vm.realize());
    expect(only(rig.host.take(), "INTX", "irqfd").slice(0, 5)).toEqual([
      "INTX 0 1 EVENTFD|TRIGGER [e0]",
      "INTX 0 1 NONE|MASK",
      "irqfd assign e0 gsi 0 resample e1",
      "INTX 0 1 EVENTFD|UNMASK [e1]",
      "INTX 0 1 NONE|UNMASK",
    ]);
  });

  it("a new route costs five calls and a new resample eventfd", () => {
    const rig = start();
    rig.run(rig.vm.routeIntx(rig.fn, 10));
    expect(rig.host.take()).toEqual([
      "INTX 0 1 NONE|MASK",
      "irqfd deassign e4 gsi 0",
      "close e5",
      "INTX 0 1 NONE|UNMASK",
      "INTX 0 1 NONE|MASK",
      "irqfd assign e4 gsi 10 resample e6",
      "INTX 0 1 EVENTFD|UNMASK [e6]",
      "INTX 0 1 NONE|UNMASK",
    ]);
    rig.run(rig.vm.routeIntx(rig.fn, 10));
    expect(rig.host.take()).toEqual([]);
  });

  it("IOAPIC entries and EOIs are VM exits, and nobody waits for an EOI", () => {
    const rig = start();
    rig.run(rig.vm.ioapicWrite(21, VECTOR | LEVEL, 1 << 24));
    rig.vm.eoi(1, VECTOR);
    rig.settle();
    expect(rig.host.take()).toEqual([
      'vmexit {"reason":"ioapic-write","pin":21,"low":32849,"high":16777216}',
      'vmexit {"reason":"eoi","vcpu":1,"vector":81}',
    ]);
    expect(rig.vm.busy()).toBe(false);
  });

  it("an irqfd that KVM refuses leaves INTx with QEMU, unmasked", () => {
    const rig = createRig();
    rig.host.verdicts.push({ begins: "irqfd assign", ret: -22 });
    rig.run(rig.vm.realize());
    expect(only(rig.host.take(), "INTX").slice(0, 3)).toEqual([
      "INTX 0 1 EVENTFD|TRIGGER [e0]",
      "INTX 0 1 NONE|MASK",
      "INTX 0 1 NONE|UNMASK",
    ]);
  });
});

describe("on the userspace path", () => {
  it("turning INTx on is one call, rerouting it none", () => {
    const rig = createRig({ path: "userspace" });
    rig.run(rig.vm.realize());
    expect(only(rig.host.take(), "INTX")[0]).toBe("INTX 0 1 EVENTFD|TRIGGER [e0]");
    rig.run(rig.vm.routeIntx(rig.fn, 10));
    expect(rig.host.take()).toEqual([]);
  });

  it("an interrupt reaches the vCPU of the redirection entry, and a BAR access ends it", () => {
    const rig = routed();
    rig.host.signal("INTX", 0);
    rig.settle();
    expect(rig.injected()).toEqual(["1:81"]);
    expect(only(rig.host.take(), "INTX")).toEqual([]);
    rig.run(rig.vm.mmioWrite(rig.fn, 0, 0x1000, 4, 1));
    expect(only(rig.host.take(), "pwrite", "INTX")).toEqual([
      "pwrite 0x1000 0x1 0x0 0x0 0x0",
      "INTX 0 1 NONE|UNMASK",
    ]);
    expect(rig.tracer.events.filter(({ point }) => point === "vfio_intx_eoi")).toHaveLength(1);
    rig.run(rig.vm.mmioWrite(rig.fn, 0, 0x1000, 4, 1));
    expect(only(rig.host.take(), "INTX")).toEqual([]);
  });

  it("a doorbell ends it too", () => {
    const rig = routed();
    rig.host.signal("INTX", 0);
    rig.settle();
    rig.vm.ringDoorbell(rig.fn, 0, 1);
    rig.vm.ringDoorbell(rig.fn, 0, 2);
    expect(rig.vm.busy()).toBe(true);
    rig.settle();
    expect(only(rig.host.take(), "INTX")).toEqual(["INTX 0 1 NONE|UNMASK"]);
    expect(rig.vm.busy()).toBe(false);
  });

  it("one whose driver touches no BAR comes again at each EOI, without a token", () => {
    const rig = routed();
    rig.host.signal("INTX", 0);
    rig.settle();
    for (let i = 0; i < 3; i++) {
      expect(rig.injected()).toEqual(["1:81"]);
      rig.vm.eoi(1, VECTOR);
      rig.settle();
      expect(only(rig.host.take(), "INTX")).toEqual([]);
    }
    rig.run(rig.vm.mmioRead(rig.fn, 0, 0x1000, 4));
    expect(only(rig.host.take(), "INTX")).toEqual(["INTX 0 1 NONE|UNMASK"]);
    rig.injected();
    rig.vm.eoi(1, VECTOR);
    rig.settle();
    expect(rig.injected()).toEqual([]);
    expect(rig.fates(rig.row("intx"))).toEqual({});
  });

  it("one that comes after a BAR access and before the EOI waits for the EOI", () => {
    const rig = routed();
    rig.host.signal("INTX", 0);
    rig.settle();
    rig.injected();
    rig.run(rig.vm.mmioWrite(rig.fn, 0, 0x1000, 4, 1));
    rig.host.signal("INTX", 0);
    rig.settle();
    expect(rig.injected()).toEqual([]);
    rig.vm.eoi(1, VECTOR);
    rig.settle();
    expect(rig.injected()).toEqual(["1:81"]);
  });

  it("one that finds the pin masked waits for the unmask", () => {
    const rig = routed();
    const pin = rig.fn.intxPin;
    rig.run(rig.vm.ioapicWrite(pin, VECTOR | LEVEL | MASKED, 1 << 24));
    rig.host.signal("INTX", 0);
    rig.settle();
    expect(rig.injected()).toEqual([]);
    rig.run(rig.vm.ioapicWrite(pin, VECTOR | LEVEL, 1 << 24));
    expect(rig.injected()).toEqual(["1:81"]);
  });

  it("one that waits at a masked pin is withdrawn by a BAR access, pending at the end", () => {
    for (const [end, fate] of [
      [(r: Rig) => r.run(r.vm.mmioRead(r.fn, 0, 0x1000, 4)), "dropped-withdrawn"],
      [(r: Rig) => r.vm.settle(), "pending-guest"],
    ] as const) {
      const rig = routed();
      rig.run(rig.vm.ioapicWrite(rig.fn.intxPin, MASKED, 0));
      rig.host.signal("INTX", 0);
      rig.settle();
      end(rig);
      expect(rig.fates(rig.row("intx"))).toEqual({ [fate]: 1 });
    }
  });
});

describe("a device without a pin", () => {
  it("makes no INTx call, on or off", () => {
    const rig = createRig({ pin: 0 });
    rig.run(rig.vm.realize());
    rig.run(rig.vm.systemReset());
    expect(only(rig.host.take(), "INTX")).toEqual([]);
  });
});
