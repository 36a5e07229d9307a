import fc from "fast-check";
import { expect, it } from "vitest";
import type { Process } from "../../src/time/process.ts";
import { step } from "../../src/time/process.ts";
import type { Task } from "../../src/time/scheduler.ts";
import { Counter, Machine, type TestClient } from "../unit/host/irq/machine.ts";

const BOOT = { irtes: 3, irqs: 2, vectors: 2, reservations: 1, lines: [] };
/** Small enough that every limit is met: 29 entries, 14 vectors. */
const SMALL = { cpus: 2, vectorsPerCpu: 8, irtes: 32, boot: BOOT };

interface Step {
  readonly op: "msix" | "msi" | "off" | "grow" | "arm" | "disarm" | "shrink" | "raise";
  readonly n: number;
}

const STEPS = fc.array(
  fc.record({
    op: fc.constantFrom<Step["op"]>(
      ...(["msix", "msi", "off", "grow", "arm", "arm", "disarm", "shrink", "raise"] as const),
    ),
    n: fc.nat(15),
  }),
  { maxLength: 12 },
);

/** What one driver does, one step after the other, as vfio's mutex orders it. */
function* drive(machine: Machine, client: TestClient, steps: readonly Step[]): Process {
  const { pool } = machine;
  for (const { op, n } of steps) {
    const { kind, indexes } = pool.held(client);
    if (op === "msix" || op === "msi") {
      if (kind !== null) continue;
      const granted = yield* pool.pciAllocIrqVectors(client, 1, n + 1, op);
      expect(granted === -28 || (granted >= 1 && granted <= n + 1)).toBe(true);
    } else if (op === "off") {
      yield* disarmAll(machine, client);
      yield* pool.pciFreeIrqVectors(client);
    } else if (op === "grow") yield* pool.pciMsixAllocIrqAt(client, n);
    else if (op === "arm") yield* pool.requestIrq(client, n, new Counter());
    else if (op === "disarm") yield* pool.freeIrq(client, n);
    else if (op === "shrink" && kind === "msix" && indexes.includes(n)) {
      yield* pool.freeIrq(client, n);
      yield* pool.pciMsixFreeIrq(client, n);
    } else if (op === "raise" && kind !== null) client.fn.raise(kind, n);
    yield* step();
  }
}

function* disarmAll(machine: Machine, client: TestClient): Process {
  for (const index of machine.pool.held(client).indexes) yield* machine.pool.freeIrq(client, index);
}

/** What the pool counts must be what its clients hold, at any instant. */
function expectConsistent(machine: Machine, clients: readonly TestClient[]): void {
  const { pool } = machine;
  const report = pool.report();
  const held = clients.map((client) => pool.held(client).indexes.length);
  expect(report.irqsHeld).toBe(held.reduce((sum, count) => sum + count, 0));
  const entries = clients.map((client, i) => {
    if (pool.held(client).kind !== "msi") return held[i]!;
    return held[i] === 0 ? 0 : 2 ** Math.ceil(Math.log2(held[i]!));
  });
  expect(report.irtesUsed).toBe(BOOT.irtes + entries.reduce((sum, count) => sum + count, 0));
  const vectors = report.vectorsUsed - BOOT.vectors;
  const reserved = pool.matrix.globalReserved - BOOT.reservations;
  expect(vectors + reserved).toBe(report.irqsHeld);
  expect(pool.matrix.globalAvailable).toBe(16 - report.vectorsUsed);
}

it("drivers that compete, and are killed anywhere, leave the pool as its boot left it", () => {
  const property = fc.property(
    fc.array(STEPS, { minLength: 3, maxLength: 3 }),
    fc.array(fc.nat(80), { maxLength: 2 }),
    (plans, kills) => {
      const machine = new Machine(SMALL);
      const clients = plans.map(() => machine.client({ msix: 16, msi: 16 }));
      const tasks: Task[] = plans.map((steps, i) => {
        return machine.scheduler.spawn(`driver${i}`, drive(machine, clients[i]!, steps));
      });
      for (let event = 0; machine.scheduler.runNext(); event++) {
        kills.forEach((at, i) => {
          if (event === at) machine.scheduler.kill(tasks[i]!);
        });
        expectConsistent(machine, clients);
      }
      for (const client of clients) {
        machine.run(disarmAll(machine, client));
        machine.disable(client);
        expect(client.fn.msix!.enabled || client.fn.msi!.enabled).toBe(false);
      }
      const { irqsHeld, irtesUsed, vectorsUsed } = machine.pool.report();
      expect({ irqsHeld, irtesUsed, vectorsUsed }).toEqual({
        irqsHeld: 0,
        irtesUsed: 3,
        vectorsUsed: 2,
      });
      expect(machine.pool.matrix.globalReserved).toBe(1);
    },
  );
  fc.assert(property, { numRuns: 200 });
});

it("every interrupt raised is handled, lost with a cause, or still waits somewhere", () => {
  const property = fc.property(STEPS, (steps) => {
    const machine = new Machine(SMALL);
    const client = machine.client({ msix: 16, msi: 16 });
    const { fn } = client;
    let raised = 0;
    let handled = 0;
    const counting: typeof fn.raise = fn.raise.bind(fn);
    fn.raise = (kind, vector) => {
      raised++;
      counting(kind, vector);
    };
    const request = machine.pool.requestIrq.bind(machine.pool);
    machine.pool.requestIrq = (to, index) => request(to, index, { handleIrq: () => ++handled > 0 });
    machine.run(drive(machine, client, steps));
    let waiting = 0;
    for (let vector = 0; vector < 16; vector++) {
      if (fn.msix!.isPending(vector)) waiting++;
      if (machine.pool.latched(client, "msi", vector)) waiting++;
    }
    expect(handled + client.lostLog.length + waiting).toBe(raised);
  });
  fc.assert(property, { numRuns: 300 });
});
