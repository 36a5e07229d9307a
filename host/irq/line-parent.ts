/** What an INTx line costs in the domains beneath its controller's pin. */
import { ENOMEM } from "../../src/base/errno.ts";
import type { CpuVectors } from "./cpu-vectors.ts";
import type { IoApicLine } from "./ioapic-lines.ts";
import type { IrqRemapping } from "./remapping.ts";
import type { VectorMatrix } from "./vector-matrix.ts";

export interface LineParent {
  /** What taking or giving back what an open line needs costs beyond irq_alloc, ns. */
  readonly openNs: number;
  /** True if what devices hold does not keep the line from being opened. */
  fits(line: IoApicLine): boolean;
  /** irq_domain_alloc_irqs at the first open: 0 or -ENOMEM. */
  open(line: IoApicLine): number;
  close(line: IoApicLine): void;
  /** irq_domain_activate_irq at the first action: 0 or -ENOSPC. */
  activate(line: IoApicLine): number;
  deactivate(line: IoApicLine): void;
}

/** IO-APIC pins on x86: a remapping entry from open to close, a CPU vector while in use. */
export class IoApicLineParent implements LineParent {
  readonly openNs: number;
  readonly #vectors: CpuVectors;
  readonly #matrix: VectorMatrix;
  readonly #remapping: IrqRemapping | null;

  constructor(vectors: CpuVectors, remapping: IrqRemapping | null, flushNs: number) {
    this.#vectors = vectors;
    this.#matrix = vectors.matrix;
    this.#remapping = remapping;
    this.openNs = remapping === null ? 0 : flushNs;
  }

  fits(line: IoApicLine): boolean {
    return this.#remapping === null || this.#remapping.fits(1, line, "line");
  }

  open(line: IoApicLine): number {
    this.#matrix.reserve();
    line.irte = this.#remapping === null ? -1 : this.#remapping.alloc(1, line, "line");
    if (this.#remapping === null || line.irte >= 0) return 0;
    this.#matrix.unreserve();
    return -ENOMEM;
  }

  close(line: IoApicLine): void {
    this.#matrix.unreserve();
    this.#remapping?.release(line.irte, 1, line, "line");
    line.irte = -1;
  }

  activate(line: IoApicLine): number {
    // A free_irq under way has the vector still, and will leave it to this action.
    const vector = line.vector >= 0 ? line.vector : this.#vectors.assign(line);
    if (vector < 0) return vector;
    line.vector = vector;
    return 0;
  }

  deactivate(line: IoApicLine): void {
    if (line.vector < 0) return;
    this.#matrix.free(line.vector);
    this.#matrix.reserve();
    line.vector = -1;
  }
}

/** SPIs of a GIC: each pin has its own interrupt number, wired for good. */
export const GIC_LINE_PARENT: LineParent = {
  openNs: 0,
  fits: () => true,
  open: () => 0,
  close: () => {},
  activate: () => 0,
  deactivate: () => {},
};
