import { describe, expect, it } from "vitest";
import { AmdIrqRemapping, IRQS_PER_TABLE, IRQS_PER_TABLE_2K } from "../../../../host/irq/amd-vi.ts";
import type { Requester } from "../../../../host/irq/remapping.ts";
import { Shortages } from "../../../../host/irq/shortage.ts";
import { ENOSPC } from "../../../../src/base/errno.ts";
import { UsageError } from "../../../../src/base/errors.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";
import { TraceRecorder } from "../../../../src/trace/trace.ts";
import { Machine, type TestClient } from "./machine.ts";

const FAILED = "AMD-Vi: Failed to allocate IRTE";

describe("the tables by themselves", () => {
  const requester = (name: string, id = name): Requester => ({
    name,
    requester: id,
    armed: () => 0,
  });
  const A = requester("a");
  const B = requester("b");

  function tables(entries = 512, boot = 21): { amd: AmdIrqRemapping; trace: TraceRecorder } {
    const trace = new TraceRecorder(new VirtualClock(), "host");
    return { amd: new AmdIrqRemapping(entries, boot, trace, new Shortages(trace)), trace };
  }

  it("a table has 512 entries, none reserved, or 2,048 (finding 12)", () => {
    expect([IRQS_PER_TABLE, IRQS_PER_TABLE_2K]).toEqual([512, 2048]);
    for (const size of [512, 2048]) {
      const { amd } = tables(size);
      for (let i = 0; i < size; i++) expect(amd.alloc(1, A, "msix")).toBe(i);
      expect(amd.alloc(1, A, "msix")).toBe(-ENOSPC);
      expect(amd.alloc(1, B, "msix")).toBe(0);
    }
  });

  it("MSI begins at a multiple of its rounded size and takes n entries only (b02)", () => {
    const { amd } = tables();
    for (let i = 0; i < 401; i++) amd.alloc(1, A, "msix");
    expect(amd.alloc(5, A, "msi")).toBe(408);
    expect(amd.used).toBe(21 + 401 + 5);
    // Single entries fill the gap before the block first, then what is behind its 5 entries.
    const singles = Array.from({ length: 8 }, () => amd.alloc(1, A, "msix"));
    expect(singles).toEqual([401, 402, 403, 404, 405, 406, 407, 413]);
    amd.release(408, 5, A, "msi");
    expect(amd.alloc(9, A, "msi")).toBe(416);
  });

  it("MSI-X of several entries would need no alignment, MSI does", () => {
    const { amd } = tables();
    amd.alloc(1, A, "msix");
    expect(amd.alloc(4, A, "msix")).toBe(1);
    expect(amd.alloc(4, A, "msi")).toBe(8);
  });

  it("one requester has one table, whoever is behind it (b01)", () => {
    const { amd } = tables();
    const [v1, v2] = [requester("v1", "bridge"), requester("v2", "bridge")];
    for (let i = 0; i < 400; i++) amd.alloc(1, v1, "msix");
    expect(amd.alloc(1, v2, "msix")).toBe(400);
    expect(amd.alloc(1, A, "msix")).toBe(0);
    expect(amd.inspect().map(({ name, used }) => [name, used])).toEqual([
      ["IO-APIC", 32 + 21],
      ["bridge", 401],
      ["a", 1],
    ]);
  });

  it("pins are the IO-APIC's, whose table nobody else can fill", () => {
    const { amd } = tables();
    const pin = requester("IO-APIC pin 23", "IO-APIC");
    expect(amd.alloc(1, pin, "line")).toBe(32 + 21);
    for (let i = 0; i < 512; i++) amd.alloc(1, A, "msix");
    expect(amd.alloc(1, pin, "line")).toBe(32 + 22);
    amd.release(32 + 21, 1, pin, "line");
    expect(amd.used).toBe(21 + 512 + 1);
  });

  it("the message names the entry in the data; 2K tables set the destination mode bit", () => {
    expect(tables().amd.message(300)).toEqual({ address: 0xfee00000, data: 300 });
    expect(tables(2048).amd.message(300)).toEqual({ address: 0xfee00004, data: 300 });
  });

  it("a failure is one line, and names the table and who holds most of it", () => {
    const { amd, trace } = tables();
    const [v1, v2] = [requester("v1", "bridge"), requester("v2", "bridge")];
    for (let i = 0; i < 400; i++) amd.alloc(1, v1, "msix");
    for (let i = 0; i < 100; i++) amd.alloc(1, v2, "msix");
    expect(amd.alloc(16, v2, "msi")).toBe(-ENOSPC);
    expect(trace.events.map(({ point, args }) => ({ point, ...args }))).toEqual([
      { point: "printk", text: FAILED },
      {
        point: "irte_alloc_failed",
        table: "bridge",
        size: 512,
        used: 500,
        asked: 16,
        largest: 8,
        for: "v2",
        most: "v1",
        mostEntries: 400,
        mostIdle: 400,
      },
    ]);
  });

  it("giving a free entry back is a broken invariant", () => {
    expect(() => tables().amd.release(3, 1, A, "msix")).toThrow("free already");
  });
});

