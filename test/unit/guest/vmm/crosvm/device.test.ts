/** crosvm's calls, one rule a test (devices/src/pci/vfio_pci.rs, msix.rs). */
import { describe, expect, it } from "vitest";
import { createRig, Hands, only, type Rig, type RigOptions } from "../rig.ts";

const ENABLE = 0x8000;
const MASKALL = 0x4000;
const CAP = 0x70;

function start(options: RigOptions = {}): { rig: Rig; guest: Hands } {
  const rig = createRig({ vmm: "crosvm", ...options });
  rig.powerOn();
  return { rig, guest: new Hands(rig) };
}

function enable(guest: Hands, vectors = 4): void {
  guest.control(ENABLE | MASKALL);
  for (let v = 0; v < vectors; v++) guest.mask(v);
  guest.control(ENABLE);
}

function activate(guest: Hands, vector: number): void {
  guest.message(vector, 0, 0x20 + vector);
  guest.unmask(vector);
}

const msix = (rig: Rig): string[] => only(rig.host.take(), "MSIX");
const vfio = (rig: Rig): string[] => only(rig.host.take(), "MSIX", "MSI ", "INTX");
const INTX_ON = [
  "INTX 0 1 EVENTFD|TRIGGER [e1]",
  "INTX 0 1 NONE|MASK",
  "INTX 0 1 EVENTFD|UNMASK [e0]",
  "INTX 0 1 NONE|UNMASK",
];

describe("power-on", () => {
  it("gives INTx's pin to KVM once, and arms it masked until KVM can unmask it", () => {
    const rig = createRig({ vmm: "crosvm" });
    rig.run(rig.vm.realize());
    const log = rig.host.take();
    expect(only(log, "INTX", "irqfd", "reset")).toEqual([
      `irqfd assign e1 gsi ${rig.fn.intxPin} resample e0`,
      ...INTX_ON,
    ]);
  });

  it("asks for REQ at the guest's first write to config space, and never again", () => {
    const { rig } = start();
    rig.run(rig.vm.configWrite(rig.fn, 4, 2, 0));
    rig.run(rig.vm.configWrite(rig.fn, 4, 2, 0));
    expect(only(rig.host.take(), "REQ")).toEqual(["REQ 0 1 EVENTFD|TRIGGER [e2]"]);
  });
});

describe("MSI-X on", () => {
  it("with no vector used yet: the whole table with one eventfd, then all of it with none", () => {
    const { rig, guest } = start();
    guest.control(ENABLE | MASKALL);
    expect(vfio(rig)).toEqual([
      "INTX 0 0 NONE|TRIGGER",
      "MSIX 0 4 EVENTFD|TRIGGER [e3 -1 -1 -1]",
      "MSIX 0 4 EVENTFD|TRIGGER [-1 -1 -1 -1]",
    ]);
    expect(rig.host.allocations).toBe(4);
  });

  it("again: one call, with the reading eventfd of each vector that was used", () => {
    const { rig, guest } = start();
    enable(guest);
    for (const v of [0, 2]) activate(guest, v);
    for (const v of [0, 2]) guest.mask(v);
    guest.control(0);
    rig.host.take();
    guest.control(ENABLE | MASKALL);
    expect(msix(rig)).toEqual(["MSIX 0 4 EVENTFD|TRIGGER [e6 -1 e7 -1]"]);
  });

  it("tells the whole table when the function mask changes", () => {
    const { rig, guest } = start();
    enable(guest);
    for (const v of [0, 1]) activate(guest, v);
    rig.host.take();
    guest.control(ENABLE | MASKALL);
    guest.control(ENABLE);
    expect(msix(rig)).toEqual([
      "MSIX 0 4 EVENTFD|TRIGGER [e6 e7 -1 -1]",
      "MSIX 0 4 EVENTFD|TRIGGER [e4 e5 -1 -1]",
    ]);
  });

  it("takes a smaller number of vectors for success", () => {
    const { rig, guest } = start();
    rig.host.verdicts.push({ begins: "MSIX 0 4", ret: 2 }, { begins: "MSIX 0 4", ret: 2 });
    guest.control(ENABLE | MASKALL);
    expect(vfio(rig).at(-1)).toBe("MSIX 0 4 EVENTFD|TRIGGER [-1 -1 -1 -1] -> 2");
    expect(rig.vm.counters()).toMatchObject({ short_grants_taken_for_success: 2 });
  });

  it("goes back to INTx after an error, of which the guest hears nothing", () => {
    const { rig, guest } = start();
    rig.host.verdicts.push({ begins: "MSIX 0 4", ret: -28 });
    guest.control(ENABLE | MASKALL);
    expect(vfio(rig).slice(-4)).toEqual(INTX_ON);
    expect(rig.vm.counters()).toMatchObject({ msix_errors: 1 });
  });
});

