import { describe, expect, it } from "vitest";
import { FATE } from "../../../../src/measure/fates.ts";
import {
  encodeIoapic,
  encodeIrqfd,
  encodeRouting,
  KVM_IRQFD,
  KVM_SET_GSI_ROUTING,
  KVM_SET_IRQCHIP,
  type KvmIrqfd,
  type KvmRoute,
} from "../../../../src/uapi/kvm.ts";
import { EDU, EDU_ACK, EDU_RAISE, ROCKER, ROCKER_TEST_IRQ, TestVm } from "../vfio/machine.ts";

const EBADF = -9;
const EFAULT = -14;
const EBUSY = -16;
const EINVAL = -22;
const DEASSIGN = 1;
const RESAMPLE = 2;
const INTX = 0;
const MSIX = 2;

function setUp(): { vm: TestVm; kvm: number } {
  const vm = new TestVm([ROCKER, EDU]);
  vm.open("rk");
  vm.open("edu");
  vm.configWrite("rk", 4, 2, 0x6);
  return { vm, kvm: vm.call({ op: "open", path: "/dev/kvm" }).ret };
}

function irqfd(vm: TestVm, kvm: number, args: Partial<KvmIrqfd>): number {
  const arg = encodeIrqfd({ fd: -1, gsi: 0, flags: 0, resamplefd: -1, ...args });
  return vm.call({ op: "ioctl", fd: kvm, cmd: KVM_IRQFD, arg }).ret;
}

function route(vm: TestVm, kvm: number, routes: readonly KvmRoute[]): number {
  const arg = encodeRouting(routes);
  return vm.call({ op: "ioctl", fd: kvm, cmd: KVM_SET_GSI_ROUTING, arg }).ret;
}

const msi = (gsi: number, vector: number, vcpu = 0): KvmRoute => ({
  gsi,
  type: "msi",
  addressLo: 0xfee00000 + vcpu * 0x1000,
  addressHi: 0,
  data: vector,
});

function taken(vm: TestVm): number[] {
  const out = new Int32Array(1024);
  return [...out.subarray(0, vm.port.interrupts.take(out))];
}

const fate = (vm: TestVm, row: number, name: keyof typeof FATE): number => {
  const { fates } = vm.host.report().guests[0]!;
  return fates[row * Object.keys(FATE).length + FATE[name]]!;
};

describe("KVM_IRQFD", () => {
  it("turns a device's message into a vector of the guest, and leaves no count", () => {
    const { vm, kvm } = setUp();
    const trigger = vm.eventfd();
    expect(route(vm, kvm, [msi(30, 0x41)])).toBe(0);
    expect(irqfd(vm, kvm, { fd: trigger.fd, gsi: 30 })).toBe(0);
    vm.set("rk", MSIX, 0, [trigger.fd]);
    vm.barWrite("rk", 0, ROCKER_TEST_IRQ, 0);
    expect(taken(vm)).toEqual([0x41]);
    expect(vm.readEventfd(trigger.slot)).toBe(0n);
    expect(vm.host.report().guests[0]!.injected[1]).toBe(1);
  });

  it("merges interrupts in request bits once the guest lets its queue run full", () => {
    const { vm, kvm } = setUp();
    const trigger = vm.eventfd();
    route(vm, kvm, [msi(30, 0x41)]);
    irqfd(vm, kvm, { fd: trigger.fd, gsi: 30 });
    vm.set("rk", MSIX, 0, [trigger.fd]);
    for (let i = 0; i < 1024; i++) vm.barWrite("rk", 0, ROCKER_TEST_IRQ, 0);
    expect(fate(vm, 1, "coalesced-irr")).toBe(0);
    vm.barWrite("rk", 0, ROCKER_TEST_IRQ, 0);
    vm.barWrite("rk", 0, ROCKER_TEST_IRQ, 0);
    expect(fate(vm, 1, "coalesced-irr")).toBe(1);
    expect(taken(vm)).toEqual(new Array(1024).fill(0x41));
    expect(vm.port.apic.take(new Int32Array(256))).toBe(1);
  });

  it("loses what has no route, or leads to a vCPU or vector that does not exist", () => {
    const { vm, kvm } = setUp();
    const trigger = vm.eventfd();
    irqfd(vm, kvm, { fd: trigger.fd, gsi: 30 });
    vm.set("rk", MSIX, 0, [trigger.fd]);
    vm.barWrite("rk", 0, ROCKER_TEST_IRQ, 0);
    route(vm, kvm, [msi(30, 0x41, 7)]);
    vm.barWrite("rk", 0, ROCKER_TEST_IRQ, 0);
    route(vm, kvm, [msi(30, 0x0f)]);
    vm.barWrite("rk", 0, ROCKER_TEST_IRQ, 0);
    expect(taken(vm)).toEqual([]);
    expect(fate(vm, 1, "dropped-no-handler")).toBe(3);
  });

  it("refuses descriptors that are no eventfds, unknown flags and a second irqfd", () => {
    const { vm, kvm } = setUp();
    const trigger = vm.eventfd();
    expect(irqfd(vm, kvm, { fd: 99, gsi: 1 })).toBe(EBADF);
    expect(irqfd(vm, kvm, { fd: kvm, gsi: 1 })).toBe(EINVAL);
    expect(irqfd(vm, kvm, { fd: trigger.fd, gsi: 1, flags: 4 })).toBe(EINVAL);
    expect(irqfd(vm, kvm, { fd: trigger.fd, gsi: 1, flags: RESAMPLE, resamplefd: 99 })).toBe(EBADF);
    expect(irqfd(vm, kvm, { fd: trigger.fd, gsi: 1 })).toBe(0);
    expect(irqfd(vm, kvm, { fd: trigger.fd, gsi: 2 })).toBe(EBUSY);
  });

  it("lets the eventfd count again once it is deassigned", () => {
    const { vm, kvm } = setUp();
    const trigger = vm.eventfd();
    route(vm, kvm, [msi(30, 0x41)]);
    irqfd(vm, kvm, { fd: trigger.fd, gsi: 30 });
    vm.set("rk", MSIX, 0, [trigger.fd]);
    expect(irqfd(vm, kvm, { fd: trigger.fd, gsi: 30, flags: DEASSIGN })).toBe(0);
    vm.barWrite("rk", 0, ROCKER_TEST_IRQ, 0);
    expect(vm.readEventfd(trigger.slot)).toBe(1n);
    expect(taken(vm)).toEqual([]);
  });
});

