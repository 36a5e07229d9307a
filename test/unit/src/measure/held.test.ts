import { describe, expect, it } from "vitest";
import { HeldAccount } from "../../../../src/measure/held.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";

function account(): { held: HeldAccount; clock: VirtualClock } {
  const clock = new VirtualClock();
  return { clock, held: new HeldAccount(clock) };
}

describe("what is held over time", () => {
  it("is the area under what is held at each moment, with a handler and without", () => {
    const { held, clock } = account();
    held.allocated();
    held.addEntries(1);
    clock.advanceTo(100);
    held.allocated();
    held.addEntries(1);
    held.requested();
    held.addVector(1);
    clock.advanceTo(150);
    held.handlerFreed();
    held.addVector(-1);
    clock.advanceTo(160);
    held.freed();
    held.addEntries(-1);
    clock.advanceTo(200);
    // Irqs: 1 for 100 ns, 2 for 60, 1 for 40; of these one with a handler for 50.
    expect(held.report()).toEqual({
      allocations: 2,
      frees: 1,
      requests: 1,
      handlersFreed: 1,
      irqNs: { armed: 50, idle: 100 + 120 + 40 - 50 },
      entryNs: { armed: 50, idle: 210 },
      vectorNs: { armed: 50, idle: 0 },
    });
  });

  it("counts a block's spare entries as idle, and vectors of MSI that idles", () => {
    const { held, clock } = account();
    for (let i = 0; i < 3; i++) {
      held.allocated();
      held.addVector(1);
    }
    held.addEntries(4);
    held.requested();
    clock.advanceTo(1000);
    const { irqNs, entryNs, vectorNs } = held.report();
    expect(irqNs).toEqual({ armed: 1000, idle: 2000 });
    expect(entryNs).toEqual({ armed: 1000, idle: 3000 });
    expect(vectorNs).toEqual({ armed: 1000, idle: 2000 });
  });

  it("without entries holds none, and no less than none", () => {
    const { held, clock } = account();
    held.allocated();
    held.requested();
    clock.advanceTo(10);
    expect(held.report().entryNs).toEqual({ armed: 0, idle: 0 });
    expect([held.idleEntries, held.idleVectors]).toEqual([0, 0]);
  });

  it("begins when it is made", () => {
    const clock = new VirtualClock();
    clock.advanceTo(5000);
    const held = new HeldAccount(clock);
    held.allocated();
    clock.advanceTo(5001);
    expect(held.report().irqNs).toEqual({ armed: 0, idle: 1 });
  });
});
