/** INTx before Linux 6.9: the handler goes with the old eventfd and comes with the new one. */
import { describe, expect, it } from "vitest";
import { EDU, EDU_ACK, EDU_RAISE, TestVm } from "./machine.ts";

const INTX = 0;
const UNMASK_NONE = 1 | 16;

function setUp(bugs: readonly "intx-set-signal"[] = ["intx-set-signal"]) {
  const vm = new TestVm([EDU], { bugs });
  vm.open("edu");
  const trigger = vm.eventfd();
  expect(vm.set("edu", INTX, 0, [trigger.fd])).toBe(0);
  const oopses = (): number => vm.host.report().oopses ?? 0;
  const unmask = (): number => vm.setRaw("edu", INTX, 0, 1, UNMASK_NONE);
  return { vm, trigger, oopses, unmask };
}

describe("vfio_intx_set_signal before 6.9", () => {
  it("swaps eventfds like later kernels while nobody unmasks", () => {
    const { vm, oopses } = setUp();
    const next = vm.eventfd();
    expect(vm.set("edu", INTX, 0, [next.fd])).toBe(0);
    vm.barWrite("edu", 0, EDU_RAISE, 1);
    expect(vm.readEventfd(next.slot)).toBe(1n);
    expect(oopses()).toBe(0);
  });

  it("removes the handler with its eventfd: nobody hears the line, nobody masks it", () => {
    const { vm } = setUp();
    expect(vm.set("edu", INTX, 0, [-1])).toBe(0);
    expect(vm.host.inspect("edu").intx).toBe(true);
    vm.barWrite("edu", 0, EDU_RAISE, 1);
    expect(vm.configRead("edu", 4, 2) & 0x400).toBe(0);
    const again = vm.eventfd();
    expect(vm.set("edu", INTX, 0, [again.fd])).toBe(0);
    expect(vm.readEventfd(again.slot)).toBe(1n);
  });

  it("follows a null pointer where an unmask finds the line high and no eventfd", () => {
    for (const [bugs, count] of [
      [["intx-set-signal"], 1],
      [[], 0],
    ] as const) {
      const { vm, oopses, unmask } = setUp(bugs);
      vm.barWrite("edu", 0, EDU_RAISE, 1);
      vm.set("edu", INTX, 0, [-1]);
      expect(unmask()).toBe(0);
      expect(oopses(), `${bugs}`).toBe(count);
    }
  });

  it("judges the new eventfd when the old one is gone", () => {
    const { vm, trigger } = setUp();
    expect(vm.set("edu", INTX, 0, [999])).toBeLessThan(0);
    vm.barWrite("edu", 0, EDU_RAISE, 1);
    expect(vm.readEventfd(trigger.slot)).toBe(0n);
    vm.barWrite("edu", 0, EDU_ACK, 1);
  });

  it("gives everything back, with an eventfd and without", () => {
    for (const fds of [[], [-1]]) {
      const { vm } = setUp();
      if (fds.length > 0) vm.set("edu", INTX, 0, fds);
      expect(vm.close(vm.fd("edu"))).toBe(0);
      const { irqsHeld, irtesUsed, irtesBoot } = vm.host.report().pool;
      expect([irqsHeld, irtesUsed]).toEqual([0, irtesBoot]);
    }
  });
});
