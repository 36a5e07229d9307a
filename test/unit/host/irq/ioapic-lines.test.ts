import { expect, it } from "vitest";
import type { IrqAction } from "../../../../host/irq/types.ts";
import { EBUSY, ENODEV } from "../../../../src/base/errno.ts";
import { Counter, Machine, type TestClient } from "./machine.ts";

/** As vfio's handler on a device with DisINTx: masks at the device, or says it was not for it. */
class DisIntxHandler implements IrqAction {
  count = 0;
  readonly client: TestClient;

  constructor(client: TestClient) {
    this.client = client;
  }

  handleIrq(): boolean {
    const { fn } = this.client;
    if (!fn.intxWire) return false;
    fn.setIntxDisable(true);
    fn.takeIntx();
    this.count++;
    return true;
  }
}

/** As vfio's handler on a device without DisINTx: disables the line. */
class LineHandler implements IrqAction {
  count = 0;
  readonly mask: () => void;

  constructor(mask: () => void) {
    this.mask = mask;
  }

  handleIrq(): boolean {
    this.count++;
    this.mask();
    return true;
  }
}

function opened(machine: Machine, count: number): TestClient[] {
  return Array.from({ length: count }, () => {
    const client = machine.client();
    machine.run(machine.pool.openLine(client));
    return client;
  });
}

it("devices that share a line are asked in turn, each masks itself (h28)", () => {
  const machine = new Machine();
  const [edu, n64] = opened(machine, 2) as [TestClient, TestClient];
  const handlers = [edu, n64].map((client) => new DisIntxHandler(client));
  machine.run(machine.pool.requestLine(edu, handlers[0]!, true));
  machine.run(machine.pool.requestLine(n64, handlers[1]!, true));
  n64.fn.raise("intx", 0);
  expect(handlers.map((handler) => handler.count)).toEqual([0, 1]);
  edu.fn.raise("intx", 0);
  expect(handlers.map((handler) => handler.count)).toEqual([1, 1]);
  expect(edu.fn.intxDisabled).toBe(true);
});

it("unmasking a device whose interrupt is still asserted interrupts again", () => {
  const machine = new Machine();
  const [edu] = opened(machine, 1) as [TestClient];
  const handler = new DisIntxHandler(edu);
  machine.run(machine.pool.requestLine(edu, handler, true));
  edu.fn.raise("intx", 0);
  edu.fn.setIntxDisable(false);
  expect(handler.count).toBe(2);
  edu.fn.deassertIntx();
  edu.fn.setIntxDisable(false);
  expect(handler.count).toBe(2);
});

it("a level that was high before the request is delivered at once", () => {
  const machine = new Machine();
  const client = machine.client();
  client.fn.raise("intx", 0);
  machine.run(machine.pool.openLine(client));
  const handler = new DisIntxHandler(client);
  expect(machine.run(machine.pool.requestLine(client, handler, true))).toBe(0);
  expect(handler.count).toBe(1);
});

it("a disabled line waits, and delivers a level that is still high when it is enabled", () => {
  const machine = new Machine();
  const [client] = opened(machine, 1) as [TestClient];
  const { pool } = machine;
  const handler = new LineHandler(() => pool.disableLine(client));
  machine.run(pool.requestLine(client, handler, false));
  client.fn.raise("intx", 0);
  expect(handler.count).toBe(1);
  pool.enableLine(client);
  expect(handler.count).toBe(2);
  client.fn.deassertIntx();
  pool.enableLine(client);
  expect(handler.count).toBe(2);
  pool.disableLine(client);
  pool.disableLine(client);
  client.fn.raise("intx", 0);
  pool.enableLine(client);
  expect(handler.count).toBe(2);
  pool.enableLine(client);
  expect(handler.count).toBe(3);
});

it("IRQF_NO_AUTOEN keeps the line off until enable_irq", () => {
  const machine = new Machine();
  const [client] = opened(machine, 1) as [TestClient];
  const { pool } = machine;
  const handler = new LineHandler(() => pool.disableLine(client));
  machine.run(pool.requestLine(client, handler, false, false));
  client.fn.raise("intx", 0);
  expect(handler.count).toBe(0);
  pool.enableLine(client);
  expect(handler.count).toBe(1);
});

it("an exclusive request on a line in use is EBUSY, as is any on an exclusive line", () => {
  const machine = new Machine();
  const { pool } = machine;
  const [a, b] = opened(machine, 2) as [TestClient, TestClient];
  const shared = new DisIntxHandler(a);
  machine.run(pool.requestLine(a, shared, true));
  expect(machine.run(pool.requestLine(b, new Counter(), false))).toBe(-EBUSY);
  machine.run(pool.freeLine(a, shared));
  expect(machine.run(pool.requestLine(b, new Counter(), false))).toBe(0);
  expect(machine.run(pool.requestLine(a, shared, true))).toBe(-EBUSY);
});

