/**
 * The GICv3 interrupt translation service: devices, their event maps and their blocks of LPIs
 * (drivers/irqchip/irq-gic-v3-its.c).
 */
import { assert } from "../../src/base/assert.ts";
import { Bitmap } from "../../src/base/bitmap.ts";
import { ENOMEM, ENOSPC } from "../../src/base/errno.ts";
import type { TableInspection } from "../../src/run/contract.ts";
import type { KernelBug } from "../../src/scenario/types.ts";
import type { Tracer } from "../../src/trace/trace.ts";
import type { ClientIrqs } from "./irq-desc.ts";
import { LpiRanges } from "./lpi-ranges.ts";
import { roundUpPowerOfTwo } from "./msi-parent.ts";
import {
  BOOT_HOLDER,
  type Holder,
  mostByOwner,
  type Shortage,
  type Shortages,
} from "./shortage.ts";

/** struct its_device: one requester id, its events and the LPIs behind them. */
export class ItsDevice {
  readonly irqs: ClientIrqs;
  readonly lpiBase: number;
  readonly events: Bitmap;
  /** Seen by more than one msi_prepare: the ITS takes it for an aliased id and never frees it. */
  shared = false;

  /** Why the block is smaller than wanted; null where it is not. */
  readonly short: Shortage | null;

  constructor(irqs: ClientIrqs, lpiBase: number, lpis: number, short: Shortage | null) {
    this.irqs = irqs;
    this.lpiBase = lpiBase;
    this.events = new Bitmap(lpis);
    this.short = short;
  }

  get lpis(): number {
    return this.events.size;
  }
}

export interface GicItsOptions {
  readonly lpis: number;
  readonly tracer: Tracer;
  readonly shortages: Shortages;
  /**
   * Since Linux 6.16 an ITS device lives as long as the function's MSI domain; before, it went
   * with its last event.
   */
  readonly teardownWithDomain: boolean;
  /** Bugs of the kernel that are to be mended. */
  readonly fixed: readonly KernelBug[];
}

export class GicIts {
  readonly name = "ITS0 LPIs";
  readonly entries = "LPIs";
  readonly #ranges: LpiRanges;
  readonly #devices = new Map<ClientIrqs, ItsDevice>();
  readonly #options: GicItsOptions;
  /** WARN_ON_ONCE. */
  #warned = false;

  constructor(options: GicItsOptions) {
    this.#options = options;
    this.#ranges = new LpiRanges(options.lpis);
  }

  /** LPIs in blocks, whether they have an event or not. */
  get used(): number {
    return this.#ranges.size - this.#ranges.free;
  }

  get size(): number {
    return this.#ranges.size;
  }

  get free(): number {
    return this.#ranges.free;
  }