describe("a machine with AMD-Vi", () => {
  const amdMachine = (irtes = 512): Machine => new Machine({ platform: "x86-amd", irtes });
  const wide = (machine: Machine): TestClient => machine.client({ msix: 2048 });

  it("a first enable gets 512 at most, and others are unaffected (a01)", () => {
    const machine = amdMachine();
    const a = wide(machine);
    for (const wanted of [2048, 513, 601]) {
      expect(machine.vfioEnable(a, wanted)).toBe(512);
      expect(machine.pool.held(a)).toEqual({ kind: null, indexes: [] });
      expect(machine.klog()).toContain(FAILED);
    }
    for (const client of [a, wide(machine), wide(machine)]) {
      expect(machine.vfioEnable(client, 512)).toBe(0);
    }
    expect(machine.vfioEnable(machine.client({ msi: 16 }), 16, "msi")).toBe(0);
    expect(machine.pool.report()).toMatchObject({ irqsHeld: 3 * 512 + 16, irtesBoot: 21 });
  });

  it("growth beyond the table is ENOSPC; any 512 of 2,048 vectors will do (a02)", () => {
    const machine = amdMachine();
    const a = wide(machine);
    machine.enable(a, 500);
    const grow = (index: number): number => machine.run(machine.pool.pciMsixAllocIrqAt(a, index));
    for (let index = 2036; index < 2048; index++) expect(grow(index)).toBe(0);
    machine.klog();
    expect(grow(700)).toBe(-ENOSPC);
    expect(machine.klog()).toEqual([FAILED]);
    expect(machine.pool.held(a).indexes.length).toBe(512);
    machine.disable(a);
    expect(machine.vfioEnable(a, 512)).toBe(0);
  });

  it("1 to 16 MSI all work and hold exactly that many (a03)", () => {
    const machine = amdMachine();
    const x16 = machine.client({ msi: 16 });
    for (const wanted of [1, 2, 3, 4, 5, 8, 9, 15, 16]) {
      expect(machine.vfioEnable(x16, wanted, "msi")).toBe(0);
      expect(machine.pool.report().irtesUsed).toBe(21 + wanted);
      machine.disable(x16);
    }
  });

  it("behind one bridge 400 held leave 112, and then nothing for anybody there (b01)", () => {
    const machine = amdMachine();
    const bridged = (shape: { msix?: number; msi?: number }): TestClient =>
      machine.client({ ...shape, requester: "bridge pb" });
    const [v1, v2, v3] = [400, 400, 400].map((msix) => bridged({ msix })) as [
      TestClient,
      TestClient,
      TestClient,
    ];
    const bx = bridged({ msi: 16 });
    expect(machine.vfioEnable(v1, 400)).toBe(0);
    expect(machine.vfioEnable(v2, 400)).toBe(112);
    expect(machine.vfioEnable(v2, 112)).toBe(0);
    expect(machine.vfioEnable(v3, 1)).toBe(-ENOSPC);
    expect(machine.run(machine.pool.pciMsixAllocIrqAt(v2, 112))).toBe(-ENOSPC);
    expect(machine.vfioEnable(bx, 1, "msi")).toBe(-ENOSPC);
    expect(machine.vfioEnable(bx, 16, "msi")).toBe(-ENOSPC);
    expect(machine.run(machine.pool.openLine(bx))).toBe(0);
    expect(machine.vfioEnable(machine.client({ msix: 2048 }), 512)).toBe(0);
  });

  it("16 entries free but not aligned: MSI 16 and 15 get 1, MSI 8 works (b02)", () => {
    const machine = amdMachine();
    const requester = "bridge pb";
    const fill = machine.client({ msix: 512, requester });
    const odd = machine.client({ msix: 1, requester });
    const by = machine.client({ msi: 16, requester });
    // 0..487 and 504 are taken: 488..503 and 505..511 are free.
    machine.enable(fill, 504);
    machine.enable(odd, 1);
    for (let index = 488; index < 504; index++) {
      machine.run(machine.pool.pciMsixFreeIrq(fill, index));
    }
    expect(machine.vfioEnable(by, 16, "msi")).toBe(1);
    expect(machine.vfioEnable(by, 15, "msi")).toBe(1);
    expect(machine.vfioEnable(by, 8, "msi")).toBe(0);
  });

  it("2,048 entries a device let a whole table of vectors in", () => {
    const machine = amdMachine(2048);
    expect(machine.vfioEnable(wide(machine), 2048)).toBe(0);
  });

  it("a table that no such IOMMU has is the user's mistake", () => {
    for (const irtes of [2049, 4096]) expect(() => amdMachine(irtes)).toThrow(UsageError);
  });
});