it("after 100,000 interrupts nobody cared for the line is off; a new sharer revives it", () => {
  const machine = new Machine();
  const { pool } = machine;
  const [a, b] = opened(machine, 2) as [TestClient, TestClient];
  machine.run(pool.requestLine(a, new DisIntxHandler(a), true));
  machine.klog();
  b.fn.raise("intx", 0);
  expect(machine.klog()).toEqual([
    'irq 16: nobody cared (try booting with the "irqpoll" option)',
    "Disabling IRQ #16",
  ]);
  a.fn.raise("intx", 0);
  expect(a.fn.intxDisabled).toBe(false);
  const late = new DisIntxHandler(b);
  machine.run(pool.requestLine(b, late, true));
  expect(late.count).toBe(1);
  expect(a.fn.intxDisabled).toBe(true);
});

it("unhandled interrupts further apart than a tenth of a second are not counted together", () => {
  const machine = new Machine();
  const { pool } = machine;
  const [a] = opened(machine, 1) as [TestClient];
  let unhandled = 0;
  const handler: IrqAction = {
    handleIrq: () => {
      unhandled++;
      if (unhandled % 1000 === 0) a.fn.deassertIntx();
      return false;
    },
  };
  machine.run(pool.requestLine(a, handler, true));
  machine.klog();
  for (let i = 0; i < 101; i++) {
    a.fn.raise("intx", 0);
    machine.clock.spend(200_000_000);
  }
  expect(unhandled).toBe(101_000);
  expect(machine.klog()).toEqual([]);
});

it("a handler that claims a wire and masks nothing is a broken invariant, no endless loop", () => {
  const machine = new Machine();
  const [a] = opened(machine, 1) as [TestClient];
  machine.run(machine.pool.requestLine(a, new Counter(), true));
  expect(() => a.fn.raise("intx", 0)).toThrow("does not mask");
});

it("a line is not requested before it is open, nor enabled more often than disabled", () => {
  const machine = new Machine();
  const client = machine.client();
  expect(machine.run(machine.pool.requestLine(client, new Counter(), true))).toBe(-ENODEV);
  const pinless = machine.client({ pin: 0 });
  expect(machine.run(machine.pool.openLine(pinless))).toBe(0);
  expect(machine.run(machine.pool.requestLine(pinless, new Counter(), true))).toBe(-ENODEV);
  machine.run(machine.pool.openLine(client));
  machine.run(machine.pool.requestLine(client, new Counter(), true));
  machine.klog();
  machine.pool.enableLine(client);
  expect(machine.klog()).toEqual(["Unbalanced enable for IRQ 16"]);
});

it("a request that comes while free_irq still waits takes over the line's vector", () => {
  const machine = new Machine();
  const { pool, scheduler } = machine;
  const [a, b] = opened(machine, 2) as [TestClient, TestClient];
  const first = new DisIntxHandler(a);
  machine.run(pool.requestLine(a, first, true));
  expect(pool.matrix.globalAvailable).toBe(391);
  scheduler.spawn("free", pool.freeLine(a, first));
  const second = new DisIntxHandler(b);
  expect(machine.run(pool.requestLine(b, second, true))).toBe(0);
  expect(pool.matrix.globalAvailable).toBe(391);
  b.fn.raise("intx", 0);
  expect(second.count).toBe(1);
});

it("a line idles as long as nobody handles it, and holds a vector once somebody has", () => {
  const machine = new Machine();
  const [client] = opened(machine, 1) as [TestClient];
  const line = client.irqState!.line!;
  expect([line.name, line.armed(), line.vectorsHeld()]).toEqual(["IO-APIC pin 16", 0, 0]);
  const handler = new DisIntxHandler(client);
  machine.run(machine.pool.requestLine(client, handler, true));
  expect([line.armed(), line.vectorsHeld()]).toEqual([1, 1]);
  machine.run(machine.pool.freeLine(client, handler));
  expect([line.armed(), line.vectorsHeld()]).toEqual([0, 0]);
});

it("closing a device takes its wire off the line", () => {
  const machine = new Machine();
  const { pool } = machine;
  const [a, b] = opened(machine, 2) as [TestClient, TestClient];
  a.fn.raise("intx", 0);
  machine.run(pool.closeLine(a));
  const handler = new DisIntxHandler(b);
  machine.klog();
  machine.run(pool.requestLine(b, handler, true));
  expect(machine.klog()).toEqual([]);
});
