/**
 * PCI MSI and MSI-X over a GICv3 ITS (drivers/irqchip/irq-gic-v3-its-msi-parent.c; before Linux
 * 6.11 irq-gic-v3-its-pci-msi.c).
 */
import { ENODEV } from "../../src/base/errno.ts";
import type { KernelProfile } from "../kernel-profile.ts";
import type { GicIts } from "./gic-its.ts";
import type { ClientIrqs } from "./irq-desc.ts";
import type { IrqNumbers } from "./irq-numbers.ts";
import {
  type MsiMessage,
  type MsiParent,
  roundUpPowerOfTwo,
  type SharedEntryTable,
} from "./msi-parent.ts";
import type { PoolSamples } from "./pool-samples.ts";

/** GITS_TRANSLATER of the recorded machine: the frame at 0x08090000 and the register in it. */
const GITS_TRANSLATER = 0x08090040;

export class ItsMsiDomain implements MsiParent {
  readonly multiMsi = true;
  readonly dynamicMsix = false;
  /** A command in the ITS's queue; the kernel does not tell its cost from irq_alloc's. */
  readonly vectorNs = 0;
  readonly its: GicIts;
  readonly #blocks: KernelProfile["itsBlocks"];
  readonly #numbers: IrqNumbers;
  readonly #samples: PoolSamples;
  /** Kind of MSI domain that a function has now, for kernels that keep one. */
  readonly #domains = new Map<ClientIrqs, "msi" | "msix">();

  constructor(
    its: GicIts,
    blocks: KernelProfile["itsBlocks"],
    numbers: IrqNumbers,
    samples: PoolSamples,
  ) {
    this.its = its;
    this.#blocks = blocks;
    this.#numbers = numbers;
    this.#samples = samples;
  }

  /** The LPIs come with the domain where kernels do it so: -ENODEV where there are none. */
  setupDeviceDomain(irqs: ClientIrqs, kind: "msi" | "msix"): number {
    if (this.#blocks !== "domain" || this.#domains.get(irqs) === kind) return 0;
    this.removeDeviceDomain(irqs);
    if (this.its.prepare(irqs, roundUpPowerOfTwo(vectorsOf(irqs, kind))) < 0) return -ENODEV;
    this.#domains.set(irqs, kind);
    this.#changed(irqs);
    return 0;
  }

  prepare(irqs: ClientIrqs, kind: "msi" | "msix", count: number): number {
    if (this.#blocks === "domain") return 0;
    const table = this.#blocks === "table" && kind === "msix";
    const size = table ? Math.max(count, vectorsOf(irqs, kind)) : count;
    const result = this.its.prepare(irqs, roundUpPowerOfTwo(size));
    this.#changed(irqs);
    return result;
  }

  removeDeviceDomain(irqs: ClientIrqs): void {
    if (!this.#domains.delete(irqs)) return;
    this.its.teardown(irqs);
    this.#changed(irqs);
  }

  /** Single irqs are never given back here, so that nobody could make room. */
  fits(): boolean {
    return true;
  }

  tableOf(): SharedEntryTable {
    return this.its;
  }

  allocDesc(irqs: ClientIrqs, first: number, count: number): number {
    const lpi = this.its.allocEvents(irqs, count);
    if (lpi < 0) return lpi;
    const virq = this.#numbers.alloc(count);
    for (let i = 0; i < count; i++) irqs.add(first + i, virq + i);
    irqs.irtes[first] = lpi;
    this.#samples.irqs += count;
    this.#changed(irqs);
    return 0;
  }

  freeDesc(irqs: ClientIrqs, first: number, count: number): void {
    const virq = irqs.virqs[first]!;
    for (let index = first; index < first + count; index++) irqs.remove(index);
    this.its.freeEvents(irqs, irqs.irtes[first]!, count);
    irqs.irtes[first] = -1;
    this.#numbers.free(virq, count);
    this.#samples.irqs -= count;
    this.#changed(irqs);
  }

  #changed(irqs: ClientIrqs): void {
    irqs.held.addEntries((this.its.device(irqs)?.lpis ?? 0) - irqs.held.entries);
    this.#samples.changed(irqs.client.fn.name);
  }

  /** An LPI is routed by a table in memory: there is nothing to run out of. */
  assignVector(): number {
    return 0;
  }

  returnVector(): void {}

  composeMessage(irqs: ClientIrqs, index: number): MsiMessage {
    const { lpiBase } = this.its.device(irqs)!;
    return { address: GITS_TRANSLATER, data: irqs.irtes[index]! - lpiBase };
  }
}

/** What the function's capability offers. */
function vectorsOf(irqs: ClientIrqs, kind: "msi" | "msix"): number {
  const { msi, msix } = irqs.client.fn;
  return (kind === "msi" ? msi?.vectors : msix?.vectors) ?? 0;
}
