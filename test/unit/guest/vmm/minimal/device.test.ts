/** The minimal VMM's calls, one rule a test: a trigger while unmasked, none while masked. */
import { describe, expect, it } from "vitest";
import { createRig, Hands, only, type Rig, type RigOptions } from "../rig.ts";

const ENABLE = 0x8000;
const MASKALL = 0x4000;

function start(options: RigOptions = {}): { rig: Rig; guest: Hands } {
  const rig = createRig({ vmm: "minimal", ...options });
  rig.powerOn();
  return { rig, guest: new Hands(rig) };
}

function enable(guest: Hands): void {
  guest.control(ENABLE | MASKALL);
  guest.control(ENABLE);
}

const msix = (rig: Rig): string[] => only(rig.host.take(), "MSIX");
const INTX_ON = [
  "INTX 0 1 EVENTFD|TRIGGER [e1]",
  "INTX 0 1 NONE|MASK",
  "INTX 0 1 EVENTFD|UNMASK [e0]",
  "INTX 0 1 NONE|UNMASK",
];

describe("MSI-X on", () => {
  it("takes one vector and arms none, where others can be added", () => {
    const { rig, guest } = start();
    enable(guest);
    expect(only(rig.host.take(), "INTX", "MSIX")).toEqual([
      "INTX 0 0 NONE|TRIGGER",
      "MSIX 0 1 EVENTFD|TRIGGER [-1]",
    ]);
  });

  it("takes the whole table, where they cannot", () => {
    const { rig, guest } = start({ noresize: true });
    enable(guest);
    expect(msix(rig)).toEqual(["MSIX 0 4 EVENTFD|TRIGGER [-1 -1 -1 -1]"]);
    expect(rig.host.allocations).toBe(4);
  });

  it("then arms what is unmasked already", () => {
    const { rig, guest } = start();
    for (const v of [1, 3]) guest.unmask(v);
    guest.control(ENABLE);
    expect(msix(rig)).toEqual([
      "MSIX 0 1 EVENTFD|TRIGGER [-1]",
      "MSIX 1 1 EVENTFD|TRIGGER [e2]",
      "MSIX 3 1 EVENTFD|TRIGGER [e3]",
    ]);
  });
});

describe("a vector", () => {
  it("gets its trigger at each unmask and loses it at each mask", () => {
    const { rig, guest } = start();
    enable(guest);
    rig.host.take();
    for (let i = 0; i < 2; i++) {
      guest.unmask(2);
      guest.mask(2);
    }
    expect(msix(rig)).toEqual([
      "MSIX 2 1 EVENTFD|TRIGGER [e2]",
      "MSIX 2 1 EVENTFD|TRIGGER [-1]",
      "MSIX 2 1 EVENTFD|TRIGGER [e2]",
      "MSIX 2 1 EVENTFD|TRIGGER [-1]",
    ]);
  });

  it("keeps its irqfd and GSI meanwhile", () => {
    const { rig, guest } = start();
    enable(guest);
    guest.unmask(2);
    guest.mask(2);
    guest.unmask(2);
    expect(only(rig.host.take(), "irqfd")).toHaveLength(1);
  });

  it("that cannot be armed is only counted: the guest sees success", () => {
    const { rig, guest } = start();
    enable(guest);
    rig.host.verdicts.push({ begins: "MSIX 2 1", ret: -28 });
    guest.unmask(2);
    expect(rig.vm.counters()).toMatchObject({ msix_errors: 1 });
    expect(rig.tracer.events.at(-1)).toMatchObject({
      point: "vfio_msix_fixup_error",
      args: { vector: 2, result: -28 },
    });
  });

  it("follows the function mask, one call each", () => {
    const { rig, guest } = start();
    enable(guest);
    for (const v of [0, 1]) guest.unmask(v);
    rig.host.take();
    guest.control(ENABLE | MASKALL);
    guest.control(ENABLE);
    expect(msix(rig)).toEqual([
      "MSIX 0 1 EVENTFD|TRIGGER [-1]",
      "MSIX 1 1 EVENTFD|TRIGGER [-1]",
      "MSIX 0 1 EVENTFD|TRIGGER [e2]",
      "MSIX 1 1 EVENTFD|TRIGGER [e3]",
    ]);
  });

  it("that is rewritten while live only changes its route", () => {
    const { rig, guest } = start();
    enable(guest);
    guest.unmask(0);
    rig.host.take();
    guest.entry(0, 8, 0x77);
    expect(rig.host.take()).toEqual([expect.stringMatching(/^routing .*0x77/)]);
  });
});

describe("off and reset", () => {
  it("MSI-X off is one call, then INTx", () => {
    const { rig, guest } = start();
    enable(guest);
    guest.unmask(0);
    rig.host.take();
    guest.control(0);
    expect(only(rig.host.take(), "MSIX", "INTX")).toEqual(["MSIX 0 0 NONE|TRIGGER", ...INTX_ON]);
  });

  it("a reset turns off what is on, resets the device, and turns INTx on: once", () => {
    const { rig, guest } = start();
    enable(guest);
    guest.unmask(0);
    rig.host.take();
    rig.run(rig.vm.systemReset());
    expect(only(rig.host.take(), "MSIX", "INTX", "reset", "open")).toEqual([
      "MSIX 0 0 NONE|TRIGGER",
      "reset",
      ...INTX_ON,
    ]);
    expect(rig.run(rig.vm.configRead(rig.fn, 0x72, 2)) & ENABLE).toBe(0);
  });

  it("the end leaves nothing open", () => {
    const { rig, guest } = start();
    enable(guest);
    guest.unmask(0);
    rig.run(rig.vm.quit());
    expect(rig.host.openFds).toBe(0);
  });
});
