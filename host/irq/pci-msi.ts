/**
 * MSI and MSI-X of one function: enable, growth, disable, with the register writes in the kernel's
 * order (drivers/pci/msi/api.c, msi.c, irqdomain.c; Linux 6.1 and 6.12).
 */
import { EINVAL, ENOSPC, ERANGE } from "../../src/base/errno.ts";
import type { MsiCapability } from "../../src/pci/msi.ts";
import type { MsixCapability } from "../../src/pci/msix.ts";
import type { Costs } from "../../src/time/costs.ts";
import { type Process, sleep } from "../../src/time/process.ts";
import type { ClientIrqs } from "./irq-desc.ts";
import { type MsiParent, roundUpPowerOfTwo } from "./msi-parent.ts";
import type { IrqPool } from "./types.ts";

/** Vectors between two points where others may run: 2,048 vectors are not 2,048 events. */
const BATCH = 32;

export class PciMsi {
  readonly #domain: MsiParent;
  readonly #costs: Costs;
  /** Domain costs of one vector more, and one less. */
  readonly #allocNs: number;
  readonly #freeNs: number;
  /** See IrqPool. */
  relief: IrqPool["relief"] = null;

  constructor(domain: MsiParent, costs: Costs) {
    this.#domain = domain;
    this.#costs = costs;
    this.#allocNs = costs.irqAlloc + domain.vectorNs;
    this.#freeNs = costs.irqFree + domain.vectorNs;
  }

  /** __pci_enable_msix_range: vectors granted, -ENOSPC, -ENOMEM, -ENODEV, -ERANGE, -EINVAL. */
  *enableMsixRange(irqs: ClientIrqs, min: number, max: number): Process<number> {
    const { msix, powerState } = irqs.client.fn;
    if (max < min) return -ERANGE;
    if (irqs.kind !== null || msix === null || powerState !== 0) return -EINVAL;
    const setup = this.#domain.setupDeviceDomain(irqs, "msix");
    if (setup < 0) return setup;
    let nvec = Math.min(max, msix.vectors);
    for (;;) {
      if (nvec < min) return -ENOSPC;
      const result = yield* this.#msixCapabilityInit(irqs, msix, nvec);
      if (result === 0) return nvec;
      if (result < 0) return result;
      nvec = result;
    }
  }

  /** __pci_enable_msi_range: as above. Without an aligned block the second try is for one. */
  *enableMsiRange(irqs: ClientIrqs, min: number, max: number): Process<number> {
    const { msi, powerState } = irqs.client.fn;
    if (irqs.kind !== null || msi === null || powerState !== 0) return -EINVAL;
    if (max < min) return -ERANGE;
    const setup = this.#domain.setupDeviceDomain(irqs, "msi");
    if (setup < 0) return setup;
    let nvec = Math.min(max, msi.vectors);
    for (;;) {
      if (nvec < min) return -ENOSPC;
      const result = yield* this.#msiCapabilityInit(irqs, msi, nvec);
      if (result === 0) return nvec;
      if (result < 0) return result;
      nvec = result;
    }
  }

  /** pci_msix_alloc_irq_at while MSI-X is on: 0, -ENOSPC, or -EINVAL for an index it has not. */
  *msixAllocIrqAt(irqs: ClientIrqs, index: number): Process<number> {
    const { msix } = irqs.client.fn;
    if (irqs.kind !== "msix" || msix === null) return -EINVAL;
    if (index < 0 || index >= msix.vectors || irqs.holds(index)) return -EINVAL;
    yield* sleep(this.#allocNs);
    if (this.relief !== null) yield* this.#makeRoom(irqs, 1);
    return this.#allocEntry(irqs, msix, index);
  }

  /** Before `count` entries in a row cannot be had, others give back what they do not need. */
  *#makeRoom(irqs: ClientIrqs, count: number): Process {
    while (this.relief !== null && !this.#domain.fits(irqs, count)) {
      if (!(yield* this.relief(irqs.client))) return;
    }
  }

