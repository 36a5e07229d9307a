import { describe, expect, test } from "vitest";
import { EduDriver } from "../../../../guest/driver/edu.ts";
import { GuestKernel } from "../../../../guest/kernel/kernel.ts";
import { rowOf } from "../../../../src/measure/rows.ts";
import { Bench, EDU } from "../kernel/bench.ts";

function bound(mode: "intx" | "msi") {
  const bench = new Bench({ device: EDU, workload: { arrivals: "fixed", rate: 1e6 } });
  const interrupts = bench.interrupts();
  const kernel = new GuestKernel(bench.env, bench.plan, bench.vm, interrupts);
  const driver = new EduDriver(kernel, bench.vm.functions[0]!);
  driver.mode = mode;
  interrupts.enable();
  expect(bench.run(driver.probe())).toBe(0);
  bench.vm.log.length = 0;
  return { bench, interrupts, driver };
}

describe("the edu driver", () => {
  test("it raises through register 0x60 at its times until I/O stops", () => {
    const { bench, driver } = bound("msi");
    const start = bench.clock.now();
    bench.run(driver.startIo());
    bench.advance(start + 10_500);
    expect(bench.vm.log).toEqual(Array(10).fill("reg 60 1"));
    bench.run(driver.stopIo());
    bench.advance(start + 30_000);
    expect(driver.counters().raised).toBe(10);
  });

  test("its thread reads the status, acknowledges it at 0x64, and then ends the level", () => {
    const { bench, interrupts } = bound("intx");
    bench.vm.registers.set(0x24, 5);
    const row = rowOf(bench.vm.functions[0]!.rows, "intx", 0);
    const slot = interrupts.table.rows.indexOf(row);
    bench.inject(row, slot);
    interrupts.poll();
    expect(bench.vm.log).toEqual([]);
    bench.advance(bench.clock.now() + 1_000);
    const eoi = `eoi ${slot >> 8} ${(slot & 255).toString(16)}`;
    expect(bench.vm.log).toEqual(["reg 64 5", eoi]);
    expect(bench.count(row, "delivered")).toBe(1);
  });

  test("an interrupt while the thread runs makes it look again", () => {
    const { bench, interrupts, driver } = bound("msi");
    const row = rowOf(bench.vm.functions[0]!.rows, "msi", 0);
    const slot = interrupts.table.rows.indexOf(row);
    bench.inject(row, slot);
    interrupts.poll();
    bench.advance(bench.clock.now() + 5);
    bench.inject(row, slot);
    interrupts.poll();
    bench.advance(bench.clock.now() + 1_000);
    expect(driver.counters().acknowledged).toBe(2);
    expect(bench.count(row, "delivered")).toBe(2);
  });

  test("removal waits for the thread, then gives the vector back", () => {
    const { bench, interrupts, driver } = bound("msi");
    const row = rowOf(bench.vm.functions[0]!.rows, "msi", 0);
    bench.inject(row, interrupts.table.rows.indexOf(row));
    interrupts.poll();
    bench.run(driver.remove());
    const acknowledged = bench.vm.log.findIndex((line) => line.startsWith("reg 64"));
    const disabled = bench.vm.log.findIndex((line) => line.startsWith("cfg 52"));
    expect(acknowledged).toBeGreaterThanOrEqual(0);
    expect(disabled).toBeGreaterThan(acknowledged);
    expect(driver.state).toBe("unbound");
  });
});
