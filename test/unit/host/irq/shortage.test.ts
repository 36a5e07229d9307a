import { expect, it } from "vitest";
import { type Holder, mostByOwner } from "../../../../host/irq/shortage.ts";
import { ENOMEM, ENOSPC } from "../../../../src/base/errno.ts";
import { Counter, Machine } from "./machine.ts";

/** A VT-d machine whose boot leaves `free` entries. */
function machineWith(free: number, vectorsPerCpu = 201): Machine {
  const boot = { irtes: 54, irqs: 36, vectors: 0, reservations: 0, lines: [] };
  return new Machine({ boot, irtes: 54 + free, cpus: 1, vectorsPerCpu });
}

function shortGrants(machine: Machine): unknown[] {
  return machine.trace.events.flatMap(({ point, args }) => {
    return point === "irq_grant_short" ? [args] : [];
  });
}

it("a short grant tells which table, how full, who holds most and how much of it idles", () => {
  const machine = machineWith(100);
  const hoarder = machine.client({ msix: 2048 });
  machine.enable(hoarder, 90);
  for (let index = 0; index < 4; index++) machine.request(hoarder, index);
  const late = machine.client({ msix: 64 });
  expect(machine.vfioEnable(late, 64)).toBe(10);
  expect(shortGrants(machine)).toEqual([
    {
      device: late.fn.name,
      kind: "msix",
      vectors: 64,
      got: 10,
      table: "IR0",
      size: 154,
      used: 154,
      asked: 1,
      largest: 0,
      for: `${late.fn.name} ${late.bdf}`,
      most: `${hoarder.fn.name} ${hoarder.bdf}`,
      mostEntries: 90,
      mostIdle: 86,
    },
  ]);
});

it("a failure tells the same, with the errno; a grant in full tells nothing", () => {
  const machine = machineWith(60);
  const hoarder = machine.client({ msix: 64 });
  expect(machine.enable(hoarder, 60)).toBe(60);
  expect(shortGrants(machine)).toEqual([]);
  expect(machine.enable(machine.client({ msix: 8 }), 2)).toBe(-ENOSPC);
  expect(machine.run(machine.pool.pciMsixAllocIrqAt(hoarder, 62))).toBe(-ENOSPC);
  expect(shortGrants(machine)).toMatchObject([
    { got: -ENOSPC, vectors: 2, mostEntries: 60, mostIdle: 60 },
    { got: -ENOSPC, vectors: 1, device: hoarder.fn.name },
  ]);
});

it("the machine's own entries are its boot's, and never idle", () => {
  const machine = machineWith(2);
  machine.enable(machine.client({ msix: 2 }), 2);
  machine.enable(machine.client({ msix: 2 }), 2);
  expect(shortGrants(machine)).toMatchObject([{ most: "boot", mostEntries: 54, mostIdle: 0 }]);
});

it("a block that does not fit tells the largest that would have", () => {
  const machine = machineWith(32);
  const grid = machine.client({ msix: 64 });
  machine.enable(grid, 32);
  // Entries 54..85; 4 aligned ones are free: 56..59.
  for (let index = 2; index < 6; index++) machine.run(machine.pool.pciMsixFreeIrq(grid, index));
  expect(machine.vfioEnable(machine.client({ msi: 16 }), 16, "msi")).toBe(1);
  expect(shortGrants(machine)).toMatchObject([{ kind: "msi", asked: 16, largest: 4, used: 82 }]);
});

it("a line that cannot be opened tells so in its device's name", () => {
  const machine = machineWith(2);
  machine.enable(machine.client({ msix: 2 }), 2);
  const edu = machine.client({ msi: 1, line: 16 });
  expect(machine.run(machine.pool.openLine(edu))).toBe(-ENOMEM);
  expect(shortGrants(machine)).toMatchObject([
    { device: edu.fn.name, kind: "intx", got: -ENOMEM, for: "IO-APIC pin 16" },
  ]);
});

it("with CPU vectors short it is they that are told of, and MSI can let them idle", () => {
  const machine = machineWith(1000, 20);
  const x16 = machine.client({ msi: 16 });
  machine.enable(x16, 16, "msi");
  machine.request(x16, 0);
  const n8 = machine.client({ msix: 8 });
  machine.enable(n8, 8);
  for (let index = 0; index < 4; index++) expect(machine.request(n8, index)).toBe(0);
  expect(machine.request(n8, 4)).toBe(-ENOSPC);
  const line = machine.client({ line: 16 });
  machine.run(machine.pool.openLine(line));
  expect(machine.run(machine.pool.requestLine(line, new Counter(), true))).toBe(-ENOSPC);
  const cause = {
    table: "CPU vectors",
    size: 20,
    used: 20,
    most: `${x16.fn.name} ${x16.bdf}`,
    mostEntries: 16,
    mostIdle: 15,
  };
  expect(shortGrants(machine)).toMatchObject([
    { device: n8.fn.name, kind: "msix", got: -ENOSPC, ...cause },
    { device: line.fn.name, kind: "intx", got: -ENOSPC, ...cause },
  ]);
});

it("a failure long ago is not the cause of a short grant today", () => {
  const machine = machineWith(8);
  const a = machine.client({ msix: 16 });
  expect(machine.vfioEnable(a, 9)).toBe(8);
  expect(machine.vfioEnable(a, 8)).toBe(0);
  machine.disable(a);
  machine.trace.events.length = 0;
  // Refused for another reason: no vector is missing.
  expect(machine.enable(a, 0)).toBeLessThan(0);
  expect(shortGrants(machine)).toEqual([]);
});

it("a process counts with all of its devices, where that is more than one holder has", () => {
  const holder = (name: string, owner?: string): Holder => ({ name, owner, armed: () => 0 });
  const holdings: (readonly [Holder, number])[] = [
    [holder("a", "vm"), 30],
    [holder("b", "driver"), 20],
    [holder("boot"), 50],
    [holder("c", "driver"), 40],
  ];
  expect(mostByOwner(holdings, 50)).toEqual({ name: "driver", entries: 60 });
  expect(mostByOwner(holdings.slice(0, 3), 50)).toBe(undefined);
  expect(mostByOwner([], 0)).toBe(undefined);
});
