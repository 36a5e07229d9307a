/** The kernel functions the arm64 recordings' probes printed (`lpi`), from the host's trace. */
import type { TracePoint } from "../trace/points.ts";
import type { Tracer } from "../trace/trace.ts";

type Args = Readonly<Record<string, string | number>>;

/** PCI_IRQ_MSI and PCI_IRQ_MSIX (include/linux/pci.h). */
const PCI_IRQ_MSI = 2;
const PCI_IRQ_MSIX = 4;
const ENOSPC = 28;

/** Collects what the host does, in the recorder's words. */
export class ItsTrace implements Tracer {
  readonly #requesterIds: Readonly<Record<string, number>>;
  #lines: string[] = [];

  constructor(requesterIds: Readonly<Record<string, number>>) {
    this.#requesterIds = requesterIds;
  }

  emit(point: TracePoint, args: Args = {}): void {
    const line = this.#line(point, args);
    if (line !== null) this.#lines.push(line);
  }

  /** What happened since the last call. */
  take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  #line(point: TracePoint, args: Args): string | null {
    const { min, max, msix, ret, nvec, nvecs, device, base, nr } = args;
    switch (point) {
      case "pci_alloc_irq_vectors":
        return `pci_alloc min=${min} max=${max} flags=${msix === 1 ? PCI_IRQ_MSIX : PCI_IRQ_MSI}`;
      case "pci_alloc_irq_vectors_return":
        return `pci_alloced ret=${ret}`;
      case "its_msi_prepare":
        return `msi_prepare nvec=${nvec}`;
      case "its_msi_prepare_return":
        return `msi_prepared ret=${ret}`;
      case "its_create_device":
        return `create_device devid=${this.#requesterIds[device!]} nvecs=${nvecs}`;
      case "its_create_device_return":
        return nr === 0 ? "created ret=0x0 base=0 nr=0" : `created ok base=${base} nr=${nr}`;
      case "its_alloc_device_irq_failed":
        return `domain_allocated ret=-${ENOSPC}`;
      case "free_lpi_range":
        return `free_lpi_range base=${base} nr=${nr}`;
      default:
        return null;
    }
  }
}
