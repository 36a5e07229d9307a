/** The rules by which Linux writes messages and masks, each held against what it was read from. */
import { describe, expect, test } from "vitest";
import { type Choices, GUEST_KERNELS } from "../../../../guest/kernel/guest-irq.ts";
import { IrqVectors } from "../../../../guest/kernel/irq-vectors.ts";
import { GuestKernel, type KernelOptions } from "../../../../guest/kernel/kernel.ts";
import { PciDevice } from "../../../../guest/kernel/pci-device.ts";
import type { RemappingEntry } from "../../../../guest/vmm/types.ts";
import { EINVAL, EIO } from "../../../../src/base/errno.ts";
import { type Process, step } from "../../../../src/time/process.ts";
import { Bench, type BenchOptions, EDU, NVME } from "./bench.ts";
import { compact, MSI_CAP } from "./fake-vm.ts";

const HANDLER = { ownsEoi: false, handleIrq: () => true };

class Remapping {
  readonly log: string[] = [];

  *write(index: number, entry: RemappingEntry | null): Process {
    this.log.push(entry === null ? `${index} -` : `${index} ${entry.vcpu}:${entry.vector}`);
    yield* step();
  }
}

function vectors(options: BenchOptions = {}, kernelOptions: KernelOptions = {}, remaps = false) {
  const bench = new Bench(options);
  const remapping = new Remapping();
  if (remaps) Object.assign(bench.vm, { remapping });
  const interrupts = bench.interrupts();
  const kernel = new GuestKernel(bench.env, bench.plan, bench.vm, interrupts, kernelOptions);
  const irqs = new IrqVectors(new PciDevice(bench.vm, bench.vm.functions[0]!), kernel);
  const run = <T>(process: Process<T>): [T, string[]] => {
    bench.vm.log.length = 0;
    const result = bench.run(process);
    return [result, compact(bench.vm.log).filter((line) => line !== "")];
  };
  return { bench, kernel, interrupts, irqs, run, remapping };
}

/** Two vectors on two vCPUs, requested. */
function started(kernelOptions: KernelOptions = {}, remaps = false) {
  const all = vectors({ vcpus: 2 }, kernelOptions, remaps);
  all.run(all.irqs.alloc("msix", [null, [1]]));
  const [, first] = all.run(all.irqs.request(0, HANDLER));
  all.run(all.irqs.request(1, HANDLER));
  return { ...all, first };
}

