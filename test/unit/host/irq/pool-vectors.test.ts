import { expect, it } from "vitest";
import { ENOSPC } from "../../../../src/base/errno.ts";
import { Counter, Machine, type TestClient } from "./machine.ts";

/** As vfio's block with eventfds: allocates and requests one by one, unwinds at the first error. */
function block(machine: Machine, client: TestClient, start: number, count: number): number {
  const { pool } = machine;
  for (let index = start; index < start + count; index++) {
    let result = pool.holds(client, index) ? 0 : machine.run(pool.pciMsixAllocIrqAt(client, index));
    if (result === 0) result = machine.request(client, index);
    if (result === 0) continue;
    for (let back = start; back < index; back++) machine.free(client, back);
    return result;
  }
  return 0;
}

function matrixOf(machine: Machine): Record<string, number> {
  const { globalAvailable, globalReserved, totalAllocated, events } = machine.pool.matrix;
  const counts = { globalAvailable, globalReserved, totalAllocated, ...events };
  Object.assign(events, { alloc: 0, reserve: 0, unreserve: 0, free: 0, allocFail: 0 });
  return counts;
}

function openLine(machine: Machine, client: TestClient): void {
  machine.run(machine.pool.openLine(client));
}

it("191 vectors are free with one CPU and 392 with two (p01 p03)", () => {
  expect(new Machine({ cpus: 1 }).pool.matrix.globalAvailable).toBe(191);
  expect(new Machine({ cpus: 2 }).pool.matrix.globalAvailable).toBe(392);
});

it("an idle MSI-X irq costs no CPU vector: 3 x 2,048 with all 191 free (p03)", () => {
  const machine = new Machine({ cpus: 1 });
  // Device a is the first on line 20; b and c are on lines that the root ports hold open.
  const clients = [20, 21, 22].map((line) => machine.client({ msix: 2048, line }));
  for (const client of clients) openLine(machine, client);
  matrixOf(machine);
  for (const client of clients) expect(machine.enable(client, 2048)).toBe(2048);
  const counts = matrixOf(machine);
  expect([counts.globalAvailable, counts.globalReserved]).toEqual([191, 13 + 6144]);
  expect([counts.alloc, counts.reserve]).toEqual([0, 6144]);
  expect(machine.klog()).toEqual(["Interrupt reservation exceeds available resources"]);
});

it("growth by blocks of 64 stops at 191, step by step as recorded (p01)", () => {
  const machine = new Machine({ cpus: 1 });
  const a = machine.client({ msix: 2048 });
  matrixOf(machine);
  openLine(machine, a);
  machine.enable(a, 64);
  expect(block(machine, a, 0, 64)).toBe(0);
  expect(matrixOf(machine)).toEqual({
    globalAvailable: 127,
    globalReserved: 13,
    totalAllocated: 74,
    alloc: 64,
    reserve: 65,
    unreserve: 0,
    free: 0,
    allocFail: 0,
  });
  expect(block(machine, a, 64, 64)).toBe(0);
  expect(block(machine, a, 128, 64)).toBe(-ENOSPC);
  expect(matrixOf(machine)).toEqual({
    globalAvailable: 63,
    globalReserved: 77,
    totalAllocated: 138,
    alloc: 127,
    reserve: 191,
    unreserve: 0,
    free: 63,
    allocFail: 2,
  });
  expect(machine.pool.held(a).indexes.length).toBe(192);
  expect(block(machine, a, 384, 1)).toBe(0);
  for (const index of [384, ...Array(128).keys()]) machine.free(a, index);
  machine.disable(a);
  expect(matrixOf(machine)).toMatchObject({ globalAvailable: 191, globalReserved: 13 });
});

/** Five vectors are left, as when p08 begins. */
function fiveLeft(): Machine {
  const machine = new Machine({ cpus: 1 });
  const a = machine.client({ msix: 2048 });
  machine.enable(a, 186);
  expect(block(machine, a, 0, 186)).toBe(0);
  matrixOf(machine);
  return machine;
}

it("MSI takes its vectors at enable; short by one is ENOSPC with nothing held (p08)", () => {
  const machine = fiveLeft();
  const x16 = machine.client({ msi: 16 });
  expect(machine.vfioEnable(x16, 16, "msi")).toBe(-ENOSPC);
  expect(matrixOf(machine)).toMatchObject({
    globalAvailable: 5,
    alloc: 5,
    reserve: 16,
    unreserve: 11,
    free: 5,
    allocFail: 2,
  });
  // The first vector was had, so the message and its size were written (msi_mme 16).
  expect(x16.fn.msi!.allotted).toBe(16);
  expect(x16.fn.msi!.enabled).toBe(false);
  expect(machine.vfioEnable(x16, 8, "msi")).toBe(-ENOSPC);
  expect(machine.vfioEnable(x16, 6, "msi")).toBe(-ENOSPC);
  expect(matrixOf(machine)).toMatchObject({
    alloc: 10,
    reserve: 14,
    unreserve: 4,
    free: 10,
    allocFail: 4,
  });
  expect(machine.vfioEnable(x16, 5, "msi")).toBe(0);
  expect(machine.pool.matrix.globalAvailable).toBe(0);
});

it("MSI keeps its vectors when handlers go, and gives them back at disable (p07 p08)", () => {
  const machine = fiveLeft();
  const x16 = machine.client({ msi: 16 });
  machine.enable(x16, 5, "msi");
  matrixOf(machine);
  for (let i = 0; i < 5; i++) expect(machine.request(x16, i)).toBe(0);
  for (let i = 0; i < 5; i++) machine.free(x16, i);
  expect(matrixOf(machine)).toMatchObject({ globalAvailable: 0, alloc: 0, free: 0, reserve: 0 });
  machine.disable(x16);
  expect(matrixOf(machine)).toMatchObject({ globalAvailable: 5, free: 5, unreserve: 0 });
});

it("an INTx line takes one vector with its first handler, its sharers none (p08)", () => {
  const machine = fiveLeft();
  const { pool } = machine;
  const x16 = machine.client({ msi: 16, line: 21 });
  const edu = machine.client({ line: 23 });
  const n64 = machine.client({ line: 23 });
  for (const client of [edu, n64]) openLine(machine, client);
  machine.enable(x16, 5, "msi");
  const action = new Counter();
  expect(machine.run(pool.requestLine(edu, action, true))).toBe(-ENOSPC);
  machine.disable(x16);
  machine.enable(x16, 4, "msi");
  expect(machine.run(pool.requestLine(edu, action, true))).toBe(0);
  expect(pool.matrix.globalAvailable).toBe(0);
  const sharer = new Counter();
  expect(machine.run(pool.requestLine(n64, sharer, true))).toBe(0);
  machine.run(pool.freeLine(edu, action));
  expect(pool.matrix.globalAvailable).toBe(0);
  machine.run(pool.freeLine(n64, sharer));
  expect(pool.matrix.globalAvailable).toBe(1);
});

it("with no vector left request_irq is ENOSPC and the irq stays allocated (p05)", () => {
  const machine = fiveLeft();
  const c = machine.client({ msix: 64 });
  machine.enable(c, 6);
  expect(block(machine, c, 0, 5)).toBe(0);
  expect(machine.request(c, 5)).toBe(-ENOSPC);
  expect(machine.pool.holds(c, 5)).toBe(true);
  machine.free(c, 0);
  expect(machine.request(c, 5)).toBe(0);
});
