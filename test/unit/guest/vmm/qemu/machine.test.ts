/** The QEMU process: power-on, config space, hot-unplug, end. */
import { describe, expect, it } from "vitest";
import { RealizeError } from "../../../../../guest/vmm/errors.ts";
import { createRig, Hands, only } from "../rig.ts";

describe("power-on", () => {
  it("asks about MSI-X from 10.0 on, not in 7.2", () => {
    for (const [version, asked] of [
      ["7.2", ["ERR", "REQ"]],
      ["10.0", ["ERR", "MSIX", "REQ"]],
    ] as const) {
      const rig = createRig({ version });
      rig.run(rig.vm.realize());
      const log = only(rig.host.take(), "get_irq_info");
      expect(log).toEqual(asked.map((index) => `get_irq_info ${index}`));
    }
  });

  it("does without ERR on a device that is not PCI Express", () => {
    const rig = createRig({ express: false });
    rig.run(rig.vm.realize());
    expect(only(rig.host.take(), "ERR", "REQ")).toEqual(["REQ 0 1 EVENTFD|TRIGGER [e2]"]);
  });

  it("does not reset a device that has no reset", () => {
    const rig = createRig({ resets: false });
    rig.run(rig.vm.realize());
    expect(rig.host.take()).not.toContain("reset");
  });

  it("fails with what QEMU would print, and closes what it had open", () => {
    for (const [begins, message] of [
      ["open /dev/vfio/nvme0", /failed to open .*EBUSY/],
      ["INTX 0 1 EVENTFD|TRIGGER", /INTx: EBUSY/],
    ] as const) {
      const rig = createRig();
      rig.host.verdicts.push({ begins, ret: -16 });
      expect(() => rig.run(rig.vm.realize())).toThrow(RealizeError);
      rig.settle();
      const again = createRig();
      again.host.verdicts.push({ begins, ret: -16 });
      expect(() => again.run(again.vm.realize())).toThrow(message);
    }
  });
});

describe("config space", () => {
  it("passes every write on to the device and keeps its own copy of BARs and MSI-X", () => {
    const rig = createRig();
    rig.powerOn();
    rig.run(rig.vm.configWrite(rig.fn, 0x10, 4, 0xffffffff));
    rig.run(rig.vm.configWrite(rig.fn, 0x72, 2, 0xc000));
    const writes = only(rig.host.take(), "pwrite");
    expect(writes).toEqual([
      "pwrite 0x70000000010 0xff 0xff 0xff 0xff",
      "pwrite 0x70000000072 0x0 0xc0",
    ]);
    expect(rig.run(rig.vm.configRead(rig.fn, 0x10, 4))).toBe(0xffff0000);
    expect(rig.run(rig.vm.configRead(rig.fn, 0x72, 2))).toBe(0xc003);
    // The device's own copy never changed: the fake host stores no writes.
    expect(rig.host.fn.configRead(0x72, 2)).toBe(3);
  });

  it("asks the device for the rest, and joins both where a read spans them", () => {
    const rig = createRig();
    rig.powerOn();
    expect(rig.run(rig.vm.configRead(rig.fn, 0, 4))).toBe(0x00101b36);
    rig.host.fn.config.set(0x70, 1, 0x77);
    rig.run(rig.vm.configWrite(rig.fn, 0x72, 2, 0x4000));
    expect(rig.run(rig.vm.configRead(rig.fn, 0x70, 4))).toBe(0x40030077);
  });

  it("never lets the device see the table", () => {
    const rig = createRig();
    rig.powerOn();
    new Hands(rig).message(0, 1, 0x33);
    expect(rig.host.take()).toEqual([]);
    expect(rig.run(rig.vm.mmioRead(rig.fn, 0, 0x2000, 4))).toBe(0xfee01000);
  });

  it("takes an 8-byte table write as two", () => {
    const rig = createRig();
    rig.powerOn();
    rig.run(rig.vm.mmioWrite(rig.fn, 0, 0x2000, 8, 2 ** 32 * 5 + 0xfee02000));
    expect(rig.run(rig.vm.mmioRead(rig.fn, 0, 0x2000, 4))).toBe(0xfee02000);
    expect(rig.run(rig.vm.mmioRead(rig.fn, 0, 0x2004, 4))).toBe(5);
  });
});

