/** The CPU vector allocator: per-CPU maps, global counters (kernel/irq/matrix.c, 6.1 and 6.12). */
import { assert } from "../../src/base/assert.ts";
import { Bitmap } from "../../src/base/bitmap.ts";
import { EINVAL, ENOSPC } from "../../src/base/errno.ts";
import type { PoolInspection } from "../../src/run/contract.ts";
import type { Tracer } from "../../src/trace/trace.ts";

/** One CPU's vectors; `cpumap` in the kernel. */
interface CpuMap {
  online: boolean;
  available: number;
  /** How many of the vectors set aside for managed interrupts are in use. */
  managedAllocated: number;
  readonly allocMap: Bitmap;
  readonly managedMap: Bitmap;
}

/** How often each irq_matrix trace point was passed. */
export interface MatrixEvents {
  alloc: number;
  reserve: number;
  unreserve: number;
  free: number;
  allocFail: number;
}

/**
 * A vector in use is one number, `cpu * vectorsPerCpu + bit`: small, and kept in typed arrays.
 * All calls are instantaneous; a negative result is an errno.
 */
export class VectorMatrix {
  readonly cpus: number;
  readonly vectorsPerCpu: number;
  readonly events: MatrixEvents = { alloc: 0, reserve: 0, unreserve: 0, free: 0, allocFail: 0 };
  readonly #maps: CpuMap[] = [];
  readonly #tracer: Tracer;
  #globalAvailable = 0;
  #globalReserved = 0;
  #totalAllocated = 0;

