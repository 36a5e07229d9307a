import fc from "fast-check";
import { expect, it } from "vitest";
import type { HostSpec, KernelBug } from "../../src/scenario/types.ts";
import { Machine, type TestClient } from "../unit/host/irq/machine.ts";

const BOOT = { irtes: 2, irqs: 26, vectors: 0, reservations: 0, lines: [] };
/** Little enough that three functions of 16 vectors run short. */
const LPIS = 42;
const BUGS: readonly KernelBug[] = ["its-msi-frees-part", "its-prepare-marks-shared"];

const STEPS = fc.array(
  fc.record({
    client: fc.nat(2),
    op: fc.constantFrom("msix" as const, "msi" as const, "off" as const, "unbind" as const),
    n: fc.integer({ min: 1, max: 16 }),
  }),
  { maxLength: 40 },
);
const KERNELS = fc.constantFrom<HostSpec["kernel"][]>("linux-6.1", "linux-6.12", "linux-7.2");

function used(machine: Machine): number {
  return machine.pool.inspect().tables[0]!.used;
}

/** Functions that a bug of the kernel may have cost LPIs. */
class Tainted extends Set<TestClient> {}

function play(kernel: HostSpec["kernel"], fixed: readonly KernelBug[], steps: Steps) {
  const machine = new Machine({ platform: "arm64-its", kernel, lpis: LPIS, fixed, boot: BOOT });
  const clients = [0, 1, 2].map(() => machine.client({ msix: 16, msi: 16 }));
  const tainted = new Tainted();
  for (const { client: i, op, n } of steps) {
    const client = clients[i]!;
    const { kind } = machine.pool.held(client);
    if (op === "off") machine.disable(client);
    else if (op === "unbind" && kind === null) machine.pool.removeDeviceDomain(client);
    else if ((op === "msi" || op === "msix") && kind === null) {
      const result = machine.vfioEnable(client, n, op);
      expect(result).toBeLessThan(n === 1 ? 1 : n);
      if (op === "msi" && ((n & (n - 1)) !== 0 || result === 1)) tainted.add(client);
    }
    const held = clients.reduce((sum, c) => sum + machine.pool.held(c).indexes.length, 0);
    expect(machine.pool.report().irqsHeld).toBe(held);
    expect(used(machine)).toBeGreaterThanOrEqual(BOOT.irtes + held);
    expect(used(machine)).toBeLessThanOrEqual(LPIS);
  }
  for (const client of clients) machine.disable(client);
  const { irtesUsed, irtesBoot, irtesKept } = machine.pool.report();
  const leaked = irtesUsed - irtesBoot - irtesKept!;
  for (const client of clients) machine.pool.removeDeviceDomain(client);
  return { machine, tainted, leaked };
}

type Steps = readonly { client: number; op: "msix" | "msi" | "off" | "unbind"; n: number }[];

it("with the bugs fixed every LPI comes back, whatever functions did", () => {
  const property = fc.property(KERNELS, STEPS, (kernel, steps) => {
    const { machine, leaked } = play(kernel, BUGS, steps);
    expect(leaked).toBe(0);
    expect(used(machine)).toBe(BOOT.irtes);
  });
  fc.assert(property, { numRuns: 150 });
});

it("with the bugs only functions that had such an MSI cost LPIs, 16 each at most", () => {
  const property = fc.property(KERNELS, STEPS, (kernel, steps) => {
    const { machine, tainted, leaked } = play(kernel, [], steps);
    const lost = used(machine) - BOOT.irtes;
    expect(lost).toBeLessThanOrEqual(16 * tainted.size);
    // What was called leaked before the drivers went is what stays.
    expect(leaked).toBe(lost);
  });
  fc.assert(property, { numRuns: 150 });
});

it("drivers killed anywhere in an enable leave no LPI behind", () => {
  const property = fc.property(
    fc.nat(60),
    fc.constantFrom("linux-6.1", "linux-6.12"),
    (at, kernel) => {
      const host = { platform: "arm64-its", kernel, lpis: 512, boot: BOOT } as const;
      const machine = new Machine(host as Partial<HostSpec>);
      const client = machine.client({ msix: 256 });
      const enable = machine.pool.pciAllocIrqVectors(client, 1, 200, "msix");
      const task = machine.scheduler.spawn(
        "driver",
        (function* () {
          yield* enable;
        })(),
      );
      for (let i = 0; i < at && machine.scheduler.runNext(); i++);
      machine.scheduler.kill(task);
      while (machine.scheduler.runNext());
      machine.disable(client);
      expect(used(machine)).toBe(BOOT.irtes);
    },
  );
  fc.assert(property, { numRuns: 60 });
});
