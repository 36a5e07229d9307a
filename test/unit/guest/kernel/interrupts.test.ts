import { describe, expect, test } from "vitest";
import type { IrqHandler } from "../../../../guest/kernel/irq-table.ts";
import { LatencyHistogram } from "../../../../src/measure/histogram.ts";
import type { StageSamples } from "../../../../src/measure/stages.ts";
import { Bench } from "./bench.ts";

const ROW = 5;
const LINE_ROW = 0;
const SLOT = (1 << 8) | 0x23;

function handler(taken: number[], answer = true, ownsEoi = false): IrqHandler {
  return {
    ownsEoi,
    handleIrq(slot) {
      taken.push(slot);
      return answer;
    },
  };
}

function enabled(options: ConstructorParameters<typeof Bench>[0] = {}, level = false) {
  const bench = new Bench(options);
  const interrupts = bench.interrupts();
  const taken: number[] = [];
  interrupts.table.assign(SLOT, level ? LINE_ROW : ROW, level);
  interrupts.table.setHandler(SLOT, handler(taken));
  interrupts.enable();
  return { bench, interrupts, taken };
}

const p50 = (samples: StageSamples, stage: string): number =>
  LatencyHistogram.fromJSON(samples[stage]!).percentile(50);

describe("delivery to the driver's handler", () => {
  test("an edge runs its handler, counts delivered, and needs no EOI exit", () => {
    const { bench, interrupts, taken } = enabled();
    bench.inject(ROW, SLOT);
    expect(interrupts.poll()).toBe(1);
    expect(taken).toEqual([SLOT]);
    expect(bench.count(ROW, "delivered")).toBe(1);
    expect(interrupts.delivered).toBe(1);
    expect(bench.vm.log).toEqual([]);
    expect(interrupts.poll()).toBe(0);
  });

  test("stages add up: entry costs 500 ns, and the handler's own time is not in them", () => {
    const { bench, interrupts } = enabled();
    bench.clock.advanceTo(1_000);
    bench.inject(ROW, SLOT, [100, 300, 350]);
    interrupts.poll();
    interrupts.poll();
    const samples = interrupts.stages.toJSON();
    expect(p50(samples, "raised->handler")).toBe(200);
    expect(p50(samples, "handler->signalled")).toBe(50);
    expect(p50(samples, "signalled->woken")).toBe(650);
    expect(p50(samples, "woken->injected")).toBe(0);
    expect(p50(samples, "injected->isr")).toBe(500);
    expect(p50(samples, "total")).toBe(1_400);
    expect(bench.clock.now()).toBe(1_000 + 500 + 800);
  });

  test("with a VMM that injects, the kick of the vCPU is part of woken->injected", () => {
    const { bench, interrupts } = enabled({ path: "userspace" });
    bench.inject(ROW, SLOT);
    interrupts.poll();
    interrupts.poll();
    expect(p50(interrupts.stages.toJSON(), "woken->injected")).toBe(1_000);
  });

  test("in ends mode only the total is kept", () => {
    const { bench, interrupts } = enabled({ stages: "ends" });
    bench.inject(ROW, SLOT);
    interrupts.poll();
    interrupts.poll();
    expect(Object.keys(interrupts.stages.toJSON())).toEqual(["total"]);
  });

  test("a freed vector still counts on its row: unhandled, with a trace", () => {
    const { bench, interrupts } = enabled();
    interrupts.table.setHandler(SLOT, null);
    bench.inject(ROW, SLOT);
    interrupts.poll();
    expect(bench.count(ROW, "dropped-guest-unhandled")).toBe(1);
    expect(bench.count(ROW, "delivered")).toBe(0);
    expect(bench.points()).toEqual(["guest_spurious_vector"]);
  });

  test("IRQ_NONE is unhandled too, and leaves no latency", () => {
    const { bench, interrupts } = enabled();
    interrupts.table.setHandler(SLOT, handler([], false));
    bench.inject(ROW, SLOT);
    interrupts.poll();
    expect(bench.count(ROW, "dropped-guest-unhandled")).toBe(1);
    expect(interrupts.stages.toJSON()).toEqual({});
  });

  test("a vector that never belonged to a device counts nowhere", () => {
    const { bench, interrupts } = enabled();
    bench.request(0x99);
    expect(interrupts.poll()).toBe(1);
    expect(interrupts.spurious).toBe(1);
    expect(Array.from(bench.guest.guestFates).every((n) => n === 0)).toBe(true);
  });
});

