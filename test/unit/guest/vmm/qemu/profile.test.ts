/** What QEMU machines differ in, each difference where it shows. */
import { describe, expect, it } from "vitest";
import { InterruptRemapping } from "../../../../../guest/vmm/qemu/interrupt-remapping.ts";
import { qemuProfile } from "../../../../../guest/vmm/qemu/profile.ts";
import type { GuestSpec } from "../../../../../src/scenario/types.ts";
import { createRig, Hands, only, type Rig, type RigOptions } from "../rig.ts";

const ENABLE = 0x8000;
const MSI_CAP = 0x50;
/** Remappable format: entry number in bits 19:5, subhandle valid, format. */
const remappable = (index: number): number => 0xfee00000 + (index << 5) + 0x18;

function start(options: RigOptions): { rig: Rig; hands: Hands } {
  const rig = createRig(options);
  rig.powerOn();
  return { rig, hands: new Hands(rig) };
}

describe("qemuProfile", () => {
  const of = (fields: Partial<GuestSpec>) =>
    qemuProfile({ vmmVersion: "10.0", path: "irqfd", ...fields } as GuestSpec);

  it("is the whole irqchip with irqfds, and none of it without, unless a guest says so", () => {
    expect(of({}).irqchip.kind).toBe("full");
    expect(of({ path: "userspace" }).irqchip.kind).toBe("none");
    expect(of({ path: "userspace", irqchip: "full" }).irqchip).toMatchObject({ hasKvm: true });
  });

  it("has no bypass on the userspace path, for INTx, MSI and MSI-X alike", () => {
    expect(of({}).bypass).toEqual({ intx: true, msi: true, msix: true });
    expect(of({ path: "userspace" }).bypass).toEqual({ intx: false, msi: false, msix: false });
  });

  it("asks for MSI-X's flags from 10.0 on, and 11.1 is 10.0", () => {
    expect(of({ vmmVersion: "7.2" }).dynamicMsix).toBe(false);
    expect(of({ vmmVersion: "11.1" })).toEqual({ ...of({}), version: "11.1" });
  });
});

describe("KVM without bypass", () => {
  it("has no irqfd, and masking asks for nothing", () => {
    const { rig, hands } = start({ path: "userspace", irqchip: "full" });
    hands.control(ENABLE);
    hands.unmask(2);
    hands.mask(2);
    expect(only(rig.host.take(), "MSIX", "irqfd", "routing")).toEqual([
      "MSIX 0 1 EVENTFD|TRIGGER [-1]",
      "MSIX 2 1 EVENTFD|TRIGGER [e4]",
    ]);
  });

  it("makes an irqfd on GSI 0 of each hole of a batch enable all the same", () => {
    const { rig, hands } = start({ path: "userspace", irqchip: "full" });
    hands.unmask(2);
    hands.control(ENABLE);
    expect(only(rig.host.take(), "MSIX", "irqfd")).toEqual([
      "irqfd assign e4 gsi 0",
      "irqfd assign e5 gsi 0",
      "MSIX 0 1 EVENTFD|TRIGGER [-1]",
      "MSIX 0 3 EVENTFD|TRIGGER [-1 -1 e6]",
    ]);
  });
});

describe("a split irqchip", () => {
  it("has the same SET_IRQS, an irqfd without resample, and 24 routes at the start", () => {
    const rig = createRig({ irqchip: "split" });
    rig.run(rig.vm.realize());
    const log = rig.host.take();
    expect(only(log, "routing")[0]).toMatch(/^routing (\d+:0x0:0x0,?){24} gone $/);
    expect(only(log, "INTX", "irqfd").slice(0, 5)).toEqual([
      "INTX 0 1 EVENTFD|TRIGGER [e0]",
      "INTX 0 1 NONE|MASK",
      "irqfd assign e0 gsi 0",
      "INTX 0 1 EVENTFD|UNMASK [e1]",
      "INTX 0 1 NONE|UNMASK",
    ]);
  });
});

