/** MSI-X through QEMU: the calls of enable, growth, mask, off and reset, and where tokens go. */
import { describe, expect, it } from "vitest";
import { createRig, Hands, only, type Rig, type RigOptions } from "../rig.ts";

const ENABLE = 0x8000;
const MASKALL = 0x4000;

function start(options: RigOptions = {}): { rig: Rig; guest: Hands } {
  const rig = createRig(options);
  rig.powerOn();
  return { rig, guest: new Hands(rig) };
}

/** As Linux does: function mask first, entries masked, then the mask cleared. */
function enable(guest: Hands): void {
  guest.control(ENABLE | MASKALL);
  guest.control(ENABLE);
}

const msix = (rig: Rig): string[] => only(rig.host.take(), "MSIX");

describe("enable with no live entry", () => {
  it("arms nothing but allocates vector 0, from 10.0 on", () => {
    for (const version of ["10.0", "11.1"] as const) {
      for (const noresize of [false, true]) {
        const { rig, guest } = start({ version, noresize });
        enable(guest);
        expect(msix(rig)).toEqual(["MSIX 0 1 EVENTFD|TRIGGER [-1]"]);
      }
    }
  });

  it("uses and releases vector 0 in 7.2, after turning off what is not on", () => {
    const { rig, guest } = start({ version: "7.2" });
    enable(guest);
    expect(msix(rig)).toEqual(["MSIX 0 0 NONE|TRIGGER", "MSIX 0 1 EVENTFD|TRIGGER [e6]"]);
    expect(rig.vm.counters()).toMatchObject({ set_irqs_failed: 1 });
  });
});

describe("enable with live entries", () => {
  const alive = (options: RigOptions): string[] => {
    const { rig, guest } = start({ msixVectors: 6, ...options });
    for (const v of [0, 1, 3]) guest.unmask(v);
    rig.host.take();
    guest.control(ENABLE);
    return msix(rig);
  };

  it("turns MSI-X on first and then sets all of them, where vectors can be added", () => {
    expect(alive({ version: "10.0" })).toEqual([
      "MSIX 0 1 EVENTFD|TRIGGER [-1]",
      "MSIX 0 4 EVENTFD|TRIGGER [e6 e7 -1 e9]",
    ]);
  });

  it("makes one call where they cannot", () => {
    for (const options of [{ version: "7.2" }, { version: "10.0", noresize: true }] as const) {
      expect(alive(options)).toEqual(["MSIX 0 4 EVENTFD|TRIGGER [e6 e7 -1 e9]"]);
    }
  });
});

describe("a vector unmasked for the first time", () => {
  it("is added to a dynamic MSI-X, whatever lies below it", () => {
    const { rig, guest } = start({ version: "11.1", msixVectors: 10 });
    enable(guest);
    rig.host.take();
    guest.unmask(7);
    expect(msix(rig)).toEqual(["MSIX 7 1 EVENTFD|TRIGGER [e6]"]);
    expect(rig.host.allocations).toBe(2);
  });

  it("has a static MSI-X taken down and set up anew with k, u and none", () => {
    const { rig, guest } = start({ version: "7.2", msixVectors: 10 });
    enable(guest);
    guest.unmask(1);
    guest.unmask(0);
    guest.mask(1);
    rig.host.take();
    guest.unmask(3);
    const [off, all, ...more] = msix(rig);
    expect(off).toBe("MSIX 0 0 NONE|TRIGGER");
    expect(more).toEqual([]);
    // Vector 0 is live on its k, 1 is masked on its u, 2 was never used.
    expect(all).toMatch(/^MSIX 0 4 EVENTFD\|TRIGGER \[e\d+ e\d+ -1 e\d+\]$/);
    expect([...rig.host.armed.keys()].sort()).toEqual([
      "ERR 0",
      "MSIX 0",
      "MSIX 1",
      "MSIX 3",
      "REQ 0",
    ]);
  });

  it("costs 65 vectors one by one 2,145 allocations on 7.2", () => {
    const { rig, guest } = start({ version: "7.2", msixVectors: 65 });
    enable(guest);
    for (let v = 0; v < 65; v++) guest.unmask(v);
    expect(rig.host.allocations).toBe((65 * 66) / 2);
    expect(rig.host.allocations).toBe(2145);
  });

  it("costs them one more on 10.0 with a static kernel, for the empty enable", () => {
    const { rig, guest } = start({ version: "10.0", noresize: true, msixVectors: 65 });
    enable(guest);
    rig.host.allocations = 0;
    for (let v = 0; v < 65; v++) guest.unmask(v);
    expect(rig.host.allocations).toBe(2145);
  });

  it("costs 65 allocations where vectors can be added", () => {
    const { rig, guest } = start({ version: "10.0", msixVectors: 65 });
    enable(guest);
    for (let v = 0; v < 65; v++) guest.unmask(v);
    expect(rig.host.allocations).toBe(65);
  });
});