describe("level-triggered vectors", () => {
  test("the EOI leaves the guest after the handler", () => {
    const { bench, interrupts, taken } = enabled({}, true);
    bench.vm.onAccess = () => expect(taken).toEqual([SLOT]);
    bench.inject(LINE_ROW, SLOT);
    interrupts.poll();
    expect(bench.vm.log).toEqual(["eoi 1 23"]);
    expect(bench.count(LINE_ROW, "delivered")).toBe(1);
  });

  test("a second injection for the same assertion has no token, but needs its EOI", () => {
    const { bench, interrupts } = enabled({}, true);
    bench.inject(LINE_ROW, SLOT);
    interrupts.poll();
    bench.request(SLOT);
    interrupts.poll();
    expect(bench.count(LINE_ROW, "delivered")).toBe(1);
    expect(interrupts.repeated).toBe(1);
    expect(bench.vm.log).toEqual(["eoi 1 23", "eoi 1 23"]);
  });

  test("a threaded handler ends its interrupt itself", () => {
    const { bench, interrupts } = enabled({}, true);
    interrupts.table.setHandler(SLOT, handler([], true, true));
    bench.inject(LINE_ROW, SLOT);
    interrupts.poll();
    expect(bench.vm.log).toEqual([]);
    interrupts.eoi(SLOT);
    expect(bench.vm.log).toEqual(["eoi 1 23"]);
  });

  test("two tokens that meet in one request are delivered as one", () => {
    const { bench, interrupts } = enabled({}, true);
    bench.inject(LINE_ROW, SLOT);
    bench.inject(LINE_ROW, SLOT);
    interrupts.poll();
    expect(bench.count(LINE_ROW, "delivered")).toBe(1);
    expect(bench.count(LINE_ROW, "coalesced-irr")).toBe(1);
  });
});

describe("while vCPUs take no interrupts", () => {
  test("requests are held, merge as in an IRR, and are delivered when interrupts come on", () => {
    const { bench, interrupts, taken } = enabled();
    interrupts.disable();
    bench.inject(ROW, SLOT);
    interrupts.poll();
    bench.inject(ROW, SLOT);
    interrupts.poll();
    expect(bench.vm.lapics.pending()).toBe(false);
    expect(bench.count(ROW, "coalesced-irr")).toBe(1);
    interrupts.enable();
    interrupts.poll();
    expect(taken).toEqual([SLOT]);
    expect(bench.count(ROW, "delivered")).toBe(1);
  });

  test("a reset drops what is held and what is still in the virtual APIC", () => {
    const { bench, interrupts, taken } = enabled();
    interrupts.disable();
    bench.inject(ROW, SLOT);
    interrupts.poll();
    interrupts.table.assign(0x24, ROW + 1, false);
    bench.inject(ROW + 1, 0x24);
    interrupts.reset();
    expect(bench.count(ROW, "dropped-guest-reset")).toBe(1);
    expect(bench.count(ROW + 1, "dropped-guest-reset")).toBe(1);
    interrupts.enable();
    interrupts.poll();
    expect(taken).toEqual([]);
  });

  test("at the end what waits is pending", () => {
    const { bench, interrupts } = enabled();
    bench.inject(ROW, SLOT);
    interrupts.settle();
    expect(bench.count(ROW, "pending-guest")).toBe(1);
  });
});
