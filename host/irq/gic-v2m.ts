/**
 * PCI MSI and MSI-X over a GICv2m frame: a row of SPIs, one a vector
 * (drivers/irqchip/irq-gic-v2m.c, as stable 6.12 has it: a run takes exactly its length).
 */
import { assert } from "../../src/base/assert.ts";
import { Bitmap } from "../../src/base/bitmap.ts";
import { ENOSPC } from "../../src/base/errno.ts";
import type { Tracer } from "../../src/trace/trace.ts";
import type { ClientIrqs } from "./irq-desc.ts";
import type { IrqNumbers } from "./irq-numbers.ts";
import type { MsiMessage, MsiParent } from "./msi-parent.ts";
import type { PoolSamples } from "./pool-samples.ts";

/** QEMU's virt machine: one frame, interrupt ids 80..143 (MSI_TYPER). */
export const V2M_SPI_BASE = 80;
export const V2M_SPIS = 64;
/** V2M_MSI_SETSPI_NS in the frame at 0x08020000. */
const V2M_MSI_SETSPI_NS = 0x08020040;

/** One frame's SPIs. */
export class V2mFrame {
  readonly name = "GICv2m SPIs";
  readonly #spis: Bitmap;
  readonly #holders = new Map<ClientIrqs, number>();
  readonly #tracer: Tracer;

  constructor(spis: number, tracer: Tracer) {
    this.#spis = new Bitmap(spis);
    this.#tracer = tracer;
  }

  get used(): number {
    return this.#spis.weight;
  }

  get size(): number {
    return this.#spis.size;
  }

  /** A port of the machine's own takes one SPI for good. */
  takeAtBoot(): boolean {
    return this.#take(1) >= 0;
  }

  /** gicv2m_irq_domain_alloc: the first SPI of a run of `count`, or -ENOSPC. */
  alloc(irqs: ClientIrqs, count: number): number {
    const offset = this.#take(count);
    if (offset < 0) {
      this.#failed(irqs, count);
      return -ENOSPC;
    }
    this.#holders.set(irqs, (this.#holders.get(irqs) ?? 0) + count);
    return V2M_SPI_BASE + offset;
  }

  release(irqs: ClientIrqs, spi: number, count: number): void {
    const offset = spi - V2M_SPI_BASE;
    assert(this.#spis.test(offset), () => `SPI ${spi} is free already`);
    this.#spis.clearRange(offset, count);
    const left = this.#holders.get(irqs)! - count;
    if (left === 0) this.#holders.delete(irqs);
    else this.#holders.set(irqs, left);
  }

  /** bitmap_find_next_zero_area_off: aligned as MSI's data wants it, by the interrupt's number. */
  #take(count: number): number {
    const mask = count - 1;
    const shift = V2M_SPI_BASE & mask;
    let from = 0;
    for (;;) {
      const free = this.#spis.findNextZero(from);
      if (free < 0) return -1;
      const start = ((free + shift + mask) & ~mask) - shift;
      if (start + count > this.#spis.size) return -1;
      const taken = this.#spis.findNextSet(start);
      if (taken < 0 || taken >= start + count) {
        this.#spis.setRange(start, count);
        return start;
      }
      from = taken + 1;
    }
  }

  #failed(irqs: ClientIrqs, asked: number): void {
    let most: ClientIrqs | null = null;
    let entries = 0;
    for (const [holder, count] of this.#holders) {
      if (count <= entries) continue;
      most = holder;
      entries = count;
    }
    const busy = most?.actions.filter((action) => action !== null).length ?? 0;
    this.#tracer.emit("v2m_alloc_failed", {
      table: this.name,
      asked,
      for: irqs.client.fn.name,
      used: this.used,
      size: this.size,
      most: most?.client.bdf ?? "nobody",
      mostEntries: entries,
      mostIdle: entries - busy,
    });
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

  allocDesc(irqs: ClientIrqs, first: number, count: number): number {
    const spi = this.#frame.alloc(irqs, count);
    if (spi < 0) return spi;
    const virq = this.#numbers.alloc(count);
    for (let i = 0; i < count; i++) irqs.add(first + i, virq + i);
    irqs.irtes[first] = spi;
    this.#samples.irqs += count;
    this.#samples.changed();
    return 0;
  }

  freeDesc(irqs: ClientIrqs, first: number, count: number): void {
    const virq = irqs.virqs[first]!;
    for (let index = first; index < first + count; index++) irqs.remove(index);
    this.#frame.release(irqs, irqs.irtes[first]!, count);
    irqs.irtes[first] = -1;
    this.#numbers.free(virq, count);
    this.#samples.irqs -= count;
    this.#samples.changed();
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
