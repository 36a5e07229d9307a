/**
 * The irq_domain hierarchy under one MSI or MSI-X vector: irq number, CPU vector, remapping entry
 * (kernel/irq/msi.c, arch/x86/kernel/apic/vector.c, irq_remapping_alloc of both vendors).
 */
import { assert } from "../../src/base/assert.ts";
import { ENOSPC } from "../../src/base/errno.ts";
import type { CpuVectors } from "./cpu-vectors.ts";
import type { ClientIrqs } from "./irq-desc.ts";
import type { IrqNumbers } from "./irq-numbers.ts";
import type { MsiMessage, MsiParent, SharedEntryTable } from "./msi-parent.ts";
import type { PoolSamples } from "./pool-samples.ts";
import type { IrqRemapping } from "./remapping.ts";
import type { VectorMatrix } from "./vector-matrix.ts";

/** Fixed part of a message address, a CPU in it when nothing remaps (Intel SDM 3, 11.11). */
const MSI_ADDRESS_BASE = 0xfee00000;
/** First external vector on x86; the matrix counts from 0. */
const FIRST_EXTERNAL_VECTOR = 0x20;
/** MANAGED_IRQ_SHUTDOWN_VECTOR: what an irq with a mere reservation points to. */
const SHUTDOWN_VECTOR = 0xef;
/** In ClientIrqs.irtes. */
const NO_ENTRY = -1;

export class MsiDomain implements MsiParent {
  readonly dynamicMsix = true;
  readonly vectorNs: number;
  readonly matrix: VectorMatrix;
  /** Null on a platform without interrupt remapping. */
  readonly remapping: IrqRemapping | null;
  readonly #vectors: CpuVectors;
  readonly #numbers: IrqNumbers;
  readonly #samples: PoolSamples;

  constructor(
    vectors: CpuVectors,
    remapping: IrqRemapping | null,
    numbers: IrqNumbers,
    samples: PoolSamples,
    flushNs: number,
  ) {
    this.vectorNs = remapping === null ? 0 : flushNs;
    this.matrix = vectors.matrix;
    this.#vectors = vectors;
    this.remapping = remapping;
    this.#numbers = numbers;
    this.#samples = samples;
  }

  /** Without remapping each vector would need its own address: multi-MSI is not offered. */
  get multiMsi(): boolean {
    return this.remapping !== null;
  }

  setupDeviceDomain(): number {
    return 0;
  }

  prepare(): number {
    return 0;
  }

  removeDeviceDomain(): void {}

  fits(irqs: ClientIrqs, count: number): boolean {
    return this.remapping === null || this.remapping.fits(count, irqs, irqs.kind ?? "msix");
  }

  tableOf(irqs: ClientIrqs): SharedEntryTable | null {
    return this.remapping?.table(irqs, "msix") ?? null;
  }

  /**
   * Allocates indexes first..first+count-1 as one descriptor: irq numbers, a reservation each, a
   * block of remapping entries. 0, or -ENOSPC and nothing is held.
   */
  allocDesc(irqs: ClientIrqs, first: number, count: number): number {
    const virq = this.#numbers.alloc(count);
    // The parent domain goes first: a reservation cannot fail, so that entries short beat vectors.
    for (let i = 0; i < count; i++) this.matrix.reserve();
    const irte = this.remapping?.alloc(count, irqs, irqs.kind!) ?? NO_ENTRY;
    if (this.remapping !== null && irte < 0) {
      for (let i = 0; i < count; i++) this.matrix.unreserve();
      this.#numbers.free(virq, count);
      return -ENOSPC;
    }
    for (let i = 0; i < count; i++) irqs.add(first + i, virq + i);
    irqs.irtes[first] = irte;
    irqs.held.addEntries(this.remapping?.entriesFor(count) ?? 0);
    this.#samples.irqs += count;
    this.#samples.changed(irqs.client.fn.name);
    return 0;
  }

  /** Gives a descriptor's irqs, entries, vectors and reservations back. */
  freeDesc(irqs: ClientIrqs, first: number, count: number): void {
    const virq = irqs.virqs[first]!;
    for (let index = first; index < first + count; index++) {
      const vector = irqs.vectors[index]!;
      if (vector >= 0) this.matrix.free(vector);
      else this.matrix.unreserve();
      irqs.setVector(index, -1);
      irqs.remove(index);
    }
    this.remapping?.release(irqs.irtes[first]!, count, irqs, irqs.kind!);
    irqs.irtes[first] = NO_ENTRY;
    irqs.held.addEntries(-(this.remapping?.entriesFor(count) ?? 0));
    this.#numbers.free(virq, count);
    this.#samples.irqs -= count;
    this.#samples.changed(irqs.client.fn.name);
  }

  /** Takes a CPU vector for an irq that only has a reservation. 0 or -ENOSPC. */
  assignVector(irqs: ClientIrqs, index: number): number {
    assert(irqs.vectors[index] === -1, () => `irq ${irqs.virqs[index]} has a vector`);
    const vector = this.#vectors.assign(irqs);
    if (vector < 0) return vector;
    irqs.setVector(index, vector);
    this.#samples.changed(irqs.client.fn.name);
    return 0;
  }

  /** x86_vector_deactivate: the vector goes back, a reservation takes its place. */
  returnVector(irqs: ClientIrqs, index: number): void {
    const vector = irqs.vectors[index]!;
    if (vector < 0) return;
    this.matrix.free(vector);
    this.matrix.reserve();
    irqs.setVector(index, -1);
    this.#samples.changed(irqs.client.fn.name);
  }

  /** irq_chip_compose_msi_msg for the descriptor that begins at `index`. */
  composeMessage(irqs: ClientIrqs, index: number): MsiMessage {
    if (this.remapping !== null) return this.remapping.message(irqs.irtes[index]!);
    const vector = irqs.vectors[index]!;
    if (vector < 0) return { address: MSI_ADDRESS_BASE, data: SHUTDOWN_VECTOR };
    const cpu = Math.floor(vector / this.matrix.vectorsPerCpu);
    const data = FIRST_EXTERNAL_VECTOR + (vector % this.matrix.vectorsPerCpu);
    return { address: (MSI_ADDRESS_BASE | (cpu << 12)) >>> 0, data };
  }
}
