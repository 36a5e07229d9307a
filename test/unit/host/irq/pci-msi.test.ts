import { expect, it, vi } from "vitest";
import type { IrqClient } from "../../../../host/irq/types.ts";
import { EINVAL, ENOSPC, ERANGE } from "../../../../src/base/errno.ts";
import { Counter, type FunctionShape, Machine } from "./machine.ts";

/** Writes down what the kernel writes to a function, in order. */
function recordWrites(client: IrqClient): string[] {
  const log: string[] = [];
  const { fn } = client;
  const note = (target: object, method: string, as: (args: unknown[]) => string): void => {
    const original = Reflect.get(target, method) as (...args: unknown[]) => unknown;
    vi.spyOn(target as Record<string, () => unknown>, method).mockImplementation(
      (...args: unknown[]) => {
        log.push(as(args));
        return original.apply(target, args);
      },
    );
  };
  note(fn, "setIntxDisable", ([disable]) => `DisINTx ${disable}`);
  for (const capability of [fn.msi, fn.msix]) {
    if (capability === null) continue;
    const name = capability === fn.msi ? "msi" : "msix";
    note(capability, "setControl", (args) => `${name} control ${args.join(" ")}`.trim());
    note(capability, "setVectorMask", ([vector, masked]) => `${name} mask ${vector} ${masked}`);
    note(capability, "writeMessage", (args) => {
      return name === "msix" ? `msix message ${args[0]}` : "msi message";
    });
  }
  return log;
}

function machineWith(shape: FunctionShape): { machine: Machine; client: IrqClient } {
  const machine = new Machine();
  return { machine, client: machine.client(shape) };
}

it("MSI-X comes up masked: function mask, messages, INTx off, entry masks, unmask", () => {
  const { machine, client } = machineWith({ msix: 3 });
  const log = recordWrites(client);
  expect(machine.enable(client, 2)).toBe(2);
  expect(log).toEqual([
    "msix control true true",
    "msix message 0",
    "msix message 1",
    "DisINTx true",
    "msix mask 0 true",
    "msix mask 1 true",
    "msix mask 2 true",
    "msix control true false",
  ]);
});

it("an entry is unmasked by request_irq, after its message, and masked by free_irq", () => {
  const { machine, client } = machineWith({ msix: 3 });
  machine.enable(client, 2);
  const log = recordWrites(client);
  machine.request(client, 1);
  machine.free(client, 1);
  expect(log).toEqual(["msix message 1", "msix mask 1 false", "msix mask 1 true"]);
});

it("MSI-X goes down quietly: entries masked, enable off, then INTx back", () => {
  const { machine, client } = machineWith({ msix: 3 });
  machine.enable(client, 2);
  const log = recordWrites(client);
  machine.disable(client);
  expect(log).toEqual([
    "msix mask 0 true",
    "msix mask 1 true",
    "msix control false",
    "DisINTx false",
  ]);
  expect(client.fn.intxDisabled).toBe(false);
});

it("MSI is off while it is set up, and on after its message and INTx off", () => {
  const { machine, client } = machineWith({ msi: 16 });
  const log = recordWrites(client);
  expect(machine.enable(client, 3, "msi")).toBe(3);
  expect(log.filter((write) => !write.startsWith("msi mask"))).toEqual([
    "msi control false",
    "msi control  4",
    "msi message",
    "DisINTx true",
    "msi control true",
  ]);
});

it("MSI holds what was asked for, and grants the function the next power of two (h08)", () => {
  const { machine, client } = machineWith({ msi: 16 });
  const granted = [1, 2, 3, 5, 7, 9, 16].map((nvec) => {
    machine.enable(client, nvec, "msi");
    const held = machine.pool.held(client).indexes.length;
    const allotted = client.fn.msi!.allotted;
    machine.disable(client);
    return [held, allotted];
  });
  expect(granted).toEqual([
    [1, 1],
    [2, 2],
    [3, 4],
    [5, 8],
    [7, 8],
    [9, 16],
    [16, 16],
  ]);
});

it("a request above the capability is cut to it", () => {
  const { machine, client } = machineWith({ msi: 4, msix: 8 });
  expect(machine.enable(client, 5, "msi")).toBe(4);
  machine.disable(client);
  expect(machine.enable(client, 100)).toBe(8);
});

