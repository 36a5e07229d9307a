/** MSI-X as Linux 2.6.18 handled it: a mask and an unmask at each interrupt. */
import { describe, expect, test } from "vitest";
import { GUEST_KERNELS } from "../../../../guest/kernel/guest-irq.ts";
import { IrqVectors } from "../../../../guest/kernel/irq-vectors.ts";
import { GuestKernel } from "../../../../guest/kernel/kernel.ts";
import { PciDevice } from "../../../../guest/kernel/pci-device.ts";
import { rowOf } from "../../../../src/measure/rows.ts";
import { Bench } from "./bench.ts";
import { compact } from "./fake-vm.ts";

function started(kernelName: keyof typeof GUEST_KERNELS, mode: "msi" | "msix" = "msix") {
  const bench = new Bench({ vcpus: 1 });
  const interrupts = bench.interrupts();
  const kernel = new GuestKernel(bench.env, bench.plan, bench.vm, interrupts, {
    rules: GUEST_KERNELS[kernelName],
  });
  const irqs = new IrqVectors(new PciDevice(bench.vm, bench.vm.functions[0]!), kernel);
  let handled = 0;
  const handler = {
    ownsEoi: false,
    handleIrq: () => {
      handled++;
      return true;
    },
  };
  bench.run(irqs.alloc(mode, [null]));
  bench.run(irqs.request(0, handler));
  interrupts.enable();
  bench.vm.log.length = 0;
  const row = rowOf(bench.vm.functions[0]!.rows, mode, 0);
  const interrupt = (): void => {
    bench.inject(row, interrupts.table.rows.indexOf(row));
    interrupts.poll();
  };
  return { bench, irqs, interrupt, handled: () => handled };
}

describe("Linux 2.6.18", () => {
  test("masks the vector and unmasks it, once the handler has run", () => {
    const { bench, interrupt, handled } = started("linux-2.6.18");
    interrupt();
    expect(handled()).toBe(1);
    bench.advance(1e6);
    expect(compact(bench.vm.log)).toEqual(["mask 0", "unmask 0"]);
  });

  test("does not mask again for what was sent before the mask arrived", () => {
    const { bench, interrupt, handled } = started("linux-2.6.18");
    interrupt();
    interrupt();
    expect(handled()).toBe(2);
    bench.advance(1e6);
    expect(compact(bench.vm.log)).toEqual(["mask 0", "unmask 0"]);
    interrupt();
    bench.advance(2e6);
    expect(compact(bench.vm.log)).toHaveLength(4);
  });

  test("leaves a vector masked that was freed meanwhile", () => {
    const { bench, irqs, interrupt } = started("linux-2.6.18");
    bench.vm.latencyNs = 5_000;
    interrupt();
    bench.run(irqs.free(0));
    bench.advance(1e6);
    expect(compact(bench.vm.log)).toEqual(["mask 0", "mask 0", "msg 0 0 0"]);
  });

  test("does so with MSI-X alone, and later kernels not at all", () => {
    for (const made of [started("linux-2.6.18", "msi"), started("linux-6.12")]) {
      made.interrupt();
      made.bench.advance(1e6);
      expect(made.handled()).toBe(1);
      expect(made.bench.vm.log).toEqual([]);
    }
  });
});
