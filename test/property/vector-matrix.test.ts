/** The CPU vector allocator against a second model: sets of vectors, and counts taken from them. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { VectorMatrix } from "../../host/irq/vector-matrix.ts";
import { EINVAL, ENOSPC } from "../../src/base/errno.ts";

const CPUS = 3;
const VECTORS = 4;
const ALL = Array.from({ length: VECTORS }, (_, bit) => bit);

/** One CPU. Bits of `managed` are set aside; bits of `used` have an irq, managed or not. */
interface Cpu {
  online: boolean;
  readonly used: Set<number>;
  readonly managed: Set<number>;
  /** Bits set aside less bits removed while offline, which the count of free vectors has missed. */
  missed: number;
}

class SetMatrix {
  readonly cpus: readonly Cpu[] = Array.from({ length: CPUS }, () => {
    return { online: true, used: new Set<number>(), managed: new Set<number>(), missed: 0 };
  });
  reserved = 0;
  allocated = 0;

  available(cpu: number): number {
    const { used, managed, missed } = this.cpus[cpu]!;
    const plain = [...used].filter((bit) => !managed.has(bit));
    return VECTORS - plain.length - managed.size + missed;
  }

  globalAvailable(): number {
    return this.cpus.reduce((sum, { online }, cpu) => {
      return online ? sum + this.available(cpu) : sum;
    }, 0);
  }

  alloc(reserved: boolean): number {
    const counts = this.cpus.map(({ online }, cpu) => (online ? this.available(cpu) : 0));
    const most = Math.max(...counts);
    const cpu = counts.indexOf(most);
    const { used, managed } = this.cpus[cpu]!;
    const bit = ALL.find((b) => !used.has(b) && !managed.has(b));
    if (most <= 0 || bit === undefined) return -ENOSPC;
    used.add(bit);
    this.allocated++;
    if (reserved) this.reserved--;
    return cpu * VECTORS + bit;
  }

  free(vector: number): void {
    const cpu = this.cpus[Math.floor(vector / VECTORS)]!;
    cpu.used.delete(vector % VECTORS);
    if (cpu.online) this.allocated--;
  }

  reserveManaged(mask: readonly number[]): number {
    const bits = mask.map((cpu) => {
      const { used, managed } = this.cpus[cpu]!;
      return ALL.find((bit) => !used.has(bit) && !managed.has(bit));
    });
    // What was set aside before a CPU that has none is removed again: it may be another bit.
    const full = bits.indexOf(undefined);
    mask.slice(0, full < 0 ? mask.length : full).forEach((number, i) => {
      const cpu = this.cpus[number]!;
      cpu.managed.add(bits[i]!);
      if (!cpu.online) cpu.missed++;
    });
    if (full < 0) return 0;
    this.removeManaged(mask.slice(0, full));
    return -ENOSPC;
  }

  removeManaged(mask: readonly number[]): void {
    for (const number of mask) {
      const cpu = this.cpus[number]!;
      cpu.managed.delete(this.idleManaged(number)!);
      if (!cpu.online) cpu.missed--;
    }
  }

  idleManaged(cpu: number): number | undefined {
    const { used, managed } = this.cpus[cpu]!;
    return ALL.find((bit) => managed.has(bit) && !used.has(bit));
  }

  allocManaged(mask: readonly number[]): number {
    if (mask.length === 0) return -EINVAL;
    const inUse = (cpu: number): number => {
      const { used, managed } = this.cpus[cpu]!;
      return [...used].filter((bit) => managed.has(bit)).length;
    };
    const online = mask.filter((cpu) => this.cpus[cpu]!.online);
    const fewest = Math.min(...online.map(inUse));
    const cpu = online.filter((each) => inUse(each) === fewest).at(-1);
    const bit = cpu === undefined ? undefined : this.idleManaged(cpu);
    if (cpu === undefined || bit === undefined) return -ENOSPC;
    this.cpus[cpu]!.used.add(bit);
    this.allocated++;
    return cpu * VECTORS + bit;
  }

  toggle(cpu: number): boolean {
    this.cpus[cpu]!.online = !this.cpus[cpu]!.online;
    return this.cpus[cpu]!.online;
  }

  /** Vectors in use: those of managed irqs, or the others. */
  vectors(managed: boolean): number[] {
    return this.cpus.flatMap((each, cpu) => {
      const bits = [...each.used].filter((bit) => each.managed.has(bit) === managed);
      return bits.map((bit) => cpu * VECTORS + bit);
    });
  }
}

const SILENT = { emit: () => {} };
const mask = fc.subarray([0, 1, 2]);
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom("reserve", "unreserve") }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant("alloc") }) },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant("free"), n: fc.nat(), managed: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("toggle"), n: fc.nat(CPUS - 1) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("manage"), mask }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("unmanage"), mask }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("allocManaged"), mask }) },
);
type Step = { op: string; n?: number; managed?: boolean; mask?: number[] };

/** One call to both. */
function both(m: VectorMatrix, model: SetMatrix, { op, n = 0, managed = false, mask = [] }: Step) {
  if (op === "reserve") {
    m.reserve();
    model.reserved++;
  } else if (op === "unreserve" && model.reserved > 0) {
    m.unreserve();
    model.reserved--;
  } else if (op === "alloc") {
    const reserved = model.reserved > 0;
    expect(m.alloc(reserved)).toBe(model.alloc(reserved));
  } else if (op === "free") {
    const vectors = model.vectors(managed);
    const vector = vectors[n % Math.max(1, vectors.length)];
    if (vector === undefined) return;
    m.free(vector, managed);
    model.free(vector);
  } else if (op === "toggle") {
    if (model.toggle(n)) m.online(n);
    else m.offline(n);
  } else if (op === "manage") {
    expect(m.reserveManaged(mask)).toBe(model.reserveManaged(mask));
  } else if (op === "unmanage") {
    const idle = mask.filter((cpu) => model.idleManaged(cpu) !== undefined);
    m.removeManaged(idle);
    model.removeManaged(idle);
  } else if (op === "allocManaged") {
    expect(m.allocManaged(mask)).toBe(model.allocManaged(mask));
  }
}

it("the vector matrix gives every vector, and counts, as sets of vectors say", () => {
  const property = fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
    const m = new VectorMatrix(CPUS, VECTORS, SILENT);
    const model = new SetMatrix();
    for (const each of steps) {
      both(m, model, each);
      const counts = [m.globalAvailable, m.globalReserved, m.totalAllocated];
      expect(counts).toEqual([model.globalAvailable(), model.reserved, model.allocated]);
      for (let cpu = 0; cpu < CPUS; cpu++) expect(m.available(cpu)).toBe(model.available(cpu));
    }
  });
  fc.assert(property, { numRuns: 500 });
});
