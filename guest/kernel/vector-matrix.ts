/** Which vectors a guest's vCPUs have to give (kernel/irq/matrix.c, x86's apic/vector.c). */
import { assert } from "../../src/base/assert.ts";
import { ENOSPC } from "../../src/base/errno.ts";

/** FIRST_EXTERNAL_VECTOR. */
export const FIRST_EXTERNAL_VECTOR = 0x20;
/** FIRST_SYSTEM_VECTOR of a guest with posted interrupts: vectors from here are the kernel's. */
export const FIRST_SYSTEM_VECTOR = 0xec;
/** Where an irq that is allocated but not requested points: MANAGED_IRQ_SHUTDOWN_VECTOR. */
export const SHUTDOWN_VECTOR = 0xef;
/** int 0x80. */
const IA32_SYSCALL_VECTOR = 0x80;
const ISA_IRQ_VECTOR = 0x30;
const NR_IRQS_LEGACY = 16;

/** A vector on a vCPU: vcpu << 8 | vector, as the virtual APIC hands them out. */
export type Slot = number;

const FREE = 0;
const MANAGED = 1;
const ALLOCATED = 2;
const SYSTEM = 4;

/**
 * The states of all vectors. A managed irq owns one bit on each vCPU of its mask from its
 * allocation on, so that it can always come back after CPU hotplug; other irqs take a vector when
 * they are requested. `others` is how many vectors the rest of the machine holds on a vCPU.
 */
export class VectorMatrix {
  readonly vcpus: number;
  readonly #state: Uint8Array;
  readonly #available: Int32Array;
  readonly #managedTaken: Int32Array;

  constructor(vcpus: number, others: (vcpu: number) => number = () => 3) {
    this.vcpus = vcpus;
    this.#state = new Uint8Array(vcpus * 256);
    this.#available = new Int32Array(vcpus).fill(FIRST_SYSTEM_VECTOR - FIRST_EXTERNAL_VECTOR);
    this.#managedTaken = new Int32Array(vcpus);
    for (let vcpu = 0; vcpu < vcpus; vcpu++) {
      this.#claim(vcpu, IA32_SYSCALL_VECTOR, SYSTEM);
      for (let i = 0; i < others(vcpu); i++) this.#claim(vcpu, FIRST_EXTERNAL_VECTOR + i, SYSTEM);
    }
    // The boot CPU carries the legacy ISA interrupts.
    for (let i = 0; i < NR_IRQS_LEGACY; i++) this.#claim(0, ISA_IRQ_VECTOR + i, SYSTEM);
  }

  /** Vectors of `vcpu` that are neither allocated nor reserved. */
  available(vcpu: number): number {
    return this.#available[vcpu]!;
  }

  /** irq_matrix_reserve_managed: a bit on every vCPU of `mask`, or -ENOSPC and nothing. */
  reserveManaged(mask: readonly number[]): number {
    for (const [done, vcpu] of mask.entries()) {
      const vector = this.#firstFree(vcpu);
      if (vector < 0) {
        this.removeManaged(mask.slice(0, done));
        return -ENOSPC;
      }
      this.#claim(vcpu, vector, MANAGED);
    }
    return 0;
  }

  /** irq_matrix_remove_managed: gives back one unused managed bit on every vCPU of `mask`. */
  removeManaged(mask: readonly number[]): void {
    for (const vcpu of mask) {
      const vector = this.#find(vcpu, MANAGED);
      assert(vector >= 0, () => `vCPU ${vcpu} has no managed vector to give back`);
      this.#state[vcpu * 256 + vector] = FREE;
      this.#available[vcpu]!++;
    }
  }

  /** irq_matrix_alloc: on the vCPU with most to give, the first of several; or -ENOSPC. */
  alloc(online: readonly number[]): Slot | number {
    let best = -1;
    for (const vcpu of online) {
      if (best < 0 || this.#available[vcpu]! > this.#available[best]!) best = vcpu;
    }
    const vector = best < 0 ? -1 : this.#firstFree(best);
    if (vector < 0) return -ENOSPC;
    this.#claim(best, vector, ALLOCATED);
    return (best << 8) | vector;
  }

  /** irq_matrix_alloc_managed: a reserved bit, on the vCPU with fewest of them in use. */
  allocManaged(online: readonly number[]): Slot | number {
    let best = -1;
    for (const vcpu of online) {
      if (best < 0 || this.#managedTaken[vcpu]! < this.#managedTaken[best]!) best = vcpu;
    }
    const vector = best < 0 ? -1 : this.#find(best, MANAGED);
    if (vector < 0) return -ENOSPC;
    this.#state[best * 256 + vector] = MANAGED | ALLOCATED;
    this.#managedTaken[best]!++;
    return (best << 8) | vector;
  }

  /**
   * Takes the vector that somebody else has chosen; false if it is no vector for devices or not
   * free. Which vectors stand for reserved managed ones is a choice, too: those make way.
   */
  take(slot: Slot, isManaged: boolean): boolean {
    const vcpu = slot >> 8;
    const vector = slot & 0xff;
    if (vcpu >= this.vcpus || vector < FIRST_EXTERNAL_VECTOR || vector >= FIRST_SYSTEM_VECTOR) {
      return false;
    }
    const state = this.#state[slot]!;
    if ((state & (ALLOCATED | SYSTEM)) !== 0) return false;
    if (isManaged && state === FREE && !this.#swapManaged(vcpu, vector)) return false;
    if (!isManaged && state === MANAGED && !this.#evictManaged(vcpu, vector)) return false;
    if (isManaged) {
      this.#state[slot] = MANAGED | ALLOCATED;
      this.#managedTaken[vcpu]!++;
    } else this.#claim(vcpu, vector, ALLOCATED);
    return true;
  }

  /** A reserved bit of `vcpu` becomes that of `vector`. */
  #swapManaged(vcpu: number, vector: number): boolean {
    const reserved = this.#find(vcpu, MANAGED);
    if (reserved < 0) return false;
    this.#state[vcpu * 256 + reserved] = FREE;
    this.#state[vcpu * 256 + vector] = MANAGED;
    return true;
  }

  /** The reserved bit of `vector` becomes another one's. */
  #evictManaged(vcpu: number, vector: number): boolean {
    const free = this.#firstFree(vcpu);
    if (free < 0) return false;
    this.#state[vcpu * 256 + free] = MANAGED;
    this.#state[vcpu * 256 + vector] = FREE;
    return true;
  }

  /** irq_matrix_free: a managed vector stays reserved. */
  free(slot: Slot): void {
    const state = this.#state[slot]!;
    assert((state & ALLOCATED) !== 0, () => `vector ${slot & 0xff} is not allocated`);
    this.#state[slot] = state & ~ALLOCATED;
    if ((state & MANAGED) !== 0) this.#managedTaken[slot >> 8]!--;
    else this.#available[slot >> 8]!++;
  }

  #claim(vcpu: number, vector: number, state: number): void {
    if (this.#state[vcpu * 256 + vector] === FREE) this.#available[vcpu]!--;
    this.#state[vcpu * 256 + vector] = state;
  }

  #firstFree(vcpu: number): number {
    return this.#find(vcpu, FREE);
  }

  #find(vcpu: number, state: number): number {
    for (let vector = FIRST_EXTERNAL_VECTOR; vector < FIRST_SYSTEM_VECTOR; vector++) {
      if (this.#state[vcpu * 256 + vector] === state) return vector;
    }
    return -1;
  }
}