describe("growth", () => {
  it("is an irqfd, its route, and one call for the vector", () => {
    const { rig, guest } = start();
    enable(guest);
    rig.host.take();
    activate(guest, 2);
    expect(rig.host.take()).toEqual([
      "irqfd assign e4 gsi 24",
      "routing 24:0xfee00000:0x22 gone ",
      "MSIX 2 1 EVENTFD|TRIGGER [e4]",
    ]);
  });

  it("ends at GSI 1023: the entry is masked again behind the guest's back", () => {
    const { rig, guest } = start({ msixVectors: 1001 });
    enable(guest, 0);
    for (let v = 0; v < 1000; v++) guest.unmask(v);
    rig.host.take();
    guest.unmask(1000);
    expect(msix(rig)).toEqual(["MSIX 1000 1 EVENTFD|TRIGGER [-1]"]);
    expect(rig.vm.counters()).toMatchObject({ msix_enable_one_errors: 1 });
    const control = rig.vm.mmioRead(rig.fn, 0, 0x2000 + 16 * 1000 + 12, 4);
    expect(rig.run(control)).toBe(1);
  }, 60_000);
});

describe("mask and unmask of a vector that was used", () => {
  it("swap the irqfd's eventfd for one that crosvm reads, and back; none of them is -1", () => {
    const { rig, guest } = start();
    enable(guest);
    activate(guest, 1);
    rig.host.take();
    guest.mask(1);
    guest.unmask(1);
    expect(vfio(rig)).toEqual(["MSIX 1 1 EVENTFD|TRIGGER [e5]", "MSIX 1 1 EVENTFD|TRIGGER [e4]"]);
  });

  it("latch what comes in between, and let it go at the unmask", () => {
    const { rig, guest } = start();
    rig.run(rig.vm.configWrite(rig.fn, 4, 2, 4));
    enable(guest);
    activate(guest, 1);
    guest.mask(1);
    rig.host.signal("MSIX", 1);
    rig.host.signal("MSIX", 1);
    rig.settle();
    expect(rig.injected()).toEqual([]);
    guest.unmask(1);
    expect(rig.injected()).toEqual(["0:33"]);
    expect(rig.fates(rig.row("msix", 1))).toEqual({ "coalesced-eventfd": 1 });
  });

  it("a masked vector that was never used has none to swap", () => {
    const { rig, guest } = start();
    enable(guest);
    rig.host.take();
    guest.mask(3);
    guest.message(3, 0, 0x40);
    expect(msix(rig)).toEqual([]);
  });
});

describe("MSI-X off", () => {
  it("is one call and INTx; irqfds, GSIs and eventfds stay for the next time", () => {
    const { rig, guest } = start();
    enable(guest);
    activate(guest, 0);
    rig.host.take();
    guest.control(0);
    expect(only(rig.host.take(), "MSIX", "INTX", "irqfd", "close")).toEqual([
      "MSIX 0 0 NONE|TRIGGER",
      ...INTX_ON,
    ]);
  });

  it("that fails leaves INTx off, too", () => {
    const { rig, guest } = start();
    enable(guest);
    rig.host.verdicts.push({ begins: "MSIX 0 0", ret: -22 });
    rig.host.take();
    guest.control(0);
    expect(vfio(rig)).toEqual(["MSIX 0 0 NONE|TRIGGER -> -22"]);
  });
});

describe("MSI", () => {
  it("is one eventfd at INTx's expense", () => {
    const rig = createRig({ vmm: "crosvm", msixVectors: 0, msiVectors: 1 });
    rig.powerOn();
    rig.run(rig.vm.configWrite(rig.fn, 0x52, 2, 1));
    rig.run(rig.vm.configWrite(rig.fn, 0x52, 2, 0));
    expect(vfio(rig)).toEqual([
      "INTX 0 0 NONE|TRIGGER",
      "MSI 0 1 EVENTFD|TRIGGER [e3]",
      "MSI 0 0 NONE|TRIGGER",
      ...INTX_ON,
    ]);
  });
});

describe("the end", () => {
  it("of the process is a reboot: vfio is asked for nothing, all is closed and opened", () => {
    const { rig, guest } = start();
    enable(guest);
    activate(guest, 0);
    rig.host.take();
    rig.run(rig.vm.systemReset());
    const log = rig.host.take();
    expect(log[0]).toBe("close fd");
    expect(only(log, "MSIX", "reset")).toEqual([]);
    expect(only(log, "open")).toEqual(["open /dev/kvm", "open /dev/vfio/nvme0"]);
    expect(only(log, "INTX")).toHaveLength(4);
    rig.run(rig.vm.configWrite(rig.fn, CAP + 2, 2, ENABLE | MASKALL));
    expect(msix(rig)).toHaveLength(2);
  });

  it("of a device that is ejected takes its irqfds down and asks vfio for nothing", () => {
    const { rig, guest } = start();
    enable(guest);
    activate(guest, 0);
    rig.host.take();
    rig.run(rig.vm.eject(rig.fn));
    const log = rig.host.take();
    expect(only(log, "MSIX", "INTX")).toEqual([]);
    expect(only(log, "irqfd")).toEqual(["irqfd deassign e4 gsi 24"]);
  });

  it("leaves nothing open", () => {
    const { rig, guest } = start();
    enable(guest);
    activate(guest, 0);
    rig.run(rig.vm.quit());
    expect(rig.host.openFds).toBe(0);
  });
});