describe("INTx through a resampling irqfd", () => {
  const LEVEL = 0x51 | (1 << 15);

  /** A function that holds its line, whose interrupt the guest has taken but not ended. */
  function inService(): { vm: TestVm; kvm: number; unplug: () => void } {
    const { vm, kvm } = setUp();
    const [trigger, resample] = [vm.eventfd(), vm.eventfd()];
    vm.set("edu", INTX, 0, [trigger.fd]);
    const args = { fd: trigger.fd, gsi: 20 };
    irqfd(vm, kvm, { ...args, flags: RESAMPLE, resamplefd: resample.fd });
    vm.call({
      op: "vmexit",
      fd: kvm,
      exit: { reason: "ioapic-write", pin: 20, low: LEVEL, high: 0 },
    });
    vm.barWrite("edu", 0, EDU_RAISE, 1);
    expect(taken(vm)).toEqual([0x51]);
    return { vm, kvm, unplug: () => irqfd(vm, kvm, { ...args, flags: DEASSIGN }) };
  }

  function setIrqchip(vm: TestVm, kvm: number, irr: number, low: number): number {
    const redirtbl = Array.from({ length: 24 }, () => ({ low, high: 0 }));
    const arg = encodeIoapic({ irr, redirtbl });
    return vm.call({ op: "ioctl", fd: kvm, cmd: KVM_SET_IRQCHIP, arg }).ret;
  }

  it("lets the line fall when the last resampler goes", () => {
    const { vm, kvm, unplug } = inService();
    unplug();
    vm.call({ op: "vmexit", fd: kvm, exit: { reason: "eoi", vcpu: 0, vector: 0x51 } });
    expect(taken(vm)).toEqual([]);
  });

  it("is not blocked by an EOI that never came once the IOAPIC has been reset", () => {
    const { vm, kvm } = inService();
    expect(setIrqchip(vm, kvm, 0, 1 << 16)).toBe(0);
    expect(setIrqchip(vm, kvm, 1 << 20, LEVEL)).toBe(0);
    expect(taken(vm)).toEqual([0x51]);
  });

  it("refuses the state of other chips and a short argument", () => {
    const { vm, kvm } = inService();
    const call = (arg: Uint8Array): number =>
      vm.call({ op: "ioctl", fd: kvm, cmd: KVM_SET_IRQCHIP, arg }).ret;
    expect(call(new Uint8Array(520))).toBe(EINVAL);
    expect(call(new Uint8Array(519))).toBe(EFAULT);
  });

  it("is injected again after the EOI for as long as the device asserts it", () => {
    const { vm, kvm } = setUp();
    const [trigger, resample] = [vm.eventfd(), vm.eventfd()];
    vm.set("edu", INTX, 0, [trigger.fd]);
    irqfd(vm, kvm, {
      fd: trigger.fd,
      gsi: 20,
      flags: RESAMPLE,
      resamplefd: resample.fd,
    });
    vm.setRaw("edu", INTX, 0, 1, 4 | 16, [resample.fd]);
    const low = 0x51 | (1 << 15);
    const write = { reason: "ioapic-write", pin: 20, low, high: 0 } as const;
    vm.call({ op: "vmexit", fd: kvm, exit: write });
    vm.barWrite("edu", 0, EDU_RAISE, 1);
    expect(taken(vm)).toEqual([0x51]);
    vm.call({ op: "vmexit", fd: kvm, exit: { reason: "eoi", vcpu: 0, vector: 0x51 } });
    vm.sleep(1e6);
    expect(taken(vm)).toEqual([0x51]);
    vm.barWrite("edu", 0, EDU_ACK, 1);
    vm.call({ op: "vmexit", fd: kvm, exit: { reason: "eoi", vcpu: 0, vector: 0x51 } });
    vm.sleep(1e6);
    expect(taken(vm)).toEqual([]);
    vm.barWrite("edu", 0, EDU_RAISE, 1);
    expect(taken(vm)).toEqual([0x51]);
  });
});
