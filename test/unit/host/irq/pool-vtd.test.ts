import { expect, it } from "vitest";
import { ENOMEM, ENOSPC } from "../../../../src/base/errno.ts";
import { Machine } from "./machine.ts";

/** The recorded VT-d machine: 19 pins and 35 root ports hold 54 entries, 360 vectors are free. */
const VTD_BOOT = { irtes: 54, irqs: 36, vectors: 42, reservations: 13, lines: [20, 21, 22, 23] };

const PAIR = ["DMAR-IR: IR0: can't allocate an IRTE", "DMAR-IR: Failed to allocate IRTE"];

/** As after prefill-2048: `left` entries are free, and they are the last ones. */
function nearlyFull(left: number): Machine {
  const machine = new Machine({ boot: VTD_BOOT });
  for (let i = 0; i < 31; i++) machine.enable(machine.client({ msix: 2048 }), 2048);
  machine.enable(machine.client({ msix: 2048 }), 1994 - left);
  machine.klog();
  return machine;
}

it("31 devices hold 2,048 idle irqs each, the 32nd is granted 1,994 (q01)", () => {
  const machine = new Machine({ boot: VTD_BOOT });
  for (let i = 0; i < 31; i++) {
    expect(machine.vfioEnable(machine.client({ msix: 2048 }), 2048)).toBe(0);
  }
  expect(machine.pool.matrix.globalAvailable).toBe(360);
  expect(machine.pool.matrix.globalReserved).toBe(63_501);
  const last = machine.client({ msix: 2048 });
  expect(machine.vfioEnable(last, 2048)).toBe(1994);
  expect(machine.pool.held(last)).toEqual({ kind: null, indexes: [] });
  expect(machine.vfioEnable(last, 1995)).toBe(1994);
  expect(machine.vfioEnable(last, 1994)).toBe(0);
  expect(machine.table.free).toBe(0);
  expect(machine.pool.report()).toMatchObject({
    irqsHeld: 65_482,
    irtesUsed: 65_536,
    irtesBoot: 54,
    irtesSize: 65_536,
    vectorsUsed: 42,
  });
});

it("a short grant names what would fit, logs one pair of lines, holds nothing (q02)", () => {
  const machine = nearlyFull(10);
  const { events } = machine.pool.matrix;
  const before = { ...events };
  const a = machine.client({ msix: 2048 });
  for (const wanted of [2048, 11, 11, 11, 11, 11, 12, 12]) {
    expect(machine.vfioEnable(a, wanted)).toBe(10);
    expect(machine.klog()).toEqual(PAIR);
  }
  expect(machine.table.free).toBe(10);
  // Each attempt takes 11, gives them back, takes 10, which vfio gives back.
  expect(events.reserve - before.reserve).toBe(168);
  expect(events.unreserve - before.unreserve).toBe(168);
  expect(machine.vfioEnable(a, 10)).toBe(0);
  expect(machine.vfioEnable(machine.client({ msix: 2048 }), 2048)).toBe(-ENOSPC);
  expect(machine.klog()).toEqual(PAIR);
});

it("growth on a full table is ENOSPC, never positive; what came before stays (q03)", () => {
  const machine = nearlyFull(5);
  const { pool } = machine;
  const a = machine.client({ msix: 2048 });
  machine.enable(a, 3);
  const grown = [10, 11, 12].map((index) => machine.run(pool.pciMsixAllocIrqAt(a, index)));
  expect(grown).toEqual([0, 0, -ENOSPC]);
  expect(pool.held(a).indexes).toEqual([0, 1, 2, 10, 11]);
  expect(machine.klog()).toEqual(PAIR);
});

it("removing a handler gives no entry back, disable gives all (q03 q06)", () => {
  const machine = nearlyFull(4);
  const a = machine.client({ msix: 8 });
  machine.enable(a, 4);
  for (let i = 0; i < 4; i++) expect(machine.request(a, i)).toBe(0);
  for (let i = 0; i < 4; i++) machine.free(a, i);
  expect(machine.table.free).toBe(0);
  machine.disable(a);
  expect(machine.table.free).toBe(4);
});

