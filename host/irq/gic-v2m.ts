/**
 * PCI MSI and MSI-X over a GICv2m frame: a row of SPIs, one a vector
 * (drivers/irqchip/irq-gic-v2m.c, as stable 6.12 has it: a run takes exactly its length).
 */
import { ENOSPC } from "../../src/base/errno.ts";
import type { TableInspection } from "../../src/run/contract.ts";
import type { ClientIrqs } from "./irq-desc.ts";
import type { IrqNumbers } from "./irq-numbers.ts";
import type { MsiMessage, MsiParent, SharedEntryTable } from "./msi-parent.ts";
import type { PoolSamples } from "./pool-samples.ts";
import { EntryTable } from "./remapping.ts";
import { BOOT_HOLDER, type Holder, type Shortages } from "./shortage.ts";

/** QEMU's virt machine: one frame, interrupt ids 80..143 (MSI_TYPER). */
export const V2M_SPI_BASE = 80;
export const V2M_SPIS = 64;
/** V2M_MSI_SETSPI_NS in the frame at 0x08020000. */
const V2M_MSI_SETSPI_NS = 0x08020040;

/** One frame's SPIs. */
export class V2mFrame {
  readonly entries = "SPIs";
  readonly #spis: EntryTable;
  readonly #shortages: Shortages;

  constructor(spis: number, shortages: Shortages) {
    this.#spis = new EntryTable("GICv2m SPIs", spis);
    this.#shortages = shortages;
  }

  get used(): number {
    return this.#spis.used;
  }

  get size(): number {
    return this.#spis.size;
  }

  get name(): string {
    return this.#spis.name;
  }

  get free(): number {
    return this.#spis.free;
  }

  inspect(): TableInspection[] {
    return [this.#spis.inspect()];
  }

  /** A port of the machine's own takes one SPI for good. */
  takeAtBoot(): boolean {
    return this.#take(1, BOOT_HOLDER) >= 0;
  }

  /** gicv2m_irq_domain_alloc: the first SPI of a run of `count`, or -ENOSPC. */
  alloc(irqs: ClientIrqs, count: number): number {
    const offset = this.#take(count, irqs);
    if (offset >= 0) return V2M_SPI_BASE + offset;
    this.#shortages.note("v2m_alloc_failed", this.#spis.shortage(count, irqs.name));
    return -ENOSPC;
  }

  release(irqs: ClientIrqs, spi: number, count: number): void {
    this.#spis.giveBack(spi - V2M_SPI_BASE, count, irqs);
  }

  /** bitmap_find_next_zero_area_off: aligned as MSI's data wants it, by the interrupt's number. */
  #take(count: number, holder: Holder): number {
    const { bitmap } = this.#spis;
    const mask = count - 1;
    const shift = V2M_SPI_BASE & mask;
    for (let free = bitmap.findNextZero(); free >= 0; ) {
      const start = ((free + shift + mask) & ~mask) - shift;
      if (start + count > bitmap.size) return -1;
      const taken = bitmap.findNextSet(start);
      if (taken < 0 || taken >= start + count) {
        this.#spis.take(start, count, holder);
        return start;
      }
      free = bitmap.findNextZero(taken + 1);
    }
    return -1;
  }
}

export class V2mMsiDomain implements MsiParent {
  readonly multiMsi = true;
  readonly dynamicMsix = false;
  readonly vectorNs = 0;
  readonly #frame: V2mFrame;
  readonly #numbers: IrqNumbers;
  readonly #samples: PoolSamples;

  constructor(frame: V2mFrame, numbers: IrqNumbers, samples: PoolSamples) {
    this.#frame = frame;
    this.#numbers = numbers;
    this.#samples = samples;
  }

  setupDeviceDomain(): number {
    return 0;
  }

  prepare(): number {
    return 0;
  }

  removeDeviceDomain(): void {}

  /** Single irqs are never given back here, so that nobody could make room. */
  fits(): boolean {
    return true;
  }

  tableOf(): SharedEntryTable {
    return this.#frame;
  }

  allocDesc(irqs: ClientIrqs, first: number, count: number): number {
    const spi = this.#frame.alloc(irqs, count);
    if (spi < 0) return spi;
    const virq = this.#numbers.alloc(count);
    for (let i = 0; i < count; i++) irqs.add(first + i, virq + i);
    irqs.irtes[first] = spi;
    irqs.held.addEntries(count);
    this.#samples.irqs += count;
    this.#samples.changed(irqs.client.fn.name);
    return 0;
  }

  freeDesc(irqs: ClientIrqs, first: number, count: number): void {
    const virq = irqs.virqs[first]!;
    for (let index = first; index < first + count; index++) irqs.remove(index);
    this.#frame.release(irqs, irqs.irtes[first]!, count);
    irqs.irtes[first] = -1;
    irqs.held.addEntries(-count);
    this.#numbers.free(virq, count);
    this.#samples.irqs -= count;
    this.#samples.changed(irqs.client.fn.name);
  }

  /** An SPI is wired to the distributor: there is nothing to run out of. */
  assignVector(): number {
    return 0;
  }

  returnVector(): void {}

  composeMessage(irqs: ClientIrqs, index: number): MsiMessage {
    return { address: V2M_MSI_SETSPI_NS, data: irqs.irtes[index]! };
  }
}