  /** LPIs that functions keep by design while their MSI domain lives, and will give back. */
  get kept(): number {
    if (!this.#options.teardownWithDomain) return 0;
    let kept = 0;
    for (const device of this.#devices.values()) {
      const used = device.irqs.count;
      if (!device.shared && device.events.weight === used) kept += device.lpis;
    }
    return kept;
  }

  inspect(): TableInspection[] {
    const { name, size, used } = this;
    return [{ name, size, used, free: this.#ranges.ranges() }];
  }

  /** A port of the machine's own takes one LPI for good. */
  takeAtBoot(): boolean {
    return this.#ranges.alloc(1) >= 0;
  }

  device(irqs: ClientIrqs): ItsDevice | null {
    return this.#devices.get(irqs) ?? null;
  }

  /** its_msi_prepare for `vectors` (a power of two): 0, or -ENOMEM where no LPI is free. */
  prepare(irqs: ClientIrqs, vectors: number): number {
    const { tracer, fixed } = this.#options;
    const name = irqs.client.fn.name;
    tracer.emit("its_msi_prepare", { device: name, nvec: vectors });
    const known = this.#devices.get(irqs);
    if (known === undefined) {
      if (!this.#createDevice(irqs, vectors)) {
        tracer.emit("its_msi_prepare_return", { device: name, ret: -ENOMEM });
        return -ENOMEM;
      }
    } else if (!fixed.includes("its-prepare-marks-shared")) {
      known.shared = true;
    }
    tracer.emit("its_msi_prepare_return", { device: name, ret: 0 });
    return 0;
  }

  /** its_irq_domain_alloc: the first LPI of an aligned run of events, or -ENOSPC. */
  allocEvents(irqs: ClientIrqs, count: number): number {
    const device = this.#devices.get(irqs);
    assert(device !== undefined, () => `${irqs.client.bdf} has events before its_msi_prepare`);
    const block = roundUpPowerOfTwo(count);
    const { events } = device;
    const first = block === 1 ? events.findNextZero() : events.findZeroArea(block, block);
    if (first < 0) {
      this.#eventsShort(device, count);
      return -ENOSPC;
    }
    events.setRange(first, block);
    return device.lpiBase + first;
  }

  /**
   * its_irq_domain_free for `count` LPIs of one descriptor. The kernel's core frees them one by
   * one, so that of a run that was rounded up the tail stays marked for ever.
   */
  freeEvents(irqs: ClientIrqs, lpi: number, count: number): void {
    const device = this.#devices.get(irqs);
    assert(device !== undefined, () => `${irqs.client.bdf} frees events and has none`);
    const { fixed, teardownWithDomain } = this.#options;
    const whole = fixed.includes("its-msi-frees-part");
    device.events.clearRange(lpi - device.lpiBase, whole ? roundUpPowerOfTwo(count) : count);
    if (!teardownWithDomain && !device.shared && device.events.weight === 0) this.#free(device);
  }

  /** its_msi_teardown, when the function's MSI domain goes. */
  teardown(irqs: ClientIrqs): void {
    const device = this.#devices.get(irqs);
    if (device === undefined || !this.#options.teardownWithDomain || device.shared) return;
    if (device.events.weight > 0) {
      const text = "WARNING: drivers/irqchip/irq-gic-v3-its.c at its_msi_teardown";
      if (!this.#warned) this.#options.tracer.emit("printk", { text });
      this.#warned = true;
      return;
    }
    this.#free(device);
  }

  #createDevice(irqs: ClientIrqs, vectors: number): boolean {
    const { tracer, shortages } = this.#options;
    const name = irqs.client.fn.name;
    tracer.emit("its_create_device", { device: name, nvecs: vectors });
    const block = this.#ranges.allocHalving(vectors);
    const { base, count } = block ?? { base: 0, count: 0 };
    tracer.emit("its_create_device_return", { device: name, base, nr: count });
    const short = count < vectors ? this.#lpisShort(irqs, vectors, count) : null;
    if (short !== null) shortages.note("its_lpi_alloc_short", short);
    if (block === null) return false;
    this.#devices.set(irqs, new ItsDevice(irqs, base, count, short));
    return true;
  }

  #free(device: ItsDevice): void {
    const { lpiBase, lpis, irqs } = device;
    this.#options.tracer.emit("free_lpi_range", { base: lpiBase, nr: lpis });
    this.#ranges.release(lpiBase, lpis);
    this.#devices.delete(irqs);
  }

  /** What the kernel does not say: why a block is small, and who sits on the LPIs. */
  #lpisShort(asker: ClientIrqs, asked: number, largest: number): Shortage {
    let most: Holder = BOOT_HOLDER;
    let mostEntries = 0;
    for (const { irqs, lpis } of this.#devices.values()) {
      if (lpis > mostEntries) [most, mostEntries] = [irqs, lpis];
    }
    const used = this.used - largest;
    const { size, name: table } = this;
    const blocks = [...this.#devices.values()].map(({ irqs, lpis }) => [irqs, lpis] as const);
    const mostOwner = mostByOwner(blocks, mostEntries);
    return { table, size, used, asked, largest, for: asker.name, most, mostEntries, mostOwner };
  }

  /** The function's own block has no room: it was granted short, or a leak blocks a part of it. */
  #eventsShort({ irqs, events, lpis: size, short }: ItsDevice, asked: number): void {
    const { shortages } = this.#options;
    const leaked = events.weight - irqs.count;
    shortages.note("its_alloc_device_irq_failed", {
      table: `${this.name} events of ${irqs.name}`,
      size,
      used: events.weight,
      asked,
      largest: longestBlock(events, asked),
      for: irqs.name,
      most: leaked > 0 ? { name: `${irqs.name}, leaked`, armed: () => 0 } : irqs,
      mostEntries: leaked > 0 ? leaked : irqs.count,
    });
    if (short !== null && leaked === 0) shortages.because(short);
  }
}

/** The largest aligned power of two of free events below `asked`. */
function longestBlock(events: Bitmap, asked: number): number {
  let block = 2 ** (31 - Math.clz32(asked));
  while (block >= 1 && events.findZeroArea(block, block) < 0) block = Math.floor(block / 2);
  return block;
}