describe("the big lock", () => {
  it("keeps the main loop from reading eventfds while a vCPU is in QEMU", () => {
    const rig = createRig({ path: "userspace" });
    rig.powerOn();
    const guest = new Hands(rig);
    rig.run(rig.vm.configWrite(rig.fn, 4, 2, 6));
    guest.control(0x8000);
    guest.message(0, 0, 0x30);
    guest.unmask(0);
    const slot = rig.host.armed.get("MSIX 0")!;
    // The write holds the lock until the host has answered it.
    rig.begin(rig.vm.configWrite(rig.fn, 4, 2, 6));
    expect(rig.vm.busy()).toBe(true);
    rig.host.signal("MSIX", 0);
    expect(rig.vm.poll()).toBe(0);
    expect(rig.port.eventfds.count(slot)).toBe(1n);
    expect(rig.injected()).toEqual([]);
    rig.settle();
    expect(rig.vm.busy()).toBe(false);
    expect(rig.injected()).toEqual(["0:48"]);
  });
});

describe("work that the host wakes nobody for", () => {
  const armed = () => {
    const rig = createRig({ path: "userspace" });
    rig.powerOn();
    const guest = new Hands(rig);
    rig.run(rig.vm.configWrite(rig.fn, 4, 2, 6));
    guest.control(0x8000);
    guest.message(0, 0, 0x30);
    guest.unmask(0);
    let calls = 0;
    rig.vm.onWork = () => {
      calls++;
      rig.vm.poll();
    };
    return { rig, guest, calls: () => calls };
  };

  it("is told of once the big lock is free", () => {
    const { rig, calls } = armed();
    rig.begin(rig.vm.configWrite(rig.fn, 4, 2, 6));
    rig.host.signal("MSIX", 0);
    rig.vm.poll();
    rig.host.poll();
    rig.vm.poll();
    expect(calls()).toBe(0);
    rig.events();
    expect(calls()).toBe(1);
    expect(rig.injected()).toEqual(["0:48"]);
  });

  it("is told of when an unmask lets a pending interrupt go", () => {
    const { rig, guest, calls } = armed();
    guest.mask(0);
    rig.host.signal("MSIX", 0);
    rig.settle();
    expect(calls()).toBe(0);
    guest.unmask(0);
    expect(calls()).toBe(1);
    expect(rig.injected()).toEqual(["0:48"]);
  });
});

describe("hot-unplug", () => {
  it("tells the guest of the host's request and gives the device back once it is ejected", () => {
    const rig = createRig();
    rig.powerOn();
    let asked = 0;
    rig.vm.onUnplugRequest = (fn) => {
      expect(fn).toBe(rig.fn);
      asked++;
    };
    rig.host.signal("REQ", 0);
    rig.settle();
    expect(asked).toBe(1);
    rig.run(rig.vm.eject(rig.fn));
    expect(rig.host.take()).toEqual([
      "REQ 0 1 EVENTFD|TRIGGER [-1]",
      "close e3",
      "ERR 0 1 EVENTFD|TRIGGER [-1]",
      "close e2",
      "INTX 0 1 NONE|MASK",
      "irqfd deassign e4 gsi 0",
      "close e5",
      "INTX 0 1 NONE|UNMASK",
      "INTX 0 0 NONE|TRIGGER",
      "close e4",
      "close fd",
    ]);
    rig.run(rig.vm.systemReset());
    expect(rig.host.take()).toEqual([]);
  });
});

describe("the end", () => {
  it("asks nothing of vfio: descriptors just close", () => {
    const rig = createRig();
    rig.powerOn();
    const guest = new Hands(rig);
    guest.control(0x8000);
    guest.unmask(0);
    rig.host.take();
    rig.run(rig.vm.quit());
    expect(rig.host.take()).toEqual(["close fd", "close fd"]);
    expect(rig.vm.busy()).toBe(false);
  });

  it("takes with it what is in its eventfds", () => {
    const rig = createRig({ path: "userspace" });
    rig.powerOn();
    const guest = new Hands(rig);
    guest.control(0x8000);
    guest.unmask(0);
    rig.port.eventfds.signal(rig.host.armed.get("MSIX 0")!);
    rig.run(rig.vm.quit());
    rig.vm.settle();
    expect(rig.fates(rig.row("msix"))).toEqual({ "dropped-guest-dead": 1 });
  });
});