/** The boot CPU has fewer vectors, so vector 0 is on vCPU 1, at 0x23, as recorded. */
describe("affinity of an irq that nobody manages", () => {
  test("is written down, and the next interrupt moves it, masked, in two steps", () => {
    const { irqs, run, interrupts, bench } = started();
    const [result, log] = run(irqs.setAffinity(0, [0]));
    expect([result, log]).toEqual([0, []]);
    expect(irqs.isMovePending(0)).toBe(true);
    interrupts.enable();
    bench.request((1 << 8) | 0x24);
    interrupts.poll();
    bench.advance(1e9);
    expect(compact(bench.vm.log)).toEqual([
      "mask 0",
      "msg 0 fee01000 23",
      "msg 0 fee00000 23",
      "unmask 0",
    ]);
    expect(irqs.isMovePending(0)).toBe(false);
  });

  test("of a vCPU where it is already writes the same message again", () => {
    const { irqs, run } = started();
    run(irqs.setAffinity(0, [1]));
    expect(run(irqs.acknowledge(0))[1]).toEqual(["mask 0", "msg 0 fee01000 24", "unmask 0"]);
    expect(run(irqs.acknowledge(0))[1]).toEqual([]);
  });

  test("with the same vector elsewhere is one write", () => {
    const choices: Choices = {
      slot: (_device, vector) => (vector === 0 ? 0x40 | ((moved ? 1 : 0) << 8) : null),
      entry: () => null,
      isMoveBusy: () => false,
    };
    let moved = false;
    const { irqs, run } = started({ choices });
    moved = true;
    run(irqs.setAffinity(0, [1]));
    expect(run(irqs.acknowledge(0))[1]).toEqual(["mask 0", "msg 0 fee01000 40", "unmask 0"]);
  });

  test("waits for another interrupt while the vector before is still cleaned up", () => {
    let isBusy = true;
    const choices: Choices = { slot: () => null, entry: () => null, isMoveBusy: () => isBusy };
    const { irqs, run } = started({ choices });
    run(irqs.setAffinity(0, [0]));
    expect(run(irqs.acknowledge(0))[1]).toEqual(["mask 0", "unmask 0"]);
    isBusy = false;
    expect(run(irqs.acknowledge(0))[1]).toHaveLength(4);
  });

  test("that is pending outlives the handler, and holds for the next start", () => {
    const { irqs, run } = started();
    run(irqs.setAffinity(0, [0]));
    run(irqs.free(0));
    run(irqs.request(0, HANDLER));
    expect(irqs.isMovePending(0)).toBe(true);
    run(irqs.acknowledge(0));
    run(irqs.free(0));
    expect(run(irqs.request(0, HANDLER))[1][0]).toMatch(/^msg 0 fee00000 /);
  });

  test("is refused for a managed irq, and for vCPUs that are not there", () => {
    const { irqs, run } = started();
    expect(run(irqs.setAffinity(1, [0]))[0]).toBe(-EIO);
    expect(run(irqs.setAffinity(0, [7]))[0]).toBe(-EINVAL);
  });

  test("is done by CPU hotplug, which takes the wish where it can be had", () => {
    const { irqs, run, kernel } = started();
    run(irqs.setAffinity(0, [0]));
    kernel.setOnline(1, false);
    const [, log] = run(irqs.cpuOffline(1));
    expect(log.slice(0, 4)).toEqual([
      "mask 0",
      "msg 0 fee01000 23",
      "msg 0 fee00000 23",
      "unmask 0",
    ]);
    // The managed one has no vCPU left: masked by the hotplug core, and again by its shutdown.
    expect(log.slice(4)).toEqual(["mask 1", "mask 1", "msg 1 0 0"]);
    expect(irqs.isMovePending(0)).toBe(false);
  });

  test("is in two steps for irqs without a mask bit in kernels before the quirk was mended", () => {
    const rules = { ...GUEST_KERNELS["linux-6.12"], twoStepMoves: "unmaskable" } as const;
    const { irqs, run } = started({ rules });
    run(irqs.setAffinity(0, [0]));
    expect(run(irqs.acknowledge(0))[1]).toEqual(["mask 0", "msg 0 fee00000 23", "unmask 0"]);
  });
});

describe("interrupt remapping in the guest (VT-d 5.1.2.2)", () => {
  test("a message names an entry and is written once when it is requested", () => {
    const { first, remapping } = started({}, true);
    expect(first).toEqual(["msg 0 fee00018 0", "unmask 0"]);
    expect(remapping.log[0]).toMatch(/^0 1:/);
  });

  test("vectors are set up with their entries' messages, not the shutdown vector's", () => {
    const { irqs, run } = vectors({ vcpus: 2 }, {}, true);
    const [, log] = run(irqs.alloc("msix", [null, null]));
    expect(log.slice(1, 3)).toEqual(["msg 0 fee00018 0", "msg 1 fee00038 0"]);
  });

  test("affinity changes at once, and only the entry", () => {
    const { irqs, run, remapping } = started({}, true);
    remapping.log.length = 0;
    expect(run(irqs.setAffinity(0, [0]))).toEqual([0, []]);
    expect(remapping.log).toEqual([expect.stringMatching(/^0 0:/)]);
  });

  test("CPU hotplug masks only what it shuts down, once", () => {
    const { irqs, run, kernel } = started({}, true);
    kernel.setOnline(1, false);
    expect(run(irqs.cpuOffline(1))[1]).toEqual(["mask 1", "msg 1 0 0"]);
    kernel.setOnline(1, true);
    expect(run(irqs.cpuOnline(1))[1]).toEqual(["msg 1 fee00038 0", "unmask 1"]);
  });

  test("an MSI gets as many vectors as it offers, with one message", () => {
    const { irqs, run } = vectors({ device: { ...EDU, msiVectors: 4 } }, {}, true);
    // The fake's capability offers one.
    expect(run(irqs.alloc("msi", [null, null, null]))[0]).toBe(1);
  });
});

