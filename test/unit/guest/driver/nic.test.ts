import { describe, expect, test } from "vitest";
import { NicDriver } from "../../../../guest/driver/nic.ts";
import { GuestKernel } from "../../../../guest/kernel/kernel.ts";
import { EINVAL } from "../../../../src/base/errno.ts";
import { rowOf } from "../../../../src/measure/rows.ts";
import type { DeviceSpec } from "../../../../src/scenario/types.ts";
import type { Process } from "../../../../src/time/process.ts";
import { Bench, type BenchOptions } from "../kernel/bench.ts";
import { compact } from "../kernel/fake-vm.ts";

const IGB: DeviceSpec = { name: "igb", model: "nic", msixVectors: 10, msiVectors: 1 };

function nic(options: BenchOptions = {}) {
  const bench = new Bench({ device: IGB, vcpus: 4, ...options });
  const interrupts = bench.interrupts();
  const kernel = new GuestKernel(bench.env, bench.plan, bench.vm, interrupts);
  const driver = new NicDriver(kernel, bench.vm.functions[0]!);
  interrupts.enable();
  /** What the guest wrote to the table and to MSI-X control, shortened to what happened. */
  const run = <T>(process: Process<T>): string[] => {
    bench.vm.log.length = 0;
    bench.run(process);
    const wanted = /^(mask|unmask|cfg 42|cfg 4 )/;
    return compact(
      bench.vm.log.filter((line) => !/^(reg|bell|tbl \d+ (addr|data))/.test(line)),
    ).filter((line) => wanted.test(line));
  };
  return { bench, interrupts, kernel, driver, run };
}

/** How many vectors a bound driver has, by queues. */
function vectorsOf(vcpus: number, combined?: number): number {
  const { driver, run } = nic({ vcpus });
  run(driver.probe());
  if (combined !== undefined) run(driver.setChannels(combined));
  return driver.vectors.count;
}

describe("igb's interrupt vectors (igb_main.c; recordings q10-kvm-igb-smp4, suspend-smp2)", () => {
  test("one for other causes, one for each queue, two up to half of the queues", () => {
    expect([1, 2, 4].map((vcpus) => vectorsOf(vcpus))).toEqual([3, 5, 9]);
    // Beyond four queues, receive and transmit share a vector.
    expect([1, 2, 3, 4, 5, 8].map((queues) => vectorsOf(4, queues))).toEqual([3, 5, 7, 9, 6, 9]);
    expect(vectorsOf(8)).toBe(9);
  });

  test("probe turns MSI-X on with one vector and off, then on with all", () => {
    const { driver, run } = nic();
    expect(run(driver.probe())).toEqual([
      "cfg 4 102",
      "cfg 4 106",
      "cfg 42 c009",
      "cfg 4 506",
      "mask 0-9",
      "cfg 42 8009",
      "mask 0",
      "cfg 42 9",
      "cfg 4 106",
      "cfg 42 c009",
      "cfg 4 506",
      "mask 0-9",
      "cfg 42 8009",
    ]);
    expect(driver.state).toBe("bound");
  });

  test("the link takes and gives them in rising order, and MSI-X stays on", () => {
    const { driver, run } = nic({ vcpus: 1 });
    run(driver.probe());
    expect(run(driver.open())).toEqual(["unmask 0", "unmask 1", "unmask 2"]);
    expect(run(driver.open())).toEqual([]);
    expect(run(driver.close())).toEqual(["mask 0-2"]);
    expect(run(driver.close())).toEqual([]);
  });

  test("channels that change take everything down and up; the same number does nothing", () => {
    const { bench, driver, run } = nic({ vcpus: 1 });
    run(driver.probe());
    run(driver.open());
    expect(run(driver.setChannels(1))).toEqual([]);
    expect(run(driver.setChannels(2))).toEqual([
      "mask 0-2",
      "mask 0-2",
      "cfg 42 9",
      "cfg 4 106",
      "cfg 42 c009",
      "cfg 4 506",
      "mask 0-9",
      "cfg 42 8009",
      "unmask 0",
      "unmask 1",
      "unmask 2",
      "unmask 3",
      "unmask 4",
    ]);
    expect(bench.run(driver.setChannels(9))).toBe(-EINVAL);
    expect(bench.run(driver.setChannels(0))).toBe(-EINVAL);
  });

  test("while the link is down, channels change without requesting anything", () => {
    const { driver, run } = nic({ vcpus: 1 });
    run(driver.probe());
    expect(run(driver.setChannels(2)).filter((line) => line.startsWith("unmask"))).toEqual([]);
    expect(driver.vectors.count).toBe(5);
  });

  test("the self test has vector 0 for itself, and puts everything back", () => {
    const { driver, run } = nic({ vcpus: 1 });
    run(driver.probe());
    run(driver.open());
    const up = ["unmask 0", "unmask 1", "unmask 2"];
    expect(run(driver.selfTest())).toEqual(["mask 0-2", "unmask 0", "mask 0", ...up]);
    run(driver.close());
    expect(run(driver.selfTest())).toEqual(["unmask 0", "mask 0"]);
  });

  test("removal frees, masks and turns off; bus mastering ends", () => {
    const { driver, run } = nic({ vcpus: 1 });
    run(driver.probe());
    run(driver.open());
    expect(run(driver.remove())).toEqual([
      "mask 0-2",
      "mask 0-2",
      "cfg 42 9",
      "cfg 4 106",
      "cfg 4 102",
    ]);
    expect(driver.state).toBe("unbound");
  });

  test("resume restores what probe saved in one word, and the link if it was up", () => {
    const { driver, run } = nic({ vcpus: 1 });
    run(driver.probe());
    run(driver.open());
    run(driver.suspend());
    const log = run(driver.resume());
    expect(log.slice(0, 2)).toEqual(["cfg 4 106", "cfg 42 c009"]);
    expect(log.filter((line) => line.startsWith("unmask"))).toHaveLength(3);
  });
});

describe("igb's handlers", () => {
  test("count what came, queues apart from other causes", () => {
    const { bench, driver, interrupts } = nic({ vcpus: 1 });
    bench.run(driver.probe());
    bench.run(driver.open());
    for (const vector of [0, 1, 1]) {
      const row = rowOf(bench.vm.functions[0]!.rows, "msix", vector);
      bench.inject(row, interrupts.table.rows.indexOf(row));
      interrupts.poll();
    }
    expect(driver.counters()).toEqual({ queues: 1, received: 2, other: 1 });
  });

  test.each(["msi", "intx"] as const)("of %s read the causes, which ends them", (mode) => {
    const { bench, driver, interrupts } = nic({ vcpus: 1 });
    driver.mode = mode;
    bench.run(driver.probe());
    bench.run(driver.open());
    const row = rowOf(bench.vm.functions[0]!.rows, mode, 0);
    bench.inject(row, interrupts.table.rows.indexOf(row));
    interrupts.poll();
    expect(bench.vm.log).toContain("bell 0 1");
    expect(driver.counters()).toEqual({ queues: 1, received: 1, other: 0 });
  });
});
