import { describe, expect, it } from "vitest";
import { CACHE_RETENTION } from "../../../../host/vfio/retention/cache.ts";
import { FATE } from "../../../../src/measure/fates.ts";
import { encodeIrqSet, packFds, VFIO_DEVICE_SET_IRQS } from "../../../../src/uapi/vfio.ts";
import { EDU, EVENTFD_TRIGGER, ROCKER, ROCKER_TEST_IRQ, TestVm } from "./machine.ts";

const MSIX = 2;
const EBADF = -9;
const EINVAL = -22;
/** rocker has a row for INTx and then one for each MSI-X vector. */
const row = (vector: number): number => 1 + vector;

function rocker(host = {}): TestVm {
  const vm = new TestVm([ROCKER], host);
  vm.open("rk");
  vm.configWrite("rk", 4, 2, 0x6);
  return vm;
}

describe("MSI-X triggers", () => {
  it("carry a message to their eventfd and count it as raised", () => {
    const vm = rocker();
    const [a, b] = [vm.eventfd(), vm.eventfd()];
    expect(vm.set("rk", MSIX, 0, [a.fd, b.fd])).toBe(0);
    vm.barWrite("rk", 0, ROCKER_TEST_IRQ, 1);
    expect([vm.readEventfd(a.slot), vm.readEventfd(b.slot)]).toEqual([0n, 1n]);
    expect(vm.raised(row(1))).toBe(1);
  });

  it("keep the irq when the eventfd goes, and deliver what the PBA kept when one comes", () => {
    const vm = rocker();
    const trigger = vm.eventfd();
    vm.set("rk", MSIX, 0, [trigger.fd, trigger.fd]);
    vm.set("rk", MSIX, 1, [-1]);
    expect(vm.host.inspect("rk").held).toEqual([0, 1]);
    expect(vm.host.inspect("rk").armed).toEqual([0]);
    vm.barWrite("rk", 0, ROCKER_TEST_IRQ, 1);
    expect(vm.readEventfd(trigger.slot)).toBe(0n);
    vm.set("rk", MSIX, 1, [trigger.fd]);
    expect(vm.readEventfd(trigger.slot)).toBe(1n);
  });

  it("are allocated one by one where the kernel can, before the descriptor is looked at", () => {
    const vm = rocker();
    vm.set("rk", MSIX, 0, [vm.eventfd().fd]);
    expect(vm.set("rk", MSIX, 5, [60_000])).toBe(EBADF);
    expect(vm.host.inspect("rk").held).toEqual([0, 5]);
  });

  it("cannot be added beyond the first range on a static kernel", () => {
    const vm = rocker({ kernel: "linux-6.1" });
    const { fd } = vm.eventfd();
    vm.set("rk", MSIX, 0, [fd]);
    expect(vm.set("rk", MSIX, 5, [fd])).toBe(EINVAL);
    expect(vm.host.inspect("rk").held).toEqual([0]);
  });

  it("make a token of a software trigger, so that the ledger adds up", () => {
    const vm = rocker();
    const trigger = vm.eventfd();
    vm.set("rk", MSIX, 0, [trigger.fd]);
    expect(vm.set("rk", MSIX, 0, 16)).toBe(0);
    expect(vm.readEventfd(trigger.slot)).toBe(1n);
    expect(vm.raised(row(0))).toBe(1);
  });

  it("drop what is signalled into an eventfd that userspace has closed", () => {
    const vm = rocker();
    const trigger = vm.eventfd();
    vm.set("rk", MSIX, 0, [trigger.fd]);
    vm.close(trigger.fd);
    vm.barWrite("rk", 0, ROCKER_TEST_IRQ, 0);
    const fates = vm.host.report().guests[0]!.fates;
    const fatesPerRow = fates.length / (1 + 16);
    expect(fates[row(0) * fatesPerRow + FATE["dropped-closed"]]).toBe(1);
  });

  it("give everything back when MSI-X is disabled, and when the device is closed", () => {
    const vm = rocker();
    const boot = vm.host.report().pool;
    vm.set("rk", MSIX, 0, Array(16).fill(vm.eventfd().fd));
    expect(vm.host.report().pool.irqsHeld).toBe(16);
    vm.set("rk", MSIX, 0, 0);
    expect(vm.host.report().pool.irqsHeld).toBe(0);
    vm.set("rk", MSIX, 0, Array(16).fill(vm.eventfd().fd));
    vm.close(vm.fd("rk"));
    const after = vm.host.report().pool;
    expect([after.irqsHeld, after.vectorsUsed]).toEqual([0, boot.vectorsUsed]);
  });
});

describe("a process that goes away with an ioctl under way", () => {
  it("lets the ioctl end, closes everything, and leaves nothing in the pool", () => {
    const vm = new TestVm([ROCKER, EDU]);
    const boot = vm.host.report().pool;
    vm.open("rk");
    const data = packFds(Array(16).fill(vm.eventfd().fd));
    const header = {
      argsz: 20 + data.length,
      flags: EVENTFD_TRIGGER,
      index: 2,
      start: 0,
      count: 16,
    };
    const arg = encodeIrqSet(header, data);
    vm.post({ op: "ioctl", fd: vm.fd("rk"), cmd: VFIO_DEVICE_SET_IRQS, arg });
    // 16 irqs take 32 us to allocate, and 5 us each to request.
    vm.sleep(50_000);
    expect(vm.host.report().pool.irqsHeld).toBeGreaterThan(0);
    vm.host.exit(0, "killed");
    expect(vm.host.busy()).toBe(true);
    vm.sleep(1e9);
    expect(vm.host.busy()).toBe(false);
    const after = vm.host.report();
    expect(after.pool.irqsHeld).toBe(0);
    expect(after.pool.vectorsUsed).toBe(boot.vectorsUsed);
    expect(after.pool.irtesUsed).toBe(after.pool.irtesBoot);
    expect(after.guests[0]!.alive).toBe(false);
  });
});

describe("cache retention", () => {
  it("never gives an irq back while its mode is on", () => {
    for (const reason of ["swap", "unset", "unwind"] as const) {
      const irq = { device: "rk", vector: 3, dynamic: true, idle: 0 };
      expect(CACHE_RETENTION.freesAfterTeardown(irq, reason)).toBe(false);
    }
  });
});