it("checks in the kernel's order: range, other mode, power state, capability (h02 h21)", () => {
  const { machine, client } = machineWith({ msix: 8, msi: 4 });
  expect(machine.enable(client, 0)).toBe(-ERANGE);
  expect(machine.enable(client, 0, "msi")).toBe(-ERANGE);
  machine.enable(client, 2, "msi");
  expect(machine.enable(client, 2)).toBe(-EINVAL);
  machine.disable(client);
  client.fn.setPowerState(3);
  expect(machine.enable(client, 2)).toBe(-EINVAL);
  expect(machine.enable(client, 2, "msi")).toBe(-EINVAL);
  client.fn.setPowerState(0);
  expect(machine.enable(client, 2)).toBe(2);
  const bare = machine.client();
  expect(machine.enable(bare, 1)).toBe(-EINVAL);
  expect(machine.enable(bare, 1, "msi")).toBe(-EINVAL);
});

it("in D3hot growth and disable of what is on still work (h21)", () => {
  const { machine, client } = machineWith({ msix: 8 });
  machine.enable(client, 2);
  client.fn.setPowerState(3);
  expect(machine.run(machine.pool.pciMsixAllocIrqAt(client, 2))).toBe(0);
  machine.disable(client);
  expect(machine.pool.held(client)).toEqual({ kind: null, indexes: [] });
});

it("an enable that fails leaves MSI-X off and INTx as it was", () => {
  const machine = new Machine({
    boot: { irtes: 65_536, irqs: 0, vectors: 0, reservations: 0, lines: [] },
  });
  const client = machine.client({ msix: 8 });
  expect(machine.enable(client, 4)).toBe(-ENOSPC);
  expect(client.fn.msix!.enabled).toBe(false);
  expect(client.fn.msix!.functionMasked).toBe(false);
  expect(client.fn.intxDisabled).toBe(false);
  expect(machine.pool.held(client).kind).toBe(null);
});

it("a task killed in the middle of an enable or a disable leaves nothing held", () => {
  const { machine, client } = machineWith({ msix: 256 });
  const { pool, scheduler } = machine;
  const before = pool.report();
  const enabling = scheduler.spawn("enable", pool.pciAllocIrqVectors(client, 1, 256, "msix"));
  for (let i = 0; i < 5; i++) scheduler.runNext();
  expect(pool.report().irqsHeld).toBeGreaterThan(0);
  scheduler.kill(enabling);
  expect(pool.report().irqsHeld).toBe(0);
  expect(client.fn.msix!.enabled).toBe(false);
  machine.enable(client, 256);
  const disabling = scheduler.spawn("disable", pool.pciFreeIrqVectors(client));
  for (let i = 0; i < 4; i++) scheduler.runNext();
  scheduler.kill(disabling);
  expect(pool.report().irqsHeld).toBe(0);
  expect(pool.report().irtesUsed).toBe(before.irtesUsed);
  expect(pool.matrix.globalReserved).toBe(12);
});

it("MSI with mask bits only reserves, and takes its vector at request_irq like MSI-X", () => {
  const { machine, client } = machineWith({ msi: 4, perVectorMask: true });
  machine.enable(client, 4, "msi");
  expect(machine.pool.matrix.globalAvailable).toBe(392);
  expect([0, 1, 2, 3].map((vector) => client.fn.msi!.isMasked(vector))).toEqual(
    Array(4).fill(true),
  );
  machine.request(client, 2);
  expect(machine.pool.matrix.globalAvailable).toBe(391);
  expect(client.fn.msi!.isMasked(2)).toBe(false);
  machine.free(client, 2);
  expect(machine.pool.matrix.globalAvailable).toBe(392);
});

it("free_irq masks MSI where the function can: a message waits for the next handler", () => {
  const machine = new Machine();
  const client = machine.client({ msi: 4, perVectorMask: true });
  machine.enable(client, 2, "msi");
  machine.request(client, 1);
  machine.free(client, 1);
  client.fn.raise("msi", 1);
  expect(client.lostLog).toEqual([]);
  const action = new Counter();
  machine.request(client, 1, action);
  expect(action.count).toBe(1);
  client.fn.raise("msi", 1);
  expect(action.count).toBe(2);
});

it("one index can be freed and taken again while MSI-X stays on", () => {
  const { machine, client } = machineWith({ msix: 8 });
  machine.enable(client, 4);
  machine.run(machine.pool.pciMsixFreeIrq(client, 2));
  expect(machine.pool.held(client).indexes).toEqual([0, 1, 3]);
  expect(client.fn.msix!.enabled).toBe(true);
  expect(machine.run(machine.pool.pciMsixAllocIrqAt(client, 2))).toBe(0);
  expect(machine.run(machine.pool.pciMsixAllocIrqAt(client, 2))).toBe(-EINVAL);
  expect(machine.run(machine.pool.pciMsixAllocIrqAt(client, 8))).toBe(-EINVAL);
});