  /** All CPUs start online. */
  constructor(cpus: number, vectorsPerCpu: number, tracer: Tracer) {
    this.cpus = cpus;
    this.vectorsPerCpu = vectorsPerCpu;
    this.#tracer = tracer;
    for (let cpu = 0; cpu < cpus; cpu++) {
      this.#maps.push({
        online: false,
        available: vectorsPerCpu,
        managedAllocated: 0,
        allocMap: new Bitmap(vectorsPerCpu),
        managedMap: new Bitmap(vectorsPerCpu),
      });
      this.online(cpu);
    }
  }

  /** Free vectors of the CPUs that are online. */
  get globalAvailable(): number {
    return this.#globalAvailable;
  }

  /** Irqs that may ask for a vector later and have none now. */
  get globalReserved(): number {
    return this.#globalReserved;
  }

  /** Vectors in use, as the kernel counts: one freed on a CPU that is offline stays counted. */
  get totalAllocated(): number {
    return this.#totalAllocated;
  }

  get size(): number {
    return this.cpus * this.vectorsPerCpu;
  }

  inspect(): NonNullable<PoolInspection["matrix"]> {
    return {
      globalAvailable: this.#globalAvailable,
      globalReserved: this.#globalReserved,
      totalAllocated: this.#totalAllocated,
      ...this.events,
    };
  }

  /**
   * Free vectors of one CPU as the kernel counts them: those set aside for managed interrupts, and
   * those removed from them, while the CPU is offline do not change the count.
   */
  available(cpu: number): number {
    return this.#maps[cpu]!.available;
  }

  /** irq_matrix_online. */
  online(cpu: number): void {
    const map = this.#maps[cpu]!;
    assert(!map.online, () => `cpu ${cpu} is online already`);
    map.online = true;
    this.#globalAvailable += map.available;
  }

  /** irq_matrix_offline. What is allocated there stays, until its owner frees it. */
  offline(cpu: number): void {
    const map = this.#maps[cpu]!;
    assert(map.online, () => `cpu ${cpu} is offline already`);
    map.online = false;
    this.#globalAvailable -= map.available;
  }

  /** irq_matrix_reserve: never fails; the kernel only says when the promises pass what there is. */
  reserve(): void {
    if (
      this.#globalReserved <= this.#globalAvailable &&
      this.#globalReserved + 1 > this.#globalAvailable
    ) {
      const text = "Interrupt reservation exceeds available resources";
      this.#tracer.emit("printk", { text });
    }
    this.#globalReserved++;
    this.events.reserve++;
  }

  /** irq_matrix_remove_reserved. */
  unreserve(): void {
    assert(this.#globalReserved > 0, "no vector reservation to remove");
    this.#globalReserved--;
    this.events.unreserve++;
  }

  /**
   * irq_matrix_alloc: the first free vector of the online CPU that has most available, or -ENOSPC.
   * `reserved`: the irq had a reservation, which this uses up.
   */
  alloc(reserved: boolean): number {
    const cpu = this.#bestCpu();
    const map = this.#maps[cpu];
    // A count that is too high, see `available`, can choose a CPU that has no vector.
    const bit = map === undefined ? -1 : this.#findFree(map);
    if (map === undefined || bit < 0) {
      this.events.allocFail++;
      return -ENOSPC;
    }
    map.allocMap.set(bit);
    map.available--;
    this.#totalAllocated++;
    this.#globalAvailable--;
    if (reserved) {
      assert(this.#globalReserved > 0, "no vector reservation to use");
      this.#globalReserved--;
    }
    this.events.alloc++;
    this.#trace("irq_matrix_alloc", cpu, bit);
    return cpu * this.vectorsPerCpu + bit;
  }

  /** irq_matrix_free. */
  free(vector: number, managed = false): void {
    const cpu = Math.floor(vector / this.vectorsPerCpu);
    const map = this.#maps[cpu]!;
    const bit = vector % this.vectorsPerCpu;
    assert(map.allocMap.test(bit), () => `vector ${vector} is free already`);
    map.allocMap.clear(bit);
    if (managed) map.managedAllocated--;
    if (map.online) this.#totalAllocated--;
    if (!managed) {
      map.available++;
      if (map.online) this.#globalAvailable++;
    }
    this.events.free++;
    this.#trace("irq_matrix_free", cpu, bit);
  }

  /** irq_matrix_reserve_managed: one vector on each of `cpus`, or -ENOSPC and nothing. */
  reserveManaged(cpus: readonly number[]): number {
    for (let i = 0; i < cpus.length; i++) {
      const map = this.#maps[cpus[i]!]!;
      const bit = this.#findFree(map);
      if (bit < 0) {
        this.removeManaged(cpus.slice(0, i));
        return -ENOSPC;
      }
      map.managedMap.set(bit);
      if (!map.online) continue;
      map.available--;
      this.#globalAvailable--;
    }
    return 0;
  }

  /** irq_matrix_remove_managed: gives back one unused managed vector on each of `cpus`. */
  removeManaged(cpus: readonly number[]): void {
    for (const cpu of cpus) {
      const map = this.#maps[cpu]!;
      const bit = this.#findIdleManaged(map);
      assert(bit >= 0, () => `cpu ${cpu} has no unused managed vector`);
      map.managedMap.clear(bit);
      if (!map.online) continue;
      map.available++;
      this.#globalAvailable++;
    }
  }

  /**
   * irq_matrix_alloc_managed: on the online CPU with fewest managed ones in use, the last of
   * equals. -EINVAL without a CPU; -ENOSPC where none is online, or that one has none set aside.
   */
  allocManaged(cpus: readonly number[]): number {
    if (cpus.length === 0) return -EINVAL;
    let best = -1;
    let fewest = Number.POSITIVE_INFINITY;
    for (const cpu of cpus) {
      const map = this.#maps[cpu]!;
      if (!map.online || map.managedAllocated > fewest) continue;
      best = cpu;
      fewest = map.managedAllocated;
    }
    const map = this.#maps[best];
    const bit = map === undefined ? -1 : this.#findIdleManaged(map);
    if (map === undefined || bit < 0) return -ENOSPC;
    map.allocMap.set(bit);
    map.managedAllocated++;
    this.#totalAllocated++;
    return best * this.vectorsPerCpu + bit;
  }

  #trace(point: "irq_matrix_alloc" | "irq_matrix_free", cpu: number, bit: number): void {
    const global = this.#globalAvailable;
    this.#tracer.emit(point, { cpu, bit, global, reserved: this.#globalReserved });
  }

  #bestCpu(): number {
    let best = -1;
    let most = 0;
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      const map = this.#maps[cpu]!;
      if (!map.online || map.available <= most) continue;
      best = cpu;
      most = map.available;
    }
    return best;
  }

  #findFree(map: CpuMap): number {
    let bit = map.allocMap.findNextZero();
    while (bit >= 0 && map.managedMap.test(bit)) bit = map.allocMap.findNextZero(bit + 1);
    return bit;
  }

  #findIdleManaged(map: CpuMap): number {
    let bit = map.managedMap.findNextSet();
    while (bit >= 0 && map.allocMap.test(bit)) bit = map.managedMap.findNextSet(bit + 1);
    return bit;
  }
}
