/** The guest's iavf driver: vectors at probe and open, and RDMA's that come late. */
import { describe, expect, test } from "vitest";
import { IavfDriver } from "../../../../guest/driver/iavf.ts";
import { GuestKernel } from "../../../../guest/kernel/kernel.ts";
import { Bench } from "../kernel/bench.ts";

function bound({ vcpus = 2, msixVectors = 17 } = {}) {
  const device = { name: "vf", model: "ice-vf", msixVectors, msiVectors: 0 } as const;
  const bench = new Bench({ device, vcpus });
  const interrupts = bench.interrupts();
  const kernel = new GuestKernel(bench.env, bench.plan, bench.vm, interrupts);
  const driver = new IavfDriver(kernel, bench.vm.functions[0]!);
  interrupts.enable();
  expect(bench.run(driver.probe())).toBe(0);
  return { bench, kernel, driver };
}

/** Vectors unmasked or masked, in order: `+3`, `-3`; and what the physical function is asked. */
function story({ bench }: ReturnType<typeof bound>): string[] {
  const log = bench.vm.log.flatMap((line) => {
    const [, vector, ctrl] = /^tbl (\d+) ctrl (\d)/.exec(line) ?? [];
    if (vector !== undefined) return [ctrl === "0" ? `+${vector}` : `-${vector}`];
    return /^reg 1000/.test(line) ? [line] : [];
  });
  bench.vm.log.length = 0;
  return log;
}

describe("the iavf driver", () => {
  test("probes with a vector for the mailbox and one for each queue pair", () => {
    for (const [vcpus, msixVectors, vectors] of [
      [2, 17, 3],
      [4, 3, 3],
      [32, 65, 17],
    ] as const) {
      expect(bound({ vcpus, msixVectors }).driver.vectors.count).toBe(vectors);
    }
  });

  test("the queues' vectors come with the link, and go with it", () => {
    const made = bound();
    expect(story(made).at(-1)).toBe("+0");
    expect(made.bench.run(made.driver.open())).toBe(0);
    expect(story(made)).toEqual(["+1", "+2", "reg 10000 2"]);
    made.bench.run(made.driver.close());
    expect(story(made)).toEqual(["reg 10000 0", "-1", "-2"]);
  });

  test("RDMA's are allocated while MSI-X is on: events first, then a completion queue each", () => {
    const made = bound();
    made.bench.run(made.driver.open());
    story(made);
    expect(made.bench.run(made.driver.rdma.enable(0))).toBe(0);
    expect(story(made)).toEqual(["+3", "+4", "+5", "reg 10004 20004"]);
    expect(made.driver.vectors.count).toBe(6);
    expect(made.bench.run(made.driver.rdma.enable(0))).toBe(-16);
    expect(made.bench.run(made.driver.rdma.disable(0))).toBe(0);
    expect(story(made)).toEqual(["reg 10004 0", "-5", "-4", "-3"]);
    expect(made.driver.vectors.count).toBe(3);
    expect(made.bench.run(made.driver.rdma.disable(0))).toBe(0);
  });

  test("RDMA makes do with what the table has left, if that is two vectors", () => {
    const two = bound({ msixVectors: 5 });
    expect(two.bench.run(two.driver.rdma.enable(0))).toBe(0);
    expect(two.driver.counters().rdmaVectors).toBe(2);
    const one = bound({ msixVectors: 4 });
    expect(one.bench.run(one.driver.rdma.enable(0))).toBe(-16);
    expect(one.driver.vectors.count).toBe(3);
    expect(one.driver.counters().rdmaVectors).toBe(0);
  });

  test("short of CPU vectors RDMA gives back what it had", () => {
    const made = bound();
    while (made.kernel.matrix.alloc([0, 1]) >= 0);
    expect(made.bench.run(made.driver.rdma.enable(0))).toBe(-28);
    expect(made.driver.vectors.count).toBe(3);
  });

  test("other channels are a new interrupt scheme, after which link and RDMA are back", () => {
    const made = bound({ vcpus: 4 });
    made.bench.run(made.driver.open());
    made.bench.run(made.driver.rdma.enable(0));
    expect(made.bench.run(made.driver.setChannels(1))).toBe(0);
    expect(made.driver.counters()).toMatchObject({ queues: 1, rdmaVectors: 2 });
    expect(made.driver.vectors.count).toBe(4);
    expect(made.bench.run(made.driver.setChannels(0))).toBe(-22);
    expect(made.bench.run(made.driver.setChannels(17))).toBe(-22);
  });

  test("sleep and resets take everything, and bring it back", () => {
    const made = bound();
    made.bench.run(made.driver.open());
    made.bench.run(made.driver.rdma.enable(0));
    made.bench.run(made.driver.suspend());
    expect(made.driver.vectors.mode).toBe(null);
    expect(made.bench.run(made.driver.resume())).toBe(0);
    expect(made.driver.vectors.count).toBe(6);
    made.bench.run(made.driver.resetPrepare());
    made.bench.run(made.driver.resetDone());
    expect(made.driver.vectors.count).toBe(6);
  });

  test("removal gives every vector back", () => {
    const made = bound();
    made.bench.run(made.driver.open());
    made.bench.run(made.driver.rdma.enable(0));
    made.bench.run(made.driver.remove());
    expect(made.driver.state).toBe("unbound");
    expect(made.driver.vectors.mode).toBe(null);
  });
});