describe("MSI without mask bits (recording q10-kvm-ahci-smp2)", () => {
  const cap = (offset: number): string => (MSI_CAP + offset).toString(16);

  test("takes its vector at once, and writes the message again when it is requested", () => {
    const { irqs, run } = vectors({ device: EDU });
    const [, log] = run(irqs.alloc("msi", [null]));
    expect(log).toEqual([
      `cfg ${cap(2)} 80`,
      `cfg ${cap(2)} 80`,
      `cfg ${cap(4)} fee01000`,
      `cfg ${cap(8)} 0`,
      `cfg ${cap(12)} 23`,
      "cfg 4 500",
      `cfg ${cap(2)} 81`,
    ]);
    expect(run(irqs.request(0, HANDLER))[1]).toEqual([
      `cfg ${cap(2)} 81`,
      `cfg ${cap(4)} fee01000`,
      `cfg ${cap(8)} 0`,
      `cfg ${cap(12)} 23`,
    ]);
  });

  test("is zeroed when it is freed, turned off, and INTx is back", () => {
    const { irqs, run } = vectors({ device: EDU });
    run(irqs.alloc("msi", [null]));
    run(irqs.request(0, HANDLER));
    expect(run(irqs.free(0))[1]).toEqual([
      `cfg ${cap(2)} 81`,
      `cfg ${cap(4)} 0`,
      `cfg ${cap(8)} 0`,
      `cfg ${cap(12)} 0`,
    ]);
    expect(run(irqs.freeAll())[1]).toEqual([`cfg ${cap(2)} 80`, "cfg 4 100"]);
  });
});

describe("a function reset under a driver without handlers for it (q10-kvm-igb-smp4)", () => {
  test("every entry is masked, written and unmasked twice, with MSI-X masked as a whole", () => {
    const { irqs, run } = started();
    expect(run(irqs.restore())[1]).toEqual([
      "cfg 42 c03f",
      "cfg 4 502",
      "mask 0",
      "msg 0 fee01000 24",
      "unmask 0",
      "unmask 0",
      "mask 1",
      "msg 1 fee01000 23",
      "unmask 1",
      "unmask 1",
      "cfg 4 500",
      "cfg 42 803f",
    ]);
  });
});

describe("numbers in /proc/irq", () => {
  test("begin behind the IOAPIC's pins and the root port's own, and are used again", () => {
    const { irqs, run } = vectors();
    run(irqs.alloc("msix", [null]));
    expect(irqs.vectorOf(25)).toBe(0);
    run(irqs.freeAll());
    run(irqs.alloc("msix", [null, null, null]));
    expect([25, 26, 27, 28].map((irq) => irqs.vectorOf(irq))).toEqual([0, 1, 2, -1]);
  });
});

describe("a vector that somebody else has chosen", () => {
  test("is taken only where the irq may go and nobody is", () => {
    const slots = new Map([
      [0, (1 << 8) | 0x50],
      [1, 0x50],
    ]);
    const choices: Choices = {
      slot: (_device, vector) => slots.get(vector) ?? null,
      entry: () => null,
      isMoveBusy: () => false,
    };
    const { irqs, run } = vectors({ vcpus: 2, device: NVME }, { choices });
    run(irqs.alloc("msix", [null, [1]]));
    expect(run(irqs.request(0, HANDLER))[1][0]).toBe("msg 0 fee01000 50");
    // vCPU 0 is none of the managed vector's.
    expect(run(irqs.request(1, HANDLER))[1][0]).toMatch(/^msg 1 fee01000 /);
  });
});