describe("a guest that remaps interrupts", () => {
  function remapping(options: RigOptions = {}): { rig: Rig; hands: Hands } {
    return start({ irqchip: "split", intremap: true, ...options });
  }

  it("has routes that say what its table says", () => {
    const { rig, hands } = remapping();
    rig.run(rig.vm.remapping!.write(7, { vcpu: 1, vector: 0x51 }));
    hands.control(ENABLE);
    hands.entry(0, 0, remappable(7));
    rig.host.take();
    hands.unmask(0);
    expect(only(rig.host.take(), "routing")).toEqual(["routing 24:0xfee01000:0x51 gone "]);
  });

  it("changes an affinity in its table: a new route, and no SET_IRQS", () => {
    const { rig, hands } = remapping();
    rig.run(rig.vm.remapping!.write(7, { vcpu: 1, vector: 0x51 }));
    hands.control(ENABLE);
    hands.entry(0, 0, remappable(7));
    hands.unmask(0);
    rig.host.take();
    rig.run(rig.vm.remapping!.write(7, { vcpu: 0, vector: 0x62 }));
    expect(only(rig.host.take(), "routing", "MSIX", "irqfd")).toEqual([
      "routing 24:0xfee00000:0x62 gone ",
    ]);
  });

  it("of a multi-vector MSI gives routes to what has an entry, QEMU reads the rest", () => {
    const { rig } = remapping({ msixVectors: 0, msiVectors: 4 });
    const { vm, fn } = rig;
    rig.run(vm.remapping!.write(8, { vcpu: 0, vector: 0x50 }));
    rig.run(vm.remapping!.write(10, { vcpu: 1, vector: 0x52 }));
    rig.run(vm.configWrite(fn, MSI_CAP + 4, 4, remappable(8)));
    rig.run(vm.configWrite(fn, MSI_CAP + 12, 2, 0));
    rig.host.take();
    rig.run(vm.configWrite(fn, MSI_CAP + 2, 2, (2 << 4) | 1));
    const log = rig.host.take();
    expect(only(log, "irqfd assign")).toEqual(["irqfd assign e6 gsi 24", "irqfd assign e7 gsi 25"]);
    expect(only(log, "MSI ")).toEqual(["MSI 0 4 EVENTFD|TRIGGER [e6 e8 e7 e9]"]);
  });

  it("loses a message that QEMU reads and that has no entry", () => {
    const { rig, hands } = remapping({ path: "userspace" });
    rig.run(rig.vm.configWrite(rig.fn, 4, 2, 6));
    hands.control(ENABLE);
    hands.entry(0, 0, remappable(3));
    hands.unmask(0);
    rig.host.signal("MSIX", 0);
    rig.settle();
    expect(rig.injected()).toEqual([]);
    expect(rig.fates(rig.row("msix"))).toEqual({ "dropped-guest-unhandled": 1 });
  });
});

describe("InterruptRemapping", () => {
  it("passes messages in compatibility format, and has no table after a reset", () => {
    const table = new InterruptRemapping();
    const plain = { addressLo: 0xfee02000, addressHi: 0, data: 0x41 };
    expect(table.remap(plain)).toBe(plain);
    table.write(1, { vcpu: 0, vector: 0x30 });
    const message = { addressLo: remappable(1), addressHi: 0, data: 0 };
    expect(table.remap(message)).toEqual({ addressLo: 0xfee00000, addressHi: 0, data: 0x30 });
    table.reset();
    expect(table.remap(message)).toBeNull();
  });

  it("takes bit 15 of the entry's number from address bit 2, and adds a valid subhandle", () => {
    const table = new InterruptRemapping();
    table.write(0x8005, { vcpu: 3, vector: 0x77 });
    const at = (address: number, data: number) =>
      table.remap({ addressLo: address, addressHi: 0, data });
    expect(at(remappable(3) + 4, 2)).toMatchObject({ addressLo: 0xfee03000, data: 0x77 });
    expect(at(remappable(3) + 4 - 8, 2)).toBeNull();
  });
});

describe("MSI turned off while MSI-X is on, after it had been on before", () => {
  it("frees the vectors of both, and a vector used then is a crash", () => {
    const { rig, hands } = start({ msiVectors: 1, msixVectors: 4 });
    const { vm, fn } = rig;
    let aborted = "";
    vm.onAbort = (why) => {
      aborted = why;
    };
    rig.run(vm.configWrite(fn, MSI_CAP + 2, 2, 1));
    hands.control(ENABLE);
    hands.unmask(0);
    rig.run(vm.configWrite(fn, MSI_CAP + 2, 2, 0));
    expect(aborted).toBe("");
    rig.begin(vm.mmioWrite(fn, 0, 0x2000 + 16 + 12, 4, 0));
    rig.settle();
    expect(aborted).toContain("vfio_msix_vector_do_use: Segmentation fault");
  });
});
