import { describe, expect, it } from "vitest";
import { AllocationFailures } from "../../../../host/irq/failures.ts";
import { ENOSPC } from "../../../../src/base/errno.ts";
import type { Clock } from "../../../../src/time/clock.ts";
import { Machine, type TestClient } from "./machine.ts";

/** A VT-d machine whose boot leaves `free` entries, from an index that is a multiple of 64 on. */
function machineWith(free: number, vectorsPerCpu = 201): Machine {
  const boot = { irtes: 64, irqs: 36, vectors: 0, reservations: 0, lines: [] };
  return new Machine({ boot, irtes: 64 + free, cpus: 1, vectorsPerCpu });
}

function arm(machine: Machine, client: TestClient, first: number, count: number): void {
  for (let index = first; index < first + count; index++) machine.request(client, index);
}

describe("a failed allocation", () => {
  it("is caused by idle irqs of others if they were enough for the whole request", () => {
    const machine = machineWith(100);
    const [hoarder, user, late] = [0, 1, 2].map(() => machine.client({ msix: 128 }));
    machine.enable(hoarder!, 60);
    arm(machine, hoarder!, 0, 10);
    machine.enable(user!, 30);
    arm(machine, user!, 0, 25);
    // 10 are free, 50 and 5 idle.
    expect(machine.vfioEnable(late!, 65)).toBe(10);
    expect(machine.vfioEnable(late!, 66)).toBe(10);
    const { failures, shortages } = machine.pool.holdings();
    expect(failures).toEqual({
      total: 2,
      causedByIdle: 1,
      holders: { [hoarder!.fn.name]: 1 },
      victims: { [late!.fn.name]: { failed: 2, causedByIdle: 1 } },
    });
    expect(shortages).toMatchObject([
      { device: late!.fn.name, asked: 65, got: 10, idle: 55, idlestIdle: 50, causedByIdle: true },
      { device: late!.fn.name, asked: 66, got: 10, idle: 55, idlestIdle: 50, causedByIdle: false },
    ]);
  });

  it("is nobody else's fault where only the asker itself lets irqs idle", () => {
    const machine = machineWith(8);
    const client = machine.client({ msix: 16 });
    machine.enable(client, 8);
    expect(machine.run(machine.pool.pciMsixAllocIrqAt(client, 9))).toBe(-ENOSPC);
    expect(machine.pool.holdings().failures).toMatchObject({ total: 1, causedByIdle: 0 });
  });

  it("is not caused by irqs that are just being armed, or swap their eventfds", () => {
    for (const [atRest, caused] of [
      [[], 0],
      [[6, 7], 0],
      [[5, 6, 7], 1],
    ] as const) {
      const machine = machineWith(8);
      const holder = machine.client({ msix: 8 });
      machine.enable(holder, 8);
      arm(machine, holder, 0, 2);
      holder.idle = new Set<number>(atRest);
      expect(machine.vfioEnable(machine.client({ msix: 8 }), 3)).toBe(-ENOSPC);
      const { failures, shortages } = machine.pool.holdings();
      expect([failures.causedByIdle, shortages[0]!.idle]).toEqual([caused, atRest.length]);
    }
  });

  it("of a block is not caused by a block that is only just being armed", () => {
    const machine = machineWith(16);
    const holder = machine.client({ msi: 16 });
    machine.enable(holder, 16, "msi");
    holder.idle = new Set<number>();
    machine.enable(machine.client({ msi: 4 }), 4, "msi");
    expect(machine.pool.holdings().failures).toMatchObject({ total: 1, causedByIdle: 0 });
  });

  it("of a block counts as caused only if the idle entries leave an aligned row", () => {
    for (const [armed, caused] of [
      [[], true],
      // An armed irq in each aligned four.
      [[1, 6, 8, 15], false],
      [[1, 6, 8], true],
    ] as const) {
      const machine = machineWith(16);
      const holder = machine.client({ msix: 16 });
      machine.enable(holder, 16);
      for (const index of armed) machine.request(holder, index);
      expect(machine.enable(machine.client({ msi: 4 }), 4, "msi")).toBe(-ENOSPC);
      const { causedByIdle } = machine.pool.holdings().failures;
      expect([armed, causedByIdle]).toEqual([armed, caused ? 1 : 0]);
    }
  });

  it("for want of CPU vectors is never caused by idle MSI-X, which has none", () => {
    const machine = machineWith(100, 16);
    const holder = machine.client({ msix: 32 });
    machine.enable(holder, 32);
    arm(machine, holder, 0, 16);
    const late = machine.client({ msix: 4 });
    machine.enable(late, 1);
    expect(machine.request(late, 0)).toBe(-ENOSPC);
    expect(machine.pool.holdings().failures).toMatchObject({ total: 1, causedByIdle: 0 });
  });

  it("for want of CPU vectors can be caused by idle MSI, which has some", () => {
    const machine = machineWith(100, 16);
    const holder = machine.client({ msi: 16 });
    machine.enable(holder, 16, "msi");
    const late = machine.client({ msix: 4 });
    machine.enable(late, 1);
    expect(machine.request(late, 0)).toBe(-ENOSPC);
    const { failures } = machine.pool.holdings();
    expect(failures.holders).toEqual({ [holder.fn.name]: 1 });
  });

  it("on AMD-Vi is caused by devices behind the same bridge only", () => {
    const machine = new Machine({ platform: "x86-amd", irtes: 512 });
    const other = machine.client({ msix: 512 });
    machine.enable(other, 512);
    const lone = machine.client({ msix: 1024 });
    expect(machine.vfioEnable(lone, 600)).toBe(512);
    const [a, b] = [0, 1].map(() => machine.client({ msix: 512, requester: "bridge" }));
    machine.enable(a!, 400);
    expect(machine.vfioEnable(b!, 200)).toBe(112);
    const { failures } = machine.pool.holdings();
    expect(failures).toMatchObject({ total: 2, causedByIdle: 1, holders: { [a!.fn.name]: 1 } });
  });

  it("on an ITS is weighed by numbers: tables are taken as a whole", () => {
    const machine = new Machine({ platform: "arm64-its", lpis: 64 });
    const holder = machine.client({ msix: 32 });
    machine.enable(holder, 1);
    arm(machine, holder, 0, 1);
    expect(machine.vfioEnable(machine.client({ msix: 64 }), 64)).toBeLessThan(64);
    const [failure] = machine.pool.holdings().shortages;
    expect(failure).toMatchObject({ idle: 31, idlest: holder.fn.name });
  });

  it("of an INTx line is counted for the device that was to be opened", () => {
    const machine = machineWith(2);
    const holder = machine.client({ msix: 2 });
    machine.enable(holder, 2);
    const edu = machine.client({ msi: 1, line: 16 });
    machine.run(machine.pool.openLine(edu));
    expect(machine.pool.holdings().failures.victims).toEqual({
      [edu.fn.name]: { failed: 1, causedByIdle: 1 },
    });
  });
});

