/** A DPDK process's calls, one rule a test (roc_irq.c, eal_interrupts.c, pci_vfio.c). */
import { describe, expect, it } from "vitest";
import type { UserInterrupts } from "../../../../../guest/vmm/types.ts";
import { createRig, only, type Rig, type RigOptions } from "../rig.ts";

function start(options: RigOptions = {}): { rig: Rig; irqs: UserInterrupts } {
  const rig = createRig({ vmm: "dpdk", ...options });
  rig.powerOn();
  return { rig, irqs: rig.vm.userInterrupts!(rig.fn) };
}

const nothing = (): void => {};
const calls = (rig: Rig): string[] => only(rig.host.take(), "MSIX", "MSI ", "INTX", "close e");

describe("probe", () => {
  it("turns memory and bus mastering on, resets, and arms REQ but no interrupt", () => {
    const rig = createRig({ vmm: "dpdk" });
    rig.run(rig.vm.realize());
    expect(only(rig.host.take(), "pwrite", "reset", "REQ", "INTX", "MSI", "open /dev/kvm")).toEqual(
      ["pwrite 0x70000000004 0x6 0x0", "reset", "REQ 0 1 EVENTFD|TRIGGER [e0]"],
    );
  });
});

describe("the first vector that is registered", () => {
  it("has the whole range prepared with -1, then itself armed", () => {
    const { rig, irqs } = start({ msixVectors: 6 });
    expect(rig.run(irqs.alloc("msix", 3))).toBe(3);
    expect(calls(rig)).toEqual([]);
    rig.run(irqs.request(2, nothing));
    expect(calls(rig)).toEqual([
      "MSIX 0 6 EVENTFD|TRIGGER [-1 -1 -1 -1 -1 -1]",
      "MSIX 2 1 EVENTFD|TRIGGER [e1]",
    ]);
    expect(rig.host.allocations).toBe(6);
  });

  it("has no more than 512 prepared", () => {
    const { rig, irqs } = start({ msixVectors: 2048 });
    expect(rig.run(irqs.alloc("msix", 600))).toBe(512);
    rig.run(irqs.request(0, nothing));
    expect(calls(rig)[0]).toMatch(/^MSIX 0 512 EVENTFD\|TRIGGER \[-1/);
  });

  it("is armed even if the range could not be prepared, which nobody looks at", () => {
    const { rig, irqs } = start();
    rig.run(irqs.alloc("msix", 2));
    rig.host.verdicts.push({ begins: "MSIX 0 4", ret: 3 });
    expect(rig.run(irqs.request(1, nothing))).toBe(0);
    expect(calls(rig)).toEqual([
      "MSIX 0 4 EVENTFD|TRIGGER [-1 -1 -1 -1] -> 3",
      "MSIX 1 1 EVENTFD|TRIGGER [e1]",
    ]);
    expect(rig.host.allocations).toBe(2);
  });
});

describe("further vectors", () => {
  it("are armed one by one", () => {
    const { rig, irqs } = start();
    rig.run(irqs.alloc("msix", 3));
    rig.run(irqs.request(0, nothing));
    rig.host.take();
    for (const v of [1, 2]) rig.run(irqs.request(v, nothing));
    expect(calls(rig)).toEqual(["MSIX 1 1 EVENTFD|TRIGGER [e2]", "MSIX 2 1 EVENTFD|TRIGGER [e3]"]);
  });

  it("give the driver vfio's error", () => {
    const { rig, irqs } = start();
    rig.run(irqs.alloc("msix", 2));
    rig.run(irqs.request(0, nothing));
    rig.host.verdicts.push({ begins: "MSIX 1 1", ret: -28 });
    expect(rig.run(irqs.request(1, nothing))).toBe(-28);
  });
});

describe("a vector that is given back", () => {
  it("has its eventfd closed before vfio lets go of it, and the range stays", () => {
    const { rig, irqs } = start();
    rig.run(irqs.alloc("msix", 2));
    for (const v of [0, 1]) rig.run(irqs.request(v, nothing));
    rig.host.take();
    rig.run(irqs.free(1));
    expect(calls(rig)).toEqual(["close e2", "MSIX 1 1 EVENTFD|TRIGGER [-1]"]);
  });

  it("the last of them is followed by the range's end, and the next one prepares it anew", () => {
    const { rig, irqs } = start();
    rig.run(irqs.alloc("msix", 2));
    for (const v of [0, 1]) rig.run(irqs.request(v, nothing));
    rig.host.take();
    rig.run(irqs.freeAll());
    expect(calls(rig)).toEqual([
      "close e1",
      "MSIX 0 1 EVENTFD|TRIGGER [-1]",
      "close e2",
      "MSIX 1 1 EVENTFD|TRIGGER [-1]",
      "MSIX 0 0 NONE|TRIGGER",
    ]);
    rig.run(irqs.alloc("msix", 1));
    rig.run(irqs.request(0, nothing));
    expect(calls(rig)[0]).toBe("MSIX 0 4 EVENTFD|TRIGGER [-1 -1 -1 -1]");
  });
});

describe("an interrupt", () => {
  it("is read by the process itself: what met in the eventfd is one call", () => {
    const { rig, irqs } = start();
    let fired = 0;
    rig.run(irqs.alloc("msix", 1));
    rig.run(irqs.request(0, () => fired++));
    for (let i = 0; i < 3; i++) rig.host.signal("MSIX", 0);
    rig.settle();
    expect(fired).toBe(1);
    expect(rig.fates(rig.row("msix", 0))).toEqual({ "coalesced-eventfd": 2 });
    expect(rig.injected()).toEqual([]);
  });
});

describe("the kinds that only the EAL knows", () => {
  it("INTx is unmasked once armed and after each interrupt, and masked before it goes", () => {
    const { rig, irqs } = start();
    rig.run(irqs.alloc("intx", 1));
    rig.run(irqs.request(0, nothing));
    rig.vm.eoi(0, 0);
    rig.host.signal("INTX", 0);
    rig.settle();
    rig.vm.eoi(0, 0);
    rig.settle();
    rig.run(irqs.freeAll());
    expect(calls(rig)).toEqual([
      "INTX 0 1 EVENTFD|TRIGGER [e1]",
      "INTX 0 1 NONE|UNMASK",
      "INTX 0 1 NONE|UNMASK",
      "INTX 0 1 NONE|MASK",
      "INTX 0 0 NONE|TRIGGER",
      "close e1",
    ]);
  });

  it("MSI is one eventfd, on and off", () => {
    const { rig, irqs } = start({ msiVectors: 8 });
    expect(rig.run(irqs.alloc("msi", 4))).toBe(1);
    rig.run(irqs.request(0, nothing));
    rig.run(irqs.freeAll());
    expect(calls(rig)).toEqual([
      "MSI 0 1 EVENTFD|TRIGGER [e1]",
      "MSI 0 0 NONE|TRIGGER",
      "close e1",
    ]);
  });
});

describe("the end of the process", () => {
  it("asks vfio for nothing, and the next one probes again", () => {
    const { rig, irqs } = start();
    rig.run(irqs.alloc("msix", 1));
    rig.run(irqs.request(0, nothing));
    rig.host.take();
    rig.run(rig.vm.systemReset());
    const log = rig.host.take();
    expect(log[0]).toBe("close fd");
    expect(only(log, "MSIX")).toEqual([]);
    expect(only(log, "reset", "REQ")).toHaveLength(2);
  });

  it("a device that the host wants back is given up with REQ first", () => {
    const { rig } = start();
    rig.run(rig.vm.eject(rig.fn));
    expect(only(rig.host.take(), "REQ", "close")).toEqual([
      "REQ 0 0 NONE|TRIGGER",
      "close e0",
      "close fd",
    ]);
  });
});