  /** pci_msix_free_irq: one index, MSI-X stays on. */
  *msixFreeIrq(irqs: ClientIrqs, index: number): Process {
    if (irqs.kind !== "msix" || !irqs.holds(index)) return;
    this.#domain.freeDesc(irqs, index, 1);
    yield* sleep(this.#freeNs);
  }

  /** pci_free_irq_vectors: pci_disable_msix or pci_disable_msi. */
  *disable(irqs: ClientIrqs): Process {
    if (irqs.kind === null) return;
    const { fn } = irqs.client;
    // pci_msix_shutdown and pci_msi_shutdown: quiet first, then INTx may come back.
    if (irqs.kind === "msix") {
      for (const index of irqs.indexes()) fn.msix!.setVectorMask(index, true);
      fn.msix!.setControl(false);
    } else {
      fn.msi!.setControl(false);
    }
    fn.setIntxDisable(false);
    if (irqs.kind === "msi") maskMsi(fn.msi!, false);
    try {
      yield* sleep(2 * this.#costs.configAccess);
      yield* this.#freeInSteps(irqs);
    } finally {
      this.#freeAll(irqs);
    }
  }

  /** msix_capability_init: 0, or how many could be had, or -ENOSPC; then nothing is held. */
  *#msixCapabilityInit(irqs: ClientIrqs, msix: MsixCapability, nvec: number): Process<number> {
    msix.setControl(true, true);
    irqs.kind = "msix";
    let result: number = -ENOSPC;
    // A killed task must not leave the function half set up: hence finally, also for failures.
    try {
      yield* sleep(2 * this.#costs.configAccess);
      result = yield* this.#msixSetupInterrupts(irqs, msix, nvec);
      if (result !== 0) return result;
      irqs.client.fn.setIntxDisable(true);
      // Also entries that no irq has: a crash kernel must not be hit by what an old one left.
      for (let index = 0; index < msix.vectors; index++) msix.setVectorMask(index, true);
      msix.setControl(true, false);
      return 0;
    } finally {
      if (result !== 0) {
        this.#freeAll(irqs);
        msix.setControl(false, false);
      }
    }
  }

  /** msix_setup_interrupts: every vector in turn, up to the first that cannot be had. */
  *#msixSetupInterrupts(irqs: ClientIrqs, msix: MsixCapability, nvec: number): Process<number> {
    for (let index = 0; index < nvec; index++) {
      if (index % BATCH === 0) yield* sleep(Math.min(BATCH, nvec - index) * this.#allocNs);
      if (this.relief !== null) yield* this.#makeRoom(irqs, 1);
      // In one breath with the first vector: who is killed has prepared and used, or neither.
      const prepared = index === 0 ? this.#domain.prepare(irqs, "msix", nvec) : 0;
      if (prepared < 0) return prepared;
      const result = this.#allocEntry(irqs, msix, index);
      // msi_handle_pci_fail: the caller may try again with as many as there were.
      if (result < 0) return index > 0 ? index : result;
    }
    return 0;
  }

  #allocEntry(irqs: ClientIrqs, msix: MsixCapability, index: number): number {
    const result = this.#domain.allocDesc(irqs, index, 1);
    if (result < 0) return result;
    // Activated early, but only with a reservation: the message points to no vector of its own.
    this.#writeMsixMessage(irqs, msix, index);
    return 0;
  }

  #writeMsixMessage(irqs: ClientIrqs, msix: MsixCapability, index: number): void {
    const { address, data } = this.#domain.composeMessage(irqs, index);
    msix.writeMessage(index, address, 0, data);
  }

