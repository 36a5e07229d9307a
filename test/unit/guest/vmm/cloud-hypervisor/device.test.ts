/** cloud-hypervisor's calls, one rule a test (pci/src/vfio.rs, msix.rs, vmm/src/interrupt.rs). */
import { describe, expect, it } from "vitest";
import { createRig, Hands, only, type Rig, type RigOptions } from "../rig.ts";

const ENABLE = 0x8000;
const MASKALL = 0x4000;
const VCPU0 = 0xfee00000;

function start(options: RigOptions = {}): { rig: Rig; guest: Hands } {
  const rig = createRig({ vmm: "cloud-hypervisor", ...options });
  rig.powerOn();
  return { rig, guest: new Hands(rig) };
}

/** As Linux does: function mask first, all entries masked, then the function mask cleared. */
function enable(guest: Hands, vectors = 4): void {
  guest.control(ENABLE | MASKALL);
  for (let v = 0; v < vectors; v++) guest.mask(v);
  guest.control(ENABLE);
}

/** As Linux activates a vector: the message, then the mask bit. */
function activate(guest: Hands, vector: number): void {
  guest.message(vector, 0, 0x20 + vector);
  guest.unmask(vector);
}

const calls = (rig: Rig): string[] =>
  only(rig.host.take(), "MSIX", "MSI", "INTX", "irqfd", "reset");
const vfio = (rig: Rig): string[] => only(rig.host.take(), "MSIX", "MSI ", "INTX");

describe("power-on", () => {
  it("resets the device first, then turns INTx on and masks nothing", () => {
    const rig = createRig({ vmm: "cloud-hypervisor" });
    rig.run(rig.vm.realize());
    expect(calls(rig)).toEqual(["reset", "INTX 0 1 EVENTFD|TRIGGER [e0]"]);
  });

  it("does not reset what cannot be reset", () => {
    const rig = createRig({ vmm: "cloud-hypervisor", resets: false });
    rig.run(rig.vm.realize());
    expect(calls(rig)).toEqual(["INTX 0 1 EVENTFD|TRIGGER [e0]"]);
  });

  it("makes an eventfd for every entry, before any is used", () => {
    const few = createRig({ vmm: "cloud-hypervisor", msixVectors: 1 });
    const many = createRig({ vmm: "cloud-hypervisor", msixVectors: 65 });
    for (const rig of [few, many]) rig.run(rig.vm.realize());
    expect(many.host.openFds - few.host.openFds).toBe(64);
  });
});

describe("MSI-X on", () => {
  it("arms the whole table in one call, whatever the guest will use", () => {
    const { rig, guest } = start();
    enable(guest);
    expect(vfio(rig)).toEqual(["INTX 0 0 NONE|TRIGGER", "MSIX 0 4 EVENTFD|TRIGGER [e1 e2 e3 e4]"]);
    expect(rig.host.allocations).toBe(4);
  });

  it("is the same call on a kernel that could add vectors later", () => {
    for (const noresize of [false, true]) {
      const { rig, guest } = start({ noresize });
      enable(guest);
      expect(only(rig.host.take(), "MSIX")).toHaveLength(1);
    }
  });

  it("takes a smaller number of vectors for success: nothing is armed, nothing is said", () => {
    const { rig, guest } = start();
    rig.host.verdicts.push({ begins: "MSIX 0 4", ret: 2 });
    enable(guest);
    expect(rig.vm.counters()).toMatchObject({ short_grants_taken_for_success: 1 });
    expect(rig.vm.counters().msix_errors).toBeUndefined();
    expect(rig.host.armed.size).toBe(0);
  });

  it("leaves the device without any interrupt after an error", () => {
    const { rig, guest } = start();
    rig.host.verdicts.push({ begins: "MSIX 0 4", ret: -28 });
    enable(guest);
    expect(vfio(rig)).toEqual([
      "INTX 0 0 NONE|TRIGGER",
      "MSIX 0 4 EVENTFD|TRIGGER [e1 e2 e3 e4] -> -28",
    ]);
    expect(rig.vm.counters()).toMatchObject({ msix_errors: 1 });
  });
});