describe("mask and unmask", () => {
  it("swap k for u and back, never for -1", () => {
    const { rig, guest } = start();
    enable(guest);
    guest.unmask(0);
    rig.host.take();
    guest.mask(0);
    guest.mask(0);
    guest.unmask(0);
    expect(msix(rig)).toEqual(["MSIX 0 1 EVENTFD|TRIGGER [e7]", "MSIX 0 1 EVENTFD|TRIGGER [e6]"]);
  });

  it("are no calls on the userspace path, but for the unmask", () => {
    const { rig, guest } = start({ path: "userspace" });
    enable(guest);
    guest.unmask(0);
    rig.host.take();
    guest.mask(0);
    expect(msix(rig)).toEqual([]);
    guest.unmask(0);
    expect(msix(rig)).toHaveLength(1);
  });

  it("go through all vectors when the function mask moves", () => {
    const { rig, guest } = start();
    enable(guest);
    for (const v of [0, 2]) guest.unmask(v);
    rig.host.take();
    guest.control(ENABLE | MASKALL);
    guest.control(ENABLE);
    expect(msix(rig).map((line) => line.slice(0, 8))).toEqual([
      "MSIX 0 1",
      "MSIX 2 1",
      "MSIX 0 1",
      "MSIX 2 1",
    ]);
  });

  it("commit the route again, even unchanged", () => {
    const { rig, guest } = start();
    enable(guest);
    guest.unmask(0);
    const before = rig.vm.counters().kvm_set_gsi_routing!;
    guest.mask(0);
    guest.unmask(0);
    expect(rig.vm.counters().kvm_set_gsi_routing).toBe(before + 1);
  });
});

describe("off", () => {
  it("releases used vectors once more, turns the index off, closes k and u, INTx on", () => {
    const { rig, guest } = start();
    enable(guest);
    for (const v of [0, 1]) guest.unmask(v);
    guest.mask(1);
    rig.host.take();
    guest.control(0);
    const log = rig.host.take().filter((line) => !line.startsWith("pwrite"));
    expect(log.slice(0, 9)).toEqual([
      "MSIX 0 1 EVENTFD|TRIGGER [e9]",
      "MSIX 1 1 EVENTFD|TRIGGER [e8]",
      "MSIX 0 0 NONE|TRIGGER",
      "irqfd deassign e6 gsi 2",
      "close e6",
      "close e9",
      "irqfd deassign e7 gsi 24",
      "close e7",
      "close e8",
    ]);
    expect(only(log, "INTX")).toHaveLength(4);
  });

  it("asks for the index to be turned off even if no vector was ever used", () => {
    const { rig, guest } = start({ path: "userspace" });
    enable(guest);
    rig.host.take();
    guest.control(0);
    expect(msix(rig)).toEqual(["MSIX 0 0 NONE|TRIGGER"]);
  });
});

describe("a system reset", () => {
  it("sets live vectors to u twice, then resets between two states of INTx", () => {
    const { rig, guest } = start();
    enable(guest);
    for (const v of [0, 1]) guest.unmask(v);
    guest.mask(1);
    rig.host.take();
    rig.run(rig.vm.systemReset());
    const log = rig.host.take();
    expect(only(log, "MSIX")).toEqual([
      "MSIX 0 1 EVENTFD|TRIGGER [e9]",
      "MSIX 0 1 EVENTFD|TRIGGER [e9]",
      "MSIX 1 1 EVENTFD|TRIGGER [e8]",
      "MSIX 0 0 NONE|TRIGGER",
    ]);
    const kinds = only(log, "INTX 0 1 EVENTFD|TRIGGER", "INTX 0 0", "reset");
    expect(kinds.map((line) => line.split(" [")[0])).toEqual([
      "INTX 0 1 EVENTFD|TRIGGER",
      "INTX 0 0 NONE|TRIGGER",
      "reset",
      "INTX 0 1 EVENTFD|TRIGGER",
    ]);
    expect(rig.run(rig.vm.configRead(rig.fn, 0x72, 2))).toBe(3);
  });
});

