/** ERR and REQ (recordings h11; vfio_pci_set_ctx_trigger_single). */
import { describe, expect, it } from "vitest";
import type { HostSpec } from "../../../../src/scenario/types.ts";
import { NVME, TestVm } from "./machine.ts";

const EINVAL = -22;
const EBADF = -9;
const [NONE, BOOL, EVENTFD, TRIGGER] = [1, 2, 4, 32];
const SET_IRQS = 0x3b6e;

function machine(kernel: HostSpec["kernel"] = "linux-6.12"): TestVm {
  const vm = new TestVm([NVME], { kernel });
  vm.open("n8");
  return vm;
}

/** SET_IRQS of one entry with DATA_BOOL. */
function setBool(vm: TestVm, index: number, value: number): number {
  const arg = new Uint8Array(21);
  new DataView(arg.buffer).setUint32(0, 21, true);
  arg.set([BOOL | TRIGGER, 0, 0, 0, index], 4);
  arg[16] = 1;
  arg[20] = value;
  return vm.call({ op: "ioctl", fd: vm.fd("n8"), cmd: SET_IRQS, arg }).ret;
}

/** Both behave the same. */
const INDEXES = { ERR: 3, REQ: 4 };

for (const [name, index] of Object.entries(INDEXES)) {
  describe(name, () => {
    const raw = (vm: TestVm, flags: number, count: number, fds: number[] = []) =>
      vm.setRaw("n8", index, 0, count, flags, fds);

    it("with DATA_NONE is EINVAL as long as there is no eventfd", () => {
      const vm = machine();
      expect(raw(vm, NONE | TRIGGER, 1)).toBe(EINVAL);
      expect(raw(vm, NONE | TRIGGER, 0)).toBe(EINVAL);
    });

    it("with DATA_NONE signals the eventfd with count 1 and forgets it with count 0", () => {
      const vm = machine();
      const { fd, slot } = vm.eventfd();
      expect(raw(vm, EVENTFD | TRIGGER, 1, [fd])).toBe(0);
      expect(raw(vm, NONE | TRIGGER, 1)).toBe(0);
      expect(vm.readEventfd(slot)).toBe(1n);
      expect(raw(vm, NONE | TRIGGER, 0)).toBe(0);
      expect(vm.readEventfd(slot)).toBe(0n);
      expect(raw(vm, NONE | TRIGGER, 1)).toBe(EINVAL);
    });

    it("with DATA_BOOL signals if true; without an eventfd that is no error", () => {
      const vm = machine();
      expect(setBool(vm, index, 1)).toBe(0);
      const { fd, slot } = vm.eventfd();
      raw(vm, EVENTFD | TRIGGER, 1, [fd]);
      expect(setBool(vm, index, 0)).toBe(0);
      expect(vm.readEventfd(slot)).toBe(0n);
      expect(setBool(vm, index, 1)).toBe(0);
      expect(vm.readEventfd(slot)).toBe(1n);
    });

    it("with DATA_BOOL or DATA_EVENTFD and count 0 is EINVAL", () => {
      const vm = machine();
      raw(vm, EVENTFD | TRIGGER, 1, [vm.eventfd().fd]);
      expect(raw(vm, BOOL | TRIGGER, 0)).toBe(EINVAL);
      expect(raw(vm, EVENTFD | TRIGGER, 0)).toBe(EINVAL);
    });

    it("has one eventfd: another one replaces it, -1 forgets it", () => {
      const vm = machine();
      const [a, b] = [vm.eventfd(), vm.eventfd()];
      for (const { fd } of [a, b]) expect(raw(vm, EVENTFD | TRIGGER, 1, [fd])).toBe(0);
      raw(vm, NONE | TRIGGER, 1);
      expect([vm.readEventfd(a.slot), vm.readEventfd(b.slot)]).toEqual([0n, 1n]);
      expect(raw(vm, EVENTFD | TRIGGER, 1, [-1])).toBe(0);
      expect(raw(vm, NONE | TRIGGER, 1)).toBe(EINVAL);
    });

    it("keeps what it has where the new descriptor is none", () => {
      const vm = machine();
      const { fd, slot } = vm.eventfd();
      raw(vm, EVENTFD | TRIGGER, 1, [fd]);
      expect(raw(vm, EVENTFD | TRIGGER, 1, [60_000])).toBe(EBADF);
      expect(raw(vm, EVENTFD | TRIGGER, 1, [vm.fd("n8")])).toBe(EINVAL);
      raw(vm, NONE | TRIGGER, 1);
      expect(vm.readEventfd(slot)).toBe(1n);
    });

    it("refuses negative descriptors but -1; 6.1 ignores them", () => {
      for (const [kernel, result] of [
        ["linux-6.1", 0],
        ["linux-6.12", EINVAL],
        ["linux-7.2", EINVAL],
      ] as const) {
        const vm = machine(kernel);
        const { fd, slot } = vm.eventfd();
        raw(vm, EVENTFD | TRIGGER, 1, [fd]);
        expect(raw(vm, EVENTFD | TRIGGER, 1, [-2])).toBe(result);
        raw(vm, NONE | TRIGGER, 1);
        expect(vm.readEventfd(slot)).toBe(1n);
      }
    });

    it("gives its eventfd back when the device is closed", () => {
      const vm = new TestVm([NVME], {}, 1);
      vm.open("n8");
      const { fd } = vm.eventfd();
      raw(vm, EVENTFD | TRIGGER, 1, [fd]);
      vm.close(fd);
      expect(vm.eventfd().fd).toBeLessThan(0);
      vm.close(vm.fd("n8"));
      expect(vm.eventfd().fd).toBeGreaterThan(0);
    });
  });
}
