import { describe, expect, it } from "vitest";
import { FATE, type FATES } from "../../../../src/measure/fates.ts";
import { EDU, EDU_ACK, EDU_RAISE, NVME, TestVm } from "./machine.ts";

const INTX = 0;
const UNMASK_NONE = 1 | 16;
const MASK_NONE = 1 | 8;
const UNMASK_EVENTFD = 4 | 16;

function setUp(host = {}): { vm: TestVm; trigger: { fd: number; slot: number } } {
  const vm = new TestVm([EDU, NVME], host);
  vm.open("edu");
  const trigger = vm.eventfd();
  expect(vm.set("edu", INTX, 0, [trigger.fd])).toBe(0);
  return { vm, trigger };
}

const unmask = (vm: TestVm): number => vm.setRaw("edu", INTX, 0, 1, UNMASK_NONE);
const fate = (vm: TestVm, name: (typeof FATES)[number]): number =>
  vm.host.report().guests[0]!.fates[FATE[name]]!;

describe.each([false, true])("INTx with nointxmask=%s", (nointxmask) => {
  it("masks itself when it signals, and signals again at an unmask with the line high", () => {
    const { vm, trigger } = setUp({ nointxmask });
    vm.barWrite("edu", 0, EDU_RAISE, 1);
    expect(vm.readEventfd(trigger.slot)).toBe(1n);
    vm.barWrite("edu", 0, EDU_RAISE, 2);
    expect(vm.readEventfd(trigger.slot)).toBe(0n);
    expect(unmask(vm)).toBe(0);
    expect(vm.readEventfd(trigger.slot)).toBe(1n);
  });

  it("makes a token of each repetition of a level that stays high", () => {
    const { vm } = setUp({ nointxmask });
    vm.barWrite("edu", 0, EDU_RAISE, 1);
    expect(vm.raised(0)).toBe(1);
    unmask(vm);
    unmask(vm);
    expect(vm.raised(0)).toBe(3);
  });

  it("counts an assertion that is taken back behind the mask as withdrawn", () => {
    const { vm, trigger } = setUp({ nointxmask });
    vm.setRaw("edu", INTX, 0, 1, MASK_NONE);
    vm.barWrite("edu", 0, EDU_RAISE, 1);
    vm.barWrite("edu", 0, EDU_ACK, 1);
    unmask(vm);
    expect(vm.readEventfd(trigger.slot)).toBe(0n);
    expect(fate(vm, "dropped-withdrawn")).toBe(1);
  });

  it("loses an interrupt that finds no eventfd, and masks all the same", () => {
    const { vm, trigger } = setUp({ nointxmask });
    vm.set("edu", INTX, 0, [-1]);
    vm.barWrite("edu", 0, EDU_RAISE, 1);
    expect(fate(vm, "dropped-no-handler")).toBe(1);
    vm.set("edu", INTX, 0, [trigger.fd]);
    expect(vm.readEventfd(trigger.slot)).toBe(0n);
    unmask(vm);
    expect(vm.readEventfd(trigger.slot)).toBe(1n);
  });

  it("counts what waits behind a mask at the end as pending in the host", () => {
    const { vm } = setUp({ nointxmask });
    vm.setRaw("edu", INTX, 0, 1, MASK_NONE);
    vm.barWrite("edu", 0, EDU_RAISE, 1);
    vm.host.settle();
    expect(fate(vm, "pending-host")).toBe(1);
  });

  it("unmasks by eventfd, takes its count, and signals a line that is still high", () => {
    const { vm, trigger } = setUp({ nointxmask });
    const unmaskFd = vm.eventfd();
    expect(vm.setRaw("edu", INTX, 0, 1, UNMASK_EVENTFD, [unmaskFd.fd])).toBe(0);
    vm.barWrite("edu", 0, EDU_RAISE, 1);
    expect(vm.readEventfd(trigger.slot)).toBe(1n);
    vm.writeEventfd(unmaskFd.slot, 5n);
    vm.sleep(1e6);
    expect(vm.readEventfd(unmaskFd.slot)).toBe(0n);
    expect(vm.readEventfd(trigger.slot)).toBe(1n);
  });
});

describe("an unmask eventfd", () => {
  it.each([false, true])(
    "that is the trigger too does not make the host spin (nointxmask %s)",
    (nointxmask) => {
      const { vm, trigger } = setUp({ nointxmask });
      vm.setRaw("edu", INTX, 0, 1, UNMASK_EVENTFD, [trigger.fd]);
      vm.barWrite("edu", 0, EDU_RAISE, 1);
      vm.sleep(1e6);
      // Each work queue turn signals the line that stays high once more: 5 us apart, not for ever.
      expect(vm.raised(0)).toBeLessThan(1e6 / 5_000 + 2);
      vm.barWrite("edu", 0, EDU_ACK, 1);
      const raised = vm.raised(0);
      vm.sleep(1e6);
      expect(vm.raised(0)).toBeLessThanOrEqual(raised + 1);
    },
  );

  it("of one device that is the trigger of the other, and the reverse, lets both wait", () => {
    const other = { ...EDU, name: "edu2" };
    const vm = new TestVm([EDU, other], { nointxmask: true });
    const [a, b] = [vm.eventfd(), vm.eventfd()];
    for (const [name, trigger, unmaskFd] of [["edu", a, b] as const, ["edu2", b, a] as const]) {
      vm.open(name);
      expect(vm.set(name, INTX, 0, [trigger.fd])).toBe(0);
      expect(vm.setRaw(name, INTX, 0, 1, UNMASK_EVENTFD, [unmaskFd.fd])).toBe(0);
    }
    vm.barWrite("edu", 0, EDU_RAISE, 1);
    vm.barWrite("edu2", 0, EDU_RAISE, 1);
    vm.sleep(1e6);
    expect(vm.raised(0)).toBeGreaterThan(1);
    expect(vm.raised(0)).toBeLessThan(1e6 / 5_000 + 2);
  });
});