describe("interrupts on the userspace path", () => {
  const armed = (): { rig: Rig; guest: Hands; row: number } => {
    const { rig, guest } = start({ path: "userspace" });
    rig.run(rig.vm.configWrite(rig.fn, 4, 2, 6));
    enable(guest);
    guest.message(2, 1, 0x41);
    guest.unmask(2);
    return { rig, guest, row: rig.row("msix", 2) };
  };

  it("are injected by QEMU where the table says", () => {
    const { rig, row } = armed();
    expect(rig.host.signal("MSIX", 2)).toBe(true);
    rig.settle();
    expect(rig.injected()).toEqual(["1:65"]);
    expect(rig.fates(row)).toEqual({});
  });

  it("merge in the eventfd and in the virtual APIC", () => {
    const { rig, row } = armed();
    rig.host.signal("MSIX", 2);
    rig.host.signal("MSIX", 2);
    rig.host.signal("MSIX", 2);
    rig.settle();
    rig.host.signal("MSIX", 2);
    rig.settle();
    expect(rig.fates(row)).toEqual({ "coalesced-eventfd": 2, "coalesced-irr": 1 });
    expect(rig.injected()).toEqual(["1:65"]);
  });

  it("wait in the emulated PBA while masked, once, and go out at unmask", () => {
    const { rig, guest, row } = armed();
    guest.mask(2);
    rig.host.signal("MSIX", 2);
    rig.settle();
    rig.host.signal("MSIX", 2);
    rig.settle();
    expect(rig.injected()).toEqual([]);
    expect(rig.run(rig.vm.mmioRead(rig.fn, 0, 0xa000, 4))).toBe(1 << 2);
    expect(rig.fates(row)).toEqual({ "coalesced-virtual-pba": 1 });
    guest.unmask(2);
    expect(rig.injected()).toEqual(["1:65"]);
    expect(rig.run(rig.vm.mmioRead(rig.fn, 0, 0xa000, 4))).toBe(0);
  });

  it("are lost in the emulated PBA with a system reset, and with MSI-X off", () => {
    for (const [end, fate] of [
      [(r: Rig) => r.run(r.vm.systemReset()), "dropped-guest-reset"],
      [(r: Rig) => new Hands(r).control(0), "dropped-disabled"],
    ] as const) {
      const { rig, guest, row } = armed();
      guest.mask(2);
      rig.host.signal("MSIX", 2);
      rig.settle();
      end(rig);
      expect(rig.fates(row)).toEqual({ [fate]: 1 });
    }
  });

  it("are lost with the eventfd that is closed on them", () => {
    const { rig, guest, row } = armed();
    const slot = rig.host.armed.get("MSIX 2")!;
    rig.port.eventfds.signal(slot);
    rig.port.eventfds.signal(slot);
    guest.control(0);
    expect(rig.fates(row)).toEqual({ "dropped-closed": 2 });
  });

  it("to a vCPU or vector that is not there are lost", () => {
    const { rig, guest, row } = armed();
    guest.mask(2);
    guest.message(2, 7, 0x41);
    guest.unmask(2);
    rig.host.signal("MSIX", 2);
    rig.settle();
    guest.mask(2);
    guest.message(2, 0, 5);
    guest.unmask(2);
    rig.host.signal("MSIX", 2);
    rig.settle();
    expect(rig.fates(row)).toEqual({ "dropped-guest-unhandled": 2 });
  });

  it("that wait at the end are pending where they wait", () => {
    const { rig, guest, row } = armed();
    guest.mask(2);
    rig.host.signal("MSIX", 2);
    rig.settle();
    rig.port.eventfds.signal(rig.host.armed.get("MSIX 2")!);
    rig.vm.settle();
    expect(rig.fates(row)).toEqual({ "pending-guest": 1, "pending-eventfd": 1 });
  });
});

describe("interrupts on the irqfd path", () => {
  it("of a masked vector come to QEMU, wait, and go out at unmask", () => {
    const { rig, guest } = start();
    rig.run(rig.vm.configWrite(rig.fn, 4, 2, 6));
    enable(guest);
    guest.message(0, 0, 0x30);
    guest.unmask(0);
    guest.mask(0);
    rig.host.signal("MSIX", 0);
    rig.settle();
    expect(rig.injected()).toEqual([]);
    guest.unmask(0);
    expect(rig.injected()).toEqual(["0:48"]);
  });

  it("of a live vector are the kernel's: QEMU does not read k", () => {
    const { rig, guest } = start();
    enable(guest);
    guest.unmask(0);
    rig.host.signal("MSIX", 0);
    rig.settle();
    expect(rig.port.eventfds.count(rig.host.armed.get("MSIX 0")!)).toBe(1n);
  });
});

describe("failures", () => {
  it("are only logged: the guest sees success", () => {
    const { rig, guest } = start();
    enable(guest);
    rig.host.verdicts.push({ begins: "MSIX 1 1", ret: -28 });
    guest.unmask(1);
    expect(rig.vm.counters()).toMatchObject({ msix_errors: 1, set_irqs_failed: 1 });
    const events = rig.tracer.events.filter(({ point }) => point === "vfio_msix_fixup_error");
    expect(events.map(({ args }) => args)).toEqual([{ device: "nvme0", vector: 1, result: -28 }]);
    expect(rig.run(rig.vm.mmioRead(rig.fn, 0, 0x2000 + 16 + 12, 4))).toBe(0);
  });

  it("of a regrowth leave nothing armed, and a positive result is one of them", () => {
    const { rig, guest } = start({ version: "7.2" });
    enable(guest);
    guest.unmask(0);
    rig.host.verdicts.push({ begins: "MSIX 0 2", ret: 1 });
    guest.unmask(1);
    expect([...rig.host.armed.keys()].filter((key) => key.startsWith("MSIX"))).toEqual([]);
    expect(rig.vm.counters()).toMatchObject({ msix_errors: 1 });
  });

  it("of KVM leave the vector with QEMU", () => {
    const { rig, guest } = start();
    rig.run(rig.vm.configWrite(rig.fn, 4, 2, 6));
    enable(guest);
    guest.message(0, 0, 0x30);
    rig.host.verdicts.push({ begins: "irqfd assign", ret: -12 });
    guest.unmask(0);
    rig.host.signal("MSIX", 0);
    rig.settle();
    expect(rig.injected()).toEqual(["0:48"]);
  });
});