  /** msi_capability_init: 0; 1 if a block of nvec is not to be had; -ENOSPC. */
  *#msiCapabilityInit(irqs: ClientIrqs, msi: MsiCapability, nvec: number): Process<number> {
    msi.setControl(false);
    irqs.kind = "msi";
    maskMsi(msi, true);
    let result: number = -ENOSPC;
    try {
      yield* sleep(2 * this.#costs.configAccess + nvec * this.#allocNs);
      if (nvec === 1 || this.#domain.multiMsi) yield* this.#makeRoom(irqs, nvec);
      result = this.#msiSetupIrqs(irqs, msi, nvec);
      if (result !== 0) return result;
      irqs.client.fn.setIntxDisable(true);
      msi.setControl(true);
      return 0;
    } finally {
      if (result !== 0) {
        maskMsi(msi, false);
        this.#freeAll(irqs);
      }
    }
  }

  #msiSetupIrqs(irqs: ClientIrqs, msi: MsiCapability, nvec: number): number {
    if (nvec > 1 && !this.#domain.multiMsi) return 1;
    const prepared = this.#domain.prepare(irqs, "msi", nvec);
    if (prepared < 0) return prepared;
    const allocated = this.#domain.allocDesc(irqs, 0, nvec);
    if (allocated < 0) return nvec > 1 ? 1 : allocated;
    if (msi.maskable) {
      this.#writeMsiMessage(irqs, msi, nvec);
      return 0;
    }
    for (let index = 0; index < nvec; index++) {
      // msi_check_reservation_mode: what cannot be masked must have its vector now.
      const assigned = this.#domain.assignVector(irqs, index);
      if (assigned < 0) return assigned;
      irqs.activate(index);
      if (index === 0) this.#writeMsiMessage(irqs, msi, nvec);
    }
    return 0;
  }

  #writeMsiMessage(irqs: ClientIrqs, msi: MsiCapability, nvec: number): void {
    const { address, data } = this.#domain.composeMessage(irqs, 0);
    msi.setControl(undefined, roundUpPowerOfTwo(nvec));
    msi.writeMessage(address, 0, data);
  }

  /**
   * irq_startup after activation: the message as it is now, then the mask. Call with the action in
   * place, since unmasking sends what the function held back.
   */
  startup(irqs: ClientIrqs, index: number): void {
    const { msi, msix } = irqs.client.fn;
    if (irqs.kind === "msix") {
      this.#writeMsixMessage(irqs, msix!, index);
      msix!.setVectorMask(index, false);
    } else {
      if (index === 0) this.#writeMsiMessage(irqs, msi!, irqs.count);
      msi!.setVectorMask(index, false);
    }
  }

  /** irq_shutdown: masks, where the function can. */
  shutdown(irqs: ClientIrqs, index: number): void {
    const { msi, msix } = irqs.client.fn;
    if (irqs.kind === "msix") msix!.setVectorMask(index, true);
    else msi!.setVectorMask(index, true);
  }

  /** True if the irq is content with a reservation while it has no action. */
  canReserve(irqs: ClientIrqs): boolean {
    return irqs.kind === "msix" || irqs.client.fn.msi!.maskable;
  }

  *#freeInSteps(irqs: ClientIrqs): Process {
    if (irqs.kind === "msi") {
      yield* sleep(irqs.count * this.#freeNs);
      return;
    }
    const indexes = irqs.indexes();
    for (let i = 0; i < indexes.length; i++) {
      if (i % BATCH === 0) yield* sleep(Math.min(BATCH, indexes.length - i) * this.#freeNs);
      this.#domain.freeDesc(irqs, indexes[i]!, 1);
    }
  }

  /** Everything the function still holds, at once; its mode is then off. */
  #freeAll(irqs: ClientIrqs): void {
    if (irqs.kind === "msi" && irqs.count > 0) this.#domain.freeDesc(irqs, 0, irqs.count);
    for (const index of irqs.indexes()) this.#domain.freeDesc(irqs, index, 1);
    irqs.kind = null;
  }
}

/** pci_msi_mask and pci_msi_unmask of all vectors; nothing happens without mask bits. */
function maskMsi(msi: MsiCapability, masked: boolean): void {
  for (let vector = 0; vector < msi.vectors; vector++) msi.setVectorMask(vector, masked);
}
