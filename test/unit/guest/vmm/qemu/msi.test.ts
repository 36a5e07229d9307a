/** MSI through QEMU: all vectors in one call, fewer where not all can be had. */
import { describe, expect, it } from "vitest";
import { createRig, only, type Rig, type RigOptions } from "../rig.ts";

const CAP = 0x50;

function start(options: RigOptions = {}): Rig {
  const rig = createRig({ msiVectors: 8, msixVectors: 0, ...options });
  rig.powerOn();
  rig.run(rig.vm.configWrite(rig.fn, 4, 2, 6));
  rig.run(rig.vm.configWrite(rig.fn, CAP + 4, 4, 0xfee01000));
  rig.run(rig.vm.configWrite(rig.fn, CAP + 12, 2, 0x40));
  rig.host.take();
  return rig;
}

/** MME is the power of two in bits 6:4. */
function enable(rig: Rig, mme: number): void {
  rig.run(rig.vm.configWrite(rig.fn, CAP + 2, 2, (mme << 4) | 1));
}

const msi = (rig: Rig): string[] => only(rig.host.take(), "MSI ");

describe("MSI", () => {
  it("goes on with as many vectors as the guest enabled, in one call", () => {
    const rig = start();
    enable(rig, 3);
    expect(msi(rig)).toEqual(["MSI 0 8 EVENTFD|TRIGGER [e6 e7 e8 e9 e10 e11 e12 e13]"]);
  });

  it("tries again with what could be had", () => {
    const rig = start();
    rig.host.verdicts.push({ begins: "MSI 0 8", ret: 1 });
    enable(rig, 3);
    const calls = msi(rig);
    expect(calls).toHaveLength(2);
    expect(calls[1]).toMatch(/^MSI 0 1 /);
    expect(rig.vm.counters()).toMatchObject({ msi_errors: 1 });
  });

  it("stays off after an error, with INTx off as well", () => {
    const rig = start();
    rig.host.verdicts.push({ begins: "MSI 0 8", ret: -28 });
    enable(rig, 3);
    expect(msi(rig)).toHaveLength(1);
    expect([...rig.host.armed.keys()].sort()).toEqual(["ERR 0", "REQ 0"]);
  });

  it("makes no call for masks and messages, only routes", () => {
    const rig = start();
    enable(rig, 0);
    rig.host.take();
    rig.run(rig.vm.configWrite(rig.fn, CAP + 4, 4, 0xfee00000));
    rig.run(rig.vm.configWrite(rig.fn, CAP + 16, 4, 1));
    expect(only(rig.host.take(), "MSI ", "routing")).toEqual(["routing 2:0xfee00000:0x40 gone "]);
  });

  it("goes off with one call, and INTx on", () => {
    const rig = start();
    enable(rig, 1);
    rig.host.take();
    rig.run(rig.vm.configWrite(rig.fn, CAP + 2, 2, 0x10));
    const log = rig.host.take();
    expect(only(log, "MSI ")).toEqual(["MSI 0 0 NONE|TRIGGER"]);
    expect(only(log, "INTX")[0]).toMatch(/^INTX 0 1 EVENTFD\|TRIGGER/);
  });

  it("puts the vector into the low bits of the data on the userspace path", () => {
    const rig = start({ path: "userspace" });
    enable(rig, 2);
    rig.host.signal("MSI", 3);
    rig.settle();
    expect(rig.injected()).toEqual(["1:67"]);
  });

  it("keeps a masked vector pending and sends it at unmask", () => {
    const rig = start({ path: "userspace" });
    enable(rig, 2);
    rig.run(rig.vm.configWrite(rig.fn, CAP + 16, 4, 1 << 2));
    rig.host.signal("MSI", 2);
    rig.settle();
    expect(rig.injected()).toEqual([]);
    expect(rig.run(rig.vm.configRead(rig.fn, CAP + 20, 4))).toBe(1 << 2);
    rig.run(rig.vm.configWrite(rig.fn, CAP + 16, 4, 0));
    expect(rig.injected()).toEqual(["1:66"]);
  });
});