it("the last 32 failures are kept, all are counted", () => {
  const machine = machineWith(1);
  const client = machine.client({ msix: 64 });
  machine.enable(client, 1);
  for (let i = 0; i < 40; i++) machine.run(machine.pool.pciMsixAllocIrqAt(client, 1 + i));
  const { failures, shortages } = machine.pool.holdings();
  expect(failures.total).toBe(40);
  expect(shortages).toHaveLength(32);
});

it("entries and vectors are held as domains give them", () => {
  const SECOND = 1e9;
  for (const [platform, kind, count, entries, idleVectors] of [
    ["x86-vtd", "msix", 3, 3, 0],
    ["x86-vtd", "msi", 3, 4, 2],
    ["x86-amd", "msi", 3, 3, 2],
    ["x86-flat", "msix", 3, 0, 0],
    ["arm64-its", "msix", 3, 16, 0],
    ["arm64-v2m", "msix", 3, 3, 0],
  ] as const) {
    const machine = new Machine({ platform, irtes: platform === "x86-amd" ? 512 : 65_536 });
    const client = machine.client({ msix: 16, msi: 16 });
    expect(machine.enable(client, count, kind)).toBe(count);
    machine.request(client, 0);
    const before = machine.pool.holdings().devices[0]!.held;
    machine.clock.advanceTo(machine.clock.now() + SECOND);
    const after = machine.pool.holdings().devices[0]!.held;
    const armed = entries === 0 ? 0 : 1;
    expect([platform, kind, after.entryNs.armed - before.entryNs.armed]).toEqual([
      platform,
      kind,
      armed * SECOND,
    ]);
    expect(after.entryNs.idle - before.entryNs.idle).toBe((entries - armed) * SECOND);
    expect(after.vectorNs.idle - before.vectorNs.idle).toBe(idleVectors * SECOND);
    machine.free(client, 0);
    machine.disable(client);
    expect(machine.pool.holdings().devices[0]!.held).toMatchObject({ allocations: 3, frees: 3 });
  }
});

it("who holds most of a table is told with how much of it idles, never less than nothing", () => {
  const look = () => ({ idle: 0, idlest: null, idlestIdle: 0, rowFits: false });
  const failures = new AllocationFailures({ now: () => 5 } as Clock, look);
  const grant = { device: "d", kind: "msix", asked: 4, got: 1 } as const;
  const table = { table: "IR0", size: 64, used: 63, asked: 1, largest: 1, for: "d 0000:00:05.0" };
  for (const armed of [3, 30]) {
    const most = { name: "hoarder", armed: () => armed };
    failures.record(grant, { ...table, most, mostEntries: 20 });
  }
  const told = failures.last().map(({ mostEntries, mostIdle }) => [mostEntries, mostIdle]);
  expect(told).toEqual([
    [20, 17],
    [20, 0],
  ]);
});