describe("growth, mask and unmask", () => {
  it("never reach vfio: a vector's first unmask makes its route and its irqfd", () => {
    const { rig, guest } = start();
    enable(guest);
    rig.host.take();
    activate(guest, 2);
    expect(rig.host.take()).toEqual(["routing 24:0xfee00000:0x22 gone ", "irqfd assign e3 gsi 24"]);
  });

  it("masking one changes nothing, and unmasking it again only the routes", () => {
    const { rig, guest } = start();
    enable(guest);
    activate(guest, 0);
    const routings = (): number => rig.vm.counters().kvm_set_gsi_routing ?? 0;
    const before = routings();
    rig.host.take();
    guest.mask(0);
    expect(routings()).toBe(before);
    guest.unmask(0);
    expect(routings()).toBe(before + 1);
    expect(calls(rig)).toEqual([]);
  });

  it("a message that is written while masked is no route until the mask is cleared", () => {
    const { rig, guest } = start();
    enable(guest);
    guest.message(1, 1, 0x55);
    expect(rig.vm.counters().kvm_set_gsi_routing).toBeUndefined();
    guest.unmask(1);
    expect(rig.vm.counters().kvm_set_gsi_routing).toBe(1);
  });

  it("the function mask takes the irqfds off, and clearing it puts them back", () => {
    const { rig, guest } = start();
    enable(guest);
    for (const v of [0, 1]) activate(guest, v);
    rig.host.take();
    guest.control(ENABLE | MASKALL);
    expect(calls(rig)).toEqual(["irqfd deassign e1 gsi 24", "irqfd deassign e2 gsi 25"]);
    const before = rig.vm.counters().kvm_set_gsi_routing!;
    guest.control(ENABLE);
    expect(rig.vm.counters().kvm_set_gsi_routing).toBe(before + 2);
    expect(calls(rig)).toEqual(["irqfd assign e1 gsi 24", "irqfd assign e2 gsi 25"]);
  });
});

describe("routes", () => {
  it("are told all at once: N vectors cost N calls and N(N+1)/2 routes", () => {
    const { rig, guest } = start({ msixVectors: 32 });
    enable(guest, 32);
    for (let v = 0; v < 32; v++) activate(guest, v);
    expect(rig.vm.counters().kvm_set_gsi_routing).toBe(32);
    expect(rig.host.routesTold).toBe((32 * 33) / 2);
  });

  it("version 51.0 spends a GSI on every vector there is, used or not", () => {
    const { rig } = start({ msixVectors: 2048, functions: 2, version: "51.0" });
    const guest = new Hands(rig, 0x2000, 0x70, rig.vm.functions[1]!);
    guest.control(ENABLE);
    guest.message(2047, 0, 0x20);
    guest.unmask(2047);
    expect(rig.vm.counters()).toMatchObject({ failed_updating_vector: 1 });
    // The refused route stays in the table and spoils every later update, of any vector.
    guest.unmask(0);
    expect(rig.vm.counters()).toMatchObject({ failed_updating_vector: 2 });
  });
});

describe("MSI-X off", () => {
  it("takes the irqfds off, turns the index off in one call, and INTx on", () => {
    const { rig, guest } = start();
    enable(guest);
    activate(guest, 0);
    rig.host.take();
    guest.control(0);
    expect(calls(rig)).toEqual([
      "irqfd deassign e1 gsi 24",
      "MSIX 0 0 NONE|TRIGGER",
      "INTX 0 1 EVENTFD|TRIGGER [e0]",
    ]);
  });

  it("uses the same eventfds and GSIs when it comes on again", () => {
    const { rig, guest } = start();
    enable(guest);
    activate(guest, 3);
    guest.mask(3);
    guest.control(0);
    rig.host.take();
    enable(guest);
    activate(guest, 3);
    expect(only(rig.host.take(), "MSIX", "irqfd")).toEqual([
      "MSIX 0 4 EVENTFD|TRIGGER [e1 e2 e3 e4]",
      "irqfd assign e4 gsi 24",
    ]);
  });
});

