/** The guest's idxd driver: all vectors at probe, each requested with its work queue. */
import { describe, expect, test } from "vitest";
import { IdxdDriver } from "../../../../guest/driver/idxd.ts";
import { GuestKernel } from "../../../../guest/kernel/kernel.ts";
import { rowOf } from "../../../../src/measure/rows.ts";
import { Bench, type BenchOptions } from "../kernel/bench.ts";

const CMD = /^reg a0 /;
const DEVICE = { name: "dsa", model: "idxd", msixVectors: 9, msiVectors: 0 } as const;

function bound(options: BenchOptions = {}) {
  const bench = new Bench({ device: DEVICE, ...options });
  const interrupts = bench.interrupts();
  const kernel = new GuestKernel(bench.env, bench.plan, bench.vm, interrupts);
  const driver = new IdxdDriver(kernel, bench.vm.functions[0]!);
  interrupts.enable();
  expect(bench.run(driver.probe())).toBe(0);
  bench.vm.log.length = 0;
  return { bench, kernel, interrupts, driver };
}

/** Commands, and vectors that were unmasked or masked. */
function story({ bench }: ReturnType<typeof bound>): string[] {
  const log = bench.vm.log.filter((line) => CMD.test(line) || line.includes(" ctrl "));
  bench.vm.log.length = 0;
  return log;
}

describe("the idxd driver", () => {
  test("allocates the whole table at probe and requests vector 0 alone", () => {
    const bench = new Bench({ device: DEVICE });
    const interrupts = bench.interrupts();
    const kernel = new GuestKernel(bench.env, bench.plan, bench.vm, interrupts);
    const driver = new IdxdDriver(kernel, bench.vm.functions[0]!);
    expect(bench.run(driver.probe())).toBe(0);
    expect(driver.vectors.count).toBe(9);
    const unmasked = bench.vm.log.filter((line) => line.endsWith("ctrl 0"));
    expect(unmasked).toEqual(["tbl 0 ctrl 0"]);
  });

  test("I/O enables a queue for each vCPU, whose vector comes with it", () => {
    const made = bound({ vcpus: 2 });
    made.bench.run(made.driver.startIo());
    const both = ["reg a0 600000", "tbl 1 ctrl 0", "reg a0 600001", "tbl 2 ctrl 0"];
    expect(story(made)).toEqual(both);
    expect(made.driver.counters().workQueues).toBe(2);
  });

  test("one more queue is one more vector; disabling drains it, frees that, resets it", () => {
    const made = bound({ vcpus: 1 });
    made.bench.run(made.driver.startIo());
    story(made);
    expect(made.bench.run(made.driver.enable(5))).toBe(0);
    expect(story(made)).toEqual(["reg a0 600005", "tbl 6 ctrl 0"]);
    expect(made.bench.run(made.driver.enable(5))).toBe(-16);
    expect(made.bench.run(made.driver.disable(5))).toBe(0);
    expect(story(made)).toEqual(["reg a0 800020", "tbl 6 ctrl 1", "reg a0 a00020"]);
  });

  test("there is no ninth queue", () => {
    const { bench, driver } = bound();
    expect(bench.run(driver.enable(8))).toBe(-22);
    expect(bench.run(driver.disable(8))).toBe(-22);
  });

  test("what an administrator has enabled or disabled holds for the next I/O too", () => {
    const made = bound({ vcpus: 2 });
    expect(made.bench.run(made.driver.enable(4))).toBe(0);
    made.bench.run(made.driver.disable(0));
    made.bench.run(made.driver.startIo());
    expect(story(made).filter((line) => line.startsWith("reg"))).toEqual([
      "reg a0 600001",
      "reg a0 600004",
    ]);
    made.bench.run(made.driver.stopIo());
    expect(made.driver.counters().workQueues).toBe(0);
  });

  test("a queue whose vector cannot be had is reset again", () => {
    const made = bound({ vcpus: 1 });
    made.bench.run(made.driver.startIo());
    while (made.kernel.matrix.alloc([0]) >= 0);
    story(made);
    expect(made.bench.run(made.driver.enable(3))).toBe(-28);
    expect(story(made)).toEqual(["reg a0 600003", "reg a0 a00008"]);
  });

  test("closed loop: a completion submits as much again", () => {
    const made = bound({ vcpus: 1, workload: { arrivals: "closed", depth: 4 } });
    const { bench, driver, interrupts } = made;
    bench.run(driver.startIo());
    expect(bench.vm.log.filter((line) => line.startsWith("bell"))).toEqual(["bell 0 4"]);
    bench.vm.log.length = 0;
    const row = rowOf(bench.vm.functions[0]!.rows, "msix", 1);
    bench.inject(row, interrupts.table.rows.indexOf(row));
    interrupts.poll();
    expect(bench.vm.log).toEqual(["bell 0 8"]);
    expect(driver.counters().completed).toBe(4);
  });

  test("removal resets the device and gives every vector back", () => {
    const { bench, driver } = bound();
    bench.run(driver.startIo());
    bench.run(driver.remove());
    expect(driver.state).toBe("unbound");
    expect(driver.vectors.mode).toBe(null);
    expect(bench.vm.log.filter((line) => CMD.test(line)).at(-1)).toBe("reg a0 500000");
  });

  test("it can do nothing without MSI-X", () => {
    const bench = new Bench({ device: DEVICE });
    const kernel = new GuestKernel(bench.env, bench.plan, bench.vm, bench.interrupts());
    const driver = new IdxdDriver(kernel, bench.vm.functions[0]!);
    driver.mode = "intx";
    expect(bench.run(driver.probe())).toBe(-19);
  });
});