it("multi-MSI that finds no block gets 1, and 1 works; none left at all is ENOSPC (q04)", () => {
  const machine = nearlyFull(64);
  const { pool } = machine;
  const [a, b, x] = [2048, 2048, 16].map((msix) => machine.client({ msix, msi: 16 }));
  machine.enable(a!, 1);
  machine.enable(b!, 1);
  for (let i = 1; i < 32; i++) {
    machine.run(pool.pciMsixAllocIrqAt(a!, i));
    machine.run(pool.pciMsixAllocIrqAt(b!, i));
  }
  machine.disable(a!);
  expect(machine.table.free).toBe(32);
  machine.klog();
  for (const wanted of [16, 8, 2]) expect(machine.vfioEnable(x!, wanted, "msi")).toBe(1);
  expect(machine.klog()).toEqual([...PAIR, ...PAIR, ...PAIR]);
  expect(machine.vfioEnable(x!, 1, "msi")).toBe(0);
  machine.disable(x!);
  expect(machine.vfioEnable(a!, 33)).toBe(32);
  machine.enable(a!, 32);
  machine.klog();
  expect(machine.vfioEnable(x!, 16, "msi")).toBe(-ENOSPC);
  expect(machine.klog()).toEqual([...PAIR, ...PAIR]);
});

it("multi-MSI answers 1 even if a smaller block would fit (q05)", () => {
  const machine = nearlyFull(15);
  const x = machine.client({ msi: 16 });
  expect(machine.table.freeAligned(8)).toBe(1);
  expect([16, 9].map((wanted) => machine.vfioEnable(x, wanted, "msi"))).toEqual([1, 1]);
  expect(machine.vfioEnable(x, 5, "msi")).toBe(0);
  expect(machine.table.free).toBe(7);
  expect(machine.pool.held(x).indexes).toEqual([0, 1, 2, 3, 4]);
});

it("an INTx line takes its entry at open and fails there; sharing is free (q06 q09)", () => {
  const machine = nearlyFull(1);
  const { pool } = machine;
  const e2 = machine.client({ line: 16 });
  const e3 = machine.client({ line: 16 });
  const edu = machine.client({ line: 17 });
  expect(machine.run(pool.openLine(e2))).toBe(0);
  expect(machine.run(pool.openLine(e3))).toBe(0);
  expect(machine.table.free).toBe(0);
  expect(machine.run(pool.openLine(edu))).toBe(-ENOMEM);
  const failure = `vfio-pci ${edu.bdf}: PCI INT A: failed to register GSI`;
  expect(machine.klog()).toEqual([...PAIR, failure]);
  machine.run(pool.closeLine(e2));
  expect(machine.table.free).toBe(0);
  machine.run(pool.closeLine(e3));
  expect(machine.table.free).toBe(1);
  expect(machine.run(pool.openLine(edu))).toBe(0);
});

it("entries short beat CPU vectors short (q07)", () => {
  const machine = nearlyFull(50);
  const c = machine.client({ msix: 2048 });
  expect(machine.vfioEnable(c, 60)).toBe(50);
  expect(machine.vfioEnable(c, 50)).toBe(0);
  expect(machine.run(machine.pool.pciMsixAllocIrqAt(c, 50))).toBe(-ENOSPC);
  expect(machine.pool.matrix.globalAvailable).toBe(360);
});

it("the message of a remapped vector carries its entry's index as handle", () => {
  const machine = new Machine();
  const client = machine.client({ msix: 4 });
  machine.enable(client, 2);
  const { msix } = client.fn;
  // Entries 21 and 22 follow the 21 of the boot; handle bits 14:0 are address bits 19:5.
  expect(msix!.addressLo(0)).toBe(0xfee00018 + 21 * 32);
  expect(msix!.addressLo(1)).toBe(0xfee00018 + 22 * 32);
});
