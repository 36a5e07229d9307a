import fc from "fast-check";
import { expect, it } from "vitest";
import { Shortages } from "../../host/irq/shortage.ts";
import { VectorMatrix } from "../../host/irq/vector-matrix.ts";
import { IrTable } from "../../host/irq/vtd.ts";
import { ENOSPC } from "../../src/base/errno.ts";

const SILENT = { emit: () => {} };

/** First fit by looking at every place, on plain booleans. */
class NaiveTable {
  readonly used: boolean[];

  constructor(size: number) {
    this.used = Array(size).fill(false);
  }

  alloc(count: number): number {
    let block = 1;
    while (block < count) block *= 2;
    for (let at = 0; at + block <= this.used.length; at += block) {
      if (this.used.slice(at, at + block).some((bit) => bit)) continue;
      this.used.fill(true, at, at + block);
      return at;
    }
    return -ENOSPC;
  }

  release(at: number, count: number): void {
    let block = 1;
    while (block < count) block *= 2;
    this.used.fill(false, at, at + block);
  }
}

const HOLDER = { name: "a", armed: () => 0 };

it("the VT-d table places every block where a naive first fit places it", () => {
  const command = fc.oneof(
    { weight: 3, arbitrary: fc.record({ take: fc.constantFrom(1, 1, 1, 2, 3, 4, 5, 8, 9, 16) }) },
    { weight: 2, arbitrary: fc.record({ give: fc.nat() }) },
  );
  const property = fc.property(
    fc.constantFrom(32, 64, 96),
    fc.array(command, { maxLength: 120 }),
    (size, commands) => {
      const table = new IrTable(size, SILENT, new Shortages(SILENT));
      const naive = new NaiveTable(size);
      const held: { index: number; count: number }[] = [];
      for (const step of commands) {
        if ("take" in step) {
          const index = table.alloc(step.take, HOLDER);
          expect(index).toBe(naive.alloc(step.take));
          if (index >= 0) held.push({ index, count: step.take });
        } else if (held.length > 0) {
          const [block] = held.splice(step.give % held.length, 1);
          table.release(block!.index, block!.count, HOLDER);
          naive.release(block!.index, block!.count);
        }
        expect(table.used).toBe(naive.used.filter((bit) => bit).length);
      }
      const free = new Set(
        table.inspect()[0]!.free.flatMap(({ first, last }) => {
          return Array.from({ length: last - first + 1 }, (_, i) => first + i);
        }),
      );
      naive.used.forEach((bit, index) => {
        expect(free.has(index)).toBe(!bit);
      });
    },
  );
  fc.assert(property, { numRuns: 300 });
});

const CPUS = 3;
const VECTORS = 4;

/** The matrix as sets: what is in use, what is set aside, which CPUs are online. */
class NaiveMatrix {
  readonly used = new Set<number>();
  readonly managed: number[] = Array(CPUS).fill(0);
  readonly managedUsed = new Set<number>();
  readonly online: boolean[] = Array(CPUS).fill(true);
  reserved = 0;

  available(cpu: number): number {
    const used = [...this.used].filter((v) => Math.floor(v / VECTORS) === cpu).length;
    return VECTORS - used - this.managed[cpu]!;
  }

  globalAvailable(): number {
    let sum = 0;
    for (let cpu = 0; cpu < CPUS; cpu++) if (this.online[cpu]) sum += this.available(cpu);
    return sum;
  }

  totalAllocated(): number {
    const all = [...this.used, ...this.managedUsed];
    return all.filter((v) => this.online[Math.floor(v / VECTORS)]).length;
  }
}

function stepMatrix(m: VectorMatrix, naive: NaiveMatrix, op: string, n: number): void {
  const cpu = n % CPUS;
  if (op === "reserve") {
    m.reserve();
    naive.reserved++;
  } else if (op === "alloc") {
    const reserved = naive.reserved > 0;
    const before = Array.from({ length: CPUS }, (_, i) => naive.available(i));
    const vector = m.alloc(reserved);
    if (vector < 0) {
      expect(naive.globalAvailable()).toBe(0);
      return;
    }
    const chosen = Math.floor(vector / VECTORS);
    const online = before.filter((_, i) => naive.online[i]);
    expect(naive.online[chosen]).toBe(true);
    expect(before[chosen]).toBe(Math.max(...online));
    expect(naive.used.has(vector) || naive.managedUsed.has(vector)).toBe(false);
    naive.used.add(vector);
    if (reserved) naive.reserved--;
  } else if (op === "free" && naive.used.size > 0) {
    const vector = [...naive.used][n % naive.used.size]!;
    m.free(vector);
    naive.used.delete(vector);
  } else if (op === "toggle") {
    if (naive.online[cpu]) m.offline(cpu);
    else m.online(cpu);
    naive.online[cpu] = !naive.online[cpu];
  } else if (op === "manage") {
    const possible = naive.available(cpu) > 0;
    expect(m.reserveManaged([cpu])).toBe(possible ? 0 : -ENOSPC);
    if (possible) naive.managed[cpu]!++;
  } else if (op === "allocManaged") {
    const vector = m.allocManaged([cpu]);
    if (vector >= 0) naive.managedUsed.add(vector);
  } else if (op === "freeManaged" && naive.managedUsed.size > 0) {
    const vector = [...naive.managedUsed][n % naive.managedUsed.size]!;
    m.free(vector, true);
    naive.managedUsed.delete(vector);
  }
}

it("the vector matrix conserves vectors and picks the CPU with most available", () => {
  const ops = fc.constantFrom(
    ...["reserve", "alloc", "alloc", "free", "toggle", "manage", "allocManaged", "freeManaged"],
  );
  const property = fc.property(
    fc.array(fc.tuple(ops, fc.nat(1000)), { maxLength: 80 }),
    (steps) => {
      const m = new VectorMatrix(CPUS, VECTORS, SILENT);
      const naive = new NaiveMatrix();
      for (const [op, n] of steps) {
        stepMatrix(m, naive, op, n);
        expect(m.globalAvailable).toBe(naive.globalAvailable());
        expect(m.totalAllocated).toBe(naive.totalAllocated());
        expect(m.globalReserved).toBe(naive.reserved);
        for (let cpu = 0; cpu < CPUS; cpu++) expect(m.available(cpu)).toBe(naive.available(cpu));
      }
    },
  );
  fc.assert(property, { numRuns: 300 });
});
