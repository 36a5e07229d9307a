import { describe, expect, test } from "vitest";
import { NvmeDriver } from "../../../../guest/driver/nvme.ts";
import { GuestKernel } from "../../../../guest/kernel/kernel.ts";
import { rowOf } from "../../../../src/measure/rows.ts";
import { Bench, type BenchOptions, NVME } from "../kernel/bench.ts";

function bound(options: BenchOptions = {}) {
  const bench = new Bench(options);
  const interrupts = bench.interrupts();
  const kernel = new GuestKernel(bench.env, bench.plan, bench.vm, interrupts);
  const driver = new NvmeDriver(kernel, bench.vm.functions[0]!);
  interrupts.enable();
  return { bench, interrupts, kernel, driver };
}

/** Where a row's interrupts arrive. */
function slotOf(rows: Int32Array, row: number): number {
  return rows.indexOf(row);
}

describe("the nvme driver", () => {
  test("it has a queue for each vCPU, or for each vector beside the admin's", () => {
    for (const [vcpus, msixVectors, queues] of [
      [2, 64, 2],
      [4, 3, 2],
      [4, 1, 1],
    ] as const) {
      const { bench, driver } = bound({ vcpus, device: { ...NVME, msixVectors } });
      expect(bench.run(driver.probe())).toBe(0);
      expect(driver.counters().ioQueues).toBe(queues);
    }
  });

  test("closed loop: a completion rings the head, and the tail again with as many commands", () => {
    const { bench, interrupts, driver } = bound({ workload: { arrivals: "closed", depth: 4 } });
    bench.run(driver.probe());
    bench.vm.log.length = 0;
    bench.run(driver.startIo());
    expect(bench.vm.log).toEqual(["reg f00 2", "bell 2 4", "bell 4 4"]);
    bench.vm.log.length = 0;
    const row = rowOf(bench.vm.functions[0]!.rows, "msix", 1);
    bench.inject(row, slotOf(interrupts.table.rows, row));
    interrupts.poll();
    expect(bench.vm.log).toEqual(["bell 3 1", "bell 2 8"]);
    expect(driver.counters()).toEqual({ ioQueues: 2, completed: 4, outstanding: 8 });
    expect(bench.count(row, "delivered")).toBe(1);
  });

  test("open loop: the device raises by itself, the handler only acknowledges", () => {
    const { bench, interrupts, driver } = bound({ workload: { arrivals: "poisson", rate: 1e3 } });
    bench.run(driver.probe());
    bench.run(driver.startIo());
    bench.vm.log.length = 0;
    const row = rowOf(bench.vm.functions[0]!.rows, "msix", 2);
    bench.inject(row, slotOf(interrupts.table.rows, row));
    interrupts.poll();
    expect(bench.vm.log).toEqual(["bell 5 1"]);
  });

  test("a command that never completes is reported when I/O stops, and removal goes on", () => {
    const { bench, driver } = bound({ workload: { arrivals: "closed", depth: 1 } });
    bench.run(driver.probe());
    bench.run(driver.startIo());
    bench.run(driver.remove());
    expect(driver.state).toBe("unbound");
    expect(bench.points()).toEqual(["guest_driver_error"]);
  });

  test("probe fails with -ENODEV if the controller never gets ready", () => {
    const { bench, driver } = bound();
    bench.vm.onAccess = (line) => {
      if (line.startsWith("reg 14")) bench.vm.registers.set(0x14, 0);
    };
    expect(bench.run(driver.probe())).toBe(-19);
    expect(driver.state).toBe("failed");
  });

  test("short of vectors the probe fails with -ENOSPC, and every vector is given back", () => {
    const { bench, kernel, driver } = bound();
    const taken: number[] = [];
    for (const vcpu of [0, 1]) {
      while (kernel.matrix.available(vcpu) > 0) taken.push(kernel.matrix.alloc([vcpu]));
    }
    expect(bench.run(driver.probe())).toBe(-28);
    for (const slot of taken) kernel.matrix.free(slot);
    const before = kernel.matrix.available(0);
    expect(bench.run(driver.probe())).toBe(0);
    bench.run(driver.remove());
    expect(kernel.matrix.available(0)).toBe(before);
  });

  test("in INTx mode the handler quiets the device before the EOI", () => {
    const { bench, interrupts, driver } = bound({ workload: { arrivals: "closed", depth: 1 } });
    driver.mode = "intx";
    bench.run(driver.probe());
    bench.run(driver.startIo());
    bench.vm.log.length = 0;
    const row = rowOf(bench.vm.functions[0]!.rows, "intx", 0);
    const slot = slotOf(interrupts.table.rows, row);
    bench.inject(row, slot);
    interrupts.poll();
    expect(bench.vm.log).toEqual([
      "bell 3 1",
      "bell 2 2",
      `eoi ${slot >> 8} ${(slot & 255).toString(16)}`,
    ]);
  });

  test("a queue whose only vCPU goes offline is drained first, and starts again with it", () => {
    const { bench, interrupts, kernel, driver } = bound({
      workload: { arrivals: "closed", depth: 2 },
    });
    bench.run(driver.probe());
    bench.run(driver.startIo());
    const row = rowOf(bench.vm.functions[0]!.rows, "msix", 2);
    kernel.setOnline(1, false);
    bench.vm.log.length = 0;
    bench.scheduler.at(bench.clock.now() + 50_000, () => {
      bench.inject(row, slotOf(interrupts.table.rows, row));
      interrupts.poll();
    });
    bench.run(driver.cpuOffline(1));
    expect(bench.vm.log[0]).toBe("bell 5 1");
    expect(bench.vm.log).toContain("tbl 2 ctrl 1");
    expect(driver.counters()).toMatchObject({ completed: 2, outstanding: 2 });
    kernel.setOnline(1, true);
    bench.run(driver.cpuOnline(1));
    expect(bench.vm.log.slice(-2)).toEqual(["tbl 2 ctrl 0", "bell 4 4"]);
  });
});

test("with MSI alone it takes what it is granted: one vector without remapping", () => {
  const device = { ...NVME, msixVectors: 0, msiVectors: 8 };
  const { bench, driver } = bound({ vcpus: 4, device });
  expect(driver.mode).toBe("msi");
  expect(bench.run(driver.probe())).toBe(0);
  expect(driver.vectors.count).toBe(1);
  expect(driver.counters().ioQueues).toBe(1);
});
