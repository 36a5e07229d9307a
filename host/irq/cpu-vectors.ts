/** CPU vectors as irq domains take them: from any CPU, and with words when there is none. */
import { CPU_VECTORS, type Holder, mostByOwner, type Shortages } from "./shortage.ts";
import type { VectorMatrix } from "./vector-matrix.ts";

export interface CpuVectorHolder extends Holder {
  /** Vectors it has now. Not for hot paths. */
  vectorsHeld(): number;
}

export class CpuVectors {
  readonly matrix: VectorMatrix;
  readonly #shortages: Shortages;
  /** Everybody who ever asked for a vector. */
  readonly #holders = new Set<CpuVectorHolder>();

  constructor(matrix: VectorMatrix, shortages: Shortages) {
    this.matrix = matrix;
    this.#shortages = shortages;
  }

  /**
   * assign_irq_vector_any_locked: the affinity mask first, then any CPU that is online. Affinity is
   * not modelled and is always all CPUs, so that a failure is simply counted twice, as recorded.
   */
  assign(holder: CpuVectorHolder): number {
    const { matrix } = this;
    this.#holders.add(holder);
    let vector = matrix.alloc(true);
    if (vector < 0) vector = matrix.alloc(true);
    if (vector < 0) this.#failed(holder);
    return vector;
  }

  #failed(asking: CpuVectorHolder): void {
    let most = asking;
    let mostEntries = asking.vectorsHeld();
    for (const holder of this.#holders) {
      const held = holder.vectorsHeld();
      if (held > mostEntries) [most, mostEntries] = [holder, held];
    }
    this.#shortages.note("irq_vector_alloc_failed", {
      table: CPU_VECTORS,
      size: this.matrix.size,
      used: this.matrix.totalAllocated,
      asked: 1,
      largest: 0,
      for: asking.name,
      most,
      mostEntries,
      mostOwner: mostByOwner(
        [...this.#holders].map((holder) => [holder, holder.vectorsHeld()] as const),
        mostEntries,
      ),
    });
  }
}
