import { expect, it } from "vitest";
import { EBUSY, EINVAL } from "../../../../src/base/errno.ts";
import { DEFAULT_COSTS } from "../../../../src/time/costs.ts";
import { Counter, Machine } from "./machine.ts";

it("a message runs the action of its vector and no other, and costs an interrupt entry", () => {
  const machine = new Machine();
  const client = machine.client({ msix: 8 });
  machine.enable(client, 4);
  const actions = [0, 1, 2].map((index) => {
    const action = new Counter();
    machine.request(client, index, action);
    return action;
  });
  const before = machine.clock.now();
  client.fn.raise("msix", 1);
  client.fn.raise("msix", 1);
  expect(actions.map((action) => action.count)).toEqual([0, 2, 0]);
  expect(machine.clock.now() - before).toBe(2 * DEFAULT_COSTS.irqEntry);
  expect(client.lostLog).toEqual([]);
});

it("MSI-X without a handler waits in the device's PBA and comes with the handler (h17)", () => {
  const machine = new Machine();
  const client = machine.client({ msix: 8 });
  machine.enable(client, 4);
  client.fn.raise("msix", 3);
  client.fn.raise("msix", 3);
  expect(client.fn.msix!.isPending(3)).toBe(true);
  expect(client.lostLog).toEqual(["msix 3 coalesced-pba"]);
  const action = new Counter();
  machine.request(client, 3, action);
  expect(action.count).toBe(1);
  machine.free(client, 3);
  client.fn.raise("msix", 3);
  expect(action.count).toBe(1);
  machine.request(client, 3, action);
  expect(action.count).toBe(2);
});

it("MSI before the first handler is latched once and replayed at request_irq (h16)", () => {
  const machine = new Machine();
  const client = machine.client({ msi: 1 });
  machine.enable(client, 1, "msi");
  client.fn.raise("msi", 0);
  client.fn.raise("msi", 0);
  expect(machine.pool.latched(client, "msi", 0)).toBe(true);
  expect(client.lostLog).toEqual(["msi 0 coalesced-pba"]);
  const action = new Counter();
  machine.request(client, 0, action);
  expect(action.count).toBe(1);
  expect(machine.pool.latched(client, "msi", 0)).toBe(false);
});

it("MSI after a handler was removed is lost, until the next handler (h16)", () => {
  const machine = new Machine();
  const client = machine.client({ msi: 1 });
  machine.enable(client, 1, "msi");
  machine.request(client, 0);
  machine.free(client, 0);
  client.fn.raise("msi", 0);
  expect(client.lostLog).toEqual(["msi 0 dropped-no-handler"]);
  const action = new Counter();
  machine.request(client, 0, action);
  expect(action.count).toBe(0);
  client.fn.raise("msi", 0);
  expect(action.count).toBe(1);
});

it("a latched message is lost with its irq, one of a vector without an irq at once", () => {
  const machine = new Machine();
  const client = machine.client({ msi: 4 });
  machine.enable(client, 3, "msi");
  client.fn.raise("msi", 1);
  client.fn.raise("msi", 3);
  expect(client.lostLog).toEqual(["msi 3 dropped-no-handler"]);
  machine.disable(client);
  expect(client.lostLog).toEqual(["msi 3 dropped-no-handler", "msi 1 dropped-no-handler"]);
});

it("a message of a function the pool has never seen is dropped", () => {
  const machine = new Machine();
  const client = machine.client({ msix: 2 });
  machine.pool.message(client, "msix", 0);
  expect(client.lostLog).toEqual(["msix 0 dropped-no-handler"]);
});

it("request_irq refuses an index without an irq and one that has a handler", () => {
  const machine = new Machine();
  const client = machine.client({ msix: 8 });
  expect(machine.request(client, 0)).toBe(-EINVAL);
  machine.enable(client, 2);
  expect(machine.request(client, 5)).toBe(-EINVAL);
  expect(machine.request(client, 1)).toBe(0);
  expect(machine.request(client, 1)).toBe(-EBUSY);
});

it("an irq number is the lowest free one: 28 first, 34 behind six others (h08 h20)", () => {
  const machine = new Machine();
  const n8 = machine.client({ msix: 8, line: 21 });
  const x16 = machine.client({ msi: 16, line: 21 });
  // Firmware gave pin 21, PIRQF, irq 10 of the 8259; the first open gives it its own (q01).
  expect(machine.pool.irqFile(x16)).toBe(10);
  for (const client of [x16, n8]) machine.run(machine.pool.openLine(client));
  expect(machine.pool.irqFile(x16)).toBe(21);
  machine.enable(x16, 1, "msi");
  expect(machine.pool.irqFile(x16)).toBe(28);
  machine.disable(x16);
  expect(machine.pool.irqFile(x16)).toBe(21);
  machine.enable(n8, 6);
  expect(machine.pool.irqFile(n8)).toBe(21);
  machine.enable(x16, 8, "msi");
  expect(machine.pool.irqFile(x16)).toBe(34);
});

it("a function without a pin has irq 0, until MSI gives it a number", () => {
  const machine = new Machine();
  const client = machine.client({ msi: 2, pin: 0 });
  expect(machine.pool.irqFile(client)).toBe(0);
  machine.enable(client, 2, "msi");
  expect(machine.pool.irqFile(client)).toBe(28);
  machine.disable(client);
  expect(machine.pool.irqFile(client)).toBe(0);
});

it("the task that frees an irq and is killed while it waits has given the vector back", () => {
  const machine = new Machine();
  const client = machine.client({ msix: 2 });
  machine.enable(client, 1);
  machine.request(client, 0);
  const task = machine.scheduler.spawn("free", machine.pool.freeIrq(client, 0));
  machine.scheduler.runNext();
  expect(machine.pool.matrix.globalAvailable).toBe(391);
  machine.scheduler.kill(task);
  expect(machine.pool.matrix.globalAvailable).toBe(392);
  machine.disable(client);
  expect(machine.pool.matrix.globalReserved).toBe(12);
});