describe("INTx", () => {
  it("is unmasked by every access that leaves the guest near the table, and by none else", () => {
    const { rig, guest } = start();
    guest.entry(0, 8, 0x30);
    expect(vfio(rig)).toEqual(["INTX 0 1 NONE|UNMASK"]);
    rig.run(rig.vm.mmioRead(rig.fn, 0, 0x10, 4));
    rig.run(rig.vm.mmioWrite(rig.fn, 0, 0x10, 4, 1));
    expect(vfio(rig)).toEqual([]);
  });

  it("goes to KVM as the message of its IOAPIC pin, without a resample eventfd", () => {
    const { rig } = start();
    rig.run(rig.vm.ioapicWrite(rig.fn.intxPin, 0xa031, 0x01000000));
    const [routing, irqfd] = rig.host.take().filter((line) => /^routing|^irqfd.*e0/.test(line));
    expect(routing).toBe("routing 24:0xfee01000:0x8031 gone ");
    expect(irqfd).toBe("irqfd assign e0 gsi 24");
    rig.run(rig.vm.ioapicWrite(rig.fn.intxPin, 0x1a031, 0x01000000));
    expect(only(rig.host.take(), "irqfd")).toContain("irqfd deassign e0 gsi 24");
  });
});

describe("MSI", () => {
  const MSI = 0x50;
  const options = { msixVectors: 0, msiVectors: 1 };

  it("is one call with one eventfd, before the device sees the enable bit", () => {
    const { rig } = start(options);
    rig.run(rig.vm.configWrite(rig.fn, MSI + 4, 4, VCPU0));
    rig.run(rig.vm.configWrite(rig.fn, MSI + 12, 2, 0x40));
    rig.host.take();
    rig.run(rig.vm.configWrite(rig.fn, MSI + 2, 2, 1));
    expect(rig.host.take()).toEqual([
      "routing 24:0xfee00000:0x40 gone ",
      "irqfd assign e1 gsi 24",
      "INTX 0 0 NONE|TRIGGER",
      "MSI 0 1 EVENTFD|TRIGGER [e1]",
      "pwrite 0x70000000052 0x1 0x0",
    ]);
    rig.run(rig.vm.configWrite(rig.fn, MSI + 2, 2, 0));
    expect(calls(rig)).toEqual([
      "irqfd deassign e1 gsi 24",
      "MSI 0 0 NONE|TRIGGER",
      "INTX 0 1 EVENTFD|TRIGGER [e0]",
    ]);
  });
});

describe("the end", () => {
  it("of a VM is a reboot, too: off what is on, all closed, and power-on anew", () => {
    const { rig, guest } = start();
    enable(guest);
    activate(guest, 0);
    rig.host.take();
    rig.run(rig.vm.systemReset());
    const log = rig.host.take();
    expect(log[0]).toBe("MSIX 0 0 NONE|TRIGGER");
    expect(log.indexOf("close fd")).toBeLessThan(log.indexOf("open /dev/kvm"));
    expect(log.indexOf("open /dev/vfio/nvme0")).toBeLessThan(log.indexOf("reset"));
    const last = only(log, "INTX");
    expect(last).toHaveLength(1);
    expect(last[0]).toMatch(/^INTX 0 1 EVENTFD\|TRIGGER/);
  });

  it("turns INTx off where that is on, and leaves nothing open", () => {
    const { rig } = start();
    rig.run(rig.vm.quit());
    expect(vfio(rig)).toEqual(["INTX 0 0 NONE|TRIGGER"]);
    expect(rig.host.openFds).toBe(0);
  });

  it("of a device that is ejected frees its GSIs for the next", () => {
    const { rig, guest } = start();
    enable(guest);
    activate(guest, 0);
    rig.run(rig.vm.eject(rig.fn));
    rig.host.take();
    rig.run(rig.vm.plug(rig.fn));
    enable(guest);
    activate(guest, 1);
    expect(only(rig.host.take(), "irqfd")).toEqual([expect.stringMatching(/assign e\d+ gsi 24$/)]);
  });
});
