/** What an INTx line costs in the domains beneath its controller's pin. */
import { ENOMEM } from "../../src/base/errno.ts";
import type { IoApicLine } from "./ioapic-lines.ts";
import { assignIrqVectorAny } from "./msi-domain.ts";
import type { VectorMatrix } from "./vector-matrix.ts";
import type { IrTable } from "./vtd.ts";

export interface LineParent {
  /** What taking or giving back what an open line needs costs beyond irq_alloc, ns. */
  readonly openNs: number;
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
  readonly #matrix: VectorMatrix;
  readonly #table: IrTable | null;

  constructor(matrix: VectorMatrix, table: IrTable | null, flushNs: number) {
    this.#matrix = matrix;
    this.#table = table;
    this.openNs = table === null ? 0 : flushNs;
  }

  open(line: IoApicLine): number {
    this.#matrix.reserve();
    line.irte = this.#table === null ? -1 : this.#table.alloc(1, lineOwner(line));
    if (this.#table === null || line.irte >= 0) return 0;
    this.#matrix.unreserve();
    return -ENOMEM;
  }

  close(line: IoApicLine): void {
    this.#matrix.unreserve();
    this.#table?.release(line.irte, 1, lineOwner(line));
    line.irte = -1;
  }

  activate(line: IoApicLine): number {
    // A free_irq under way has the vector still, and will leave it to this action.
    const vector = line.vector >= 0 ? line.vector : assignIrqVectorAny(this.#matrix);
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
  open: () => 0,
  close: () => {},
  activate: () => 0,
  deactivate: () => {},
};

function lineOwner(line: IoApicLine): string {
  return `IO-APIC pin ${line.pin}`;
}
