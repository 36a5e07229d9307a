/** A device's interrupt vectors in the guest (drivers/pci/msi, kernel/irq/manage.c and chip.c). */
import { assert } from "../../src/base/assert.ts";
import { EINVAL, ENOSPC } from "../../src/base/errno.ts";
import { type IrqKind, rowOf } from "../../src/measure/rows.ts";
import type { Process } from "../../src/time/process.ts";
import type { Affinity, DriverVectors } from "./driver-vectors.ts";
import {
  IoapicPin,
  type IrqChip,
  MsiCapability,
  MsixTable,
  NO_SLOT,
  SHUTDOWN_SLOT,
} from "./irq-chip.ts";
import type { IrqHandler, IrqTable } from "./irq-table.ts";
import type { PciDevice } from "./pci-device.ts";
import {
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
  PCI_MSIX_FLAGS_QSIZE,
  PCI_MSIX_TABLE,
  PCI_MSIX_TABLE_BIR,
} from "./pci-regs.ts";
import type { Slot, VectorMatrix } from "./vector-matrix.ts";

/** What the irq core of one booted kernel shares between devices. */
export interface IrqCore {
  readonly matrix: VectorMatrix;
  readonly table: IrqTable;
  /** Ascending; changes with CPU hotplug. */
  readonly online: readonly number[];
}

interface GuestIrq {
  /** vCPUs of a managed irq; null for one that may go anywhere. */
  readonly affinity: readonly number[] | null;
  readonly row: number;
  handler: IrqHandler | null;
  slot: Slot;
  /** Where it was before it moved: an interrupt may still be on its way there. */
  oldSlot: Slot;
}

export class IrqVectors implements DriverVectors {
  readonly #dev: PciDevice;
  readonly #core: IrqCore;
  #mode: IrqKind | null = null;
  #chip: IrqChip | null = null;
  #cap = 0;
  #irqs: GuestIrq[] = [];

  constructor(dev: PciDevice, core: IrqCore) {
    this.#dev = dev;
    this.#core = core;
  }

  get mode(): IrqKind | null {
    return this.#mode;
  }

  get count(): number {
    return this.#irqs.length;
  }

  /** Entries of the MSI-X table, or 0 without the capability. */
  *msixCount(): Process<number> {
    const cap = yield* this.#dev.findCapability(PCI_CAP_ID_MSIX);
    if (cap === 0) return 0;
    return ((yield* this.#dev.read(cap + PCI_MSIX_FLAGS, 2)) & PCI_MSIX_FLAGS_QSIZE) + 1;
  }

  /**
   * pci_alloc_irq_vectors of one kind: how many there are now, or a negative errno. `affinity` has
   * a mask for each managed vector; its length is the number wanted.
   */
  *alloc(mode: IrqKind, affinity: Affinity): Process<number> {
    assert(this.#mode === null, "interrupt vectors are freed before others are allocated");
    if (mode === "msix") return yield* this.#allocMsix(affinity);
    return mode === "msi" ? yield* this.#allocMsi() : yield* this.#allocIntx();
  }

  /** msix_capability_init. */
  *#allocMsix(affinity: Affinity): Process<number> {
    const dev = this.#dev;
    const cap = yield* dev.findCapability(PCI_CAP_ID_MSIX);
    if (cap === 0) return -EINVAL;
    const flags = yield* dev.read(cap + PCI_MSIX_FLAGS, 2);
    const entries = (flags & PCI_MSIX_FLAGS_QSIZE) + 1;
    if (affinity.length > entries) return -EINVAL;
    const place = yield* dev.read(cap + PCI_MSIX_TABLE, 4);
    const chip = new MsixTable(
      dev,
      place & PCI_MSIX_TABLE_BIR,
      (place & ~PCI_MSIX_TABLE_BIR) >>> 0,
    );
    const enabled = flags | PCI_MSIX_FLAGS_ENABLE;
    yield* dev.write(cap + PCI_MSIX_FLAGS, 2, enabled | PCI_MSIX_FLAGS_MASKALL);
    if (this.#reserve("msix", affinity) !== 0) {
      yield* dev.write(cap + PCI_MSIX_FLAGS, 2, flags);
      return -ENOSPC;
    }
    this.#cap = cap;
    this.#chip = chip;
    this.#mode = "msix";
    for (let v = 0; v < affinity.length; v++) yield* chip.write(v, SHUTDOWN_SLOT);
    yield* dev.intx(false);
    // Entries may hold whatever a crashed kernel left: mask them before MaskAll goes.
    for (let v = 0; v < entries; v++) yield* chip.mask(v);
    yield* dev.write(cap + PCI_MSIX_FLAGS, 2, enabled & ~PCI_MSIX_FLAGS_MASKALL);
    return affinity.length;
  }

  /** msi_capability_init. The vector is taken at once: without a mask bit there is no later. */
  *#allocMsi(): Process<number> {
    const dev = this.#dev;
    const cap = yield* dev.findCapability(PCI_CAP_ID_MSI);
    if (cap === 0) return -EINVAL;
    const flags = yield* dev.read(cap + PCI_MSI_FLAGS, 2);
    const chip = new MsiCapability(dev, cap, flags);
    yield* dev.write(cap + PCI_MSI_FLAGS, 2, flags & ~PCI_MSI_FLAGS_ENABLE);
    this.#reserve("msi", [null]);
    const irq = this.#irqs[0]!;
    if (!this.#place(irq, chip.level)) {
      this.#irqs = [];
      return -ENOSPC;
    }
    yield* chip.mask(0);
    yield* chip.write(0, irq.slot);
    yield* dev.intx(false);
    yield* this.#setMsiEnable(cap, true);
    this.#cap = cap;
    this.#chip = chip;
    this.#mode = "msi";
    return 1;
  }

  *#allocIntx(): Process<number> {
    this.#reserve("intx", [null]);
    this.#chip = new IoapicPin(this.#dev);
    this.#mode = "intx";
    yield* this.#dev.intx(true);
    return 1;
  }

  *#setMsiEnable(cap: number, on: boolean): Process {
    const flags = yield* this.#dev.read(cap + PCI_MSI_FLAGS, 2);
    const off = flags & ~PCI_MSI_FLAGS_ENABLE;
    yield* this.#dev.write(cap + PCI_MSI_FLAGS, 2, on ? off | PCI_MSI_FLAGS_ENABLE : off);
  }

  /** Descriptors of all vectors, and the managed ones' bits: 0 or -ENOSPC and nothing. */
  #reserve(kind: IrqKind, affinity: Affinity): number {
    const irqs: GuestIrq[] = [];
    for (const [vector, mask] of affinity.entries()) {
      if (mask !== null && this.#core.matrix.reserveManaged(mask) !== 0) {
        for (const irq of irqs)
          if (irq.affinity !== null) this.#core.matrix.removeManaged(irq.affinity);
        return -ENOSPC;
      }
      const row = rowOf(this.#dev.fn.rows, kind, vector);
      irqs.push({ affinity: mask, row, handler: null, slot: NO_SLOT, oldSlot: NO_SLOT });
    }
    this.#irqs = irqs;
    return 0;
  }

  /** Takes a vector for the irq on an online vCPU it may use; false if there is none. */
  #place(irq: GuestIrq, level: boolean): boolean {
    const { matrix, table, online } = this.#core;
    const { affinity } = irq;
    const slot =
      affinity === null
        ? matrix.alloc(online)
        : matrix.allocManaged(affinity.filter((vcpu) => online.includes(vcpu)));
    if (slot < 0) return false;
    irq.slot = slot;
    table.assign(slot, irq.row, level);
    table.setHandler(slot, irq.handler);
    return true;
  }

  #release(irq: GuestIrq): void {
    const { matrix, table } = this.#core;
    if (irq.slot === NO_SLOT) return;
    table.setHandler(irq.slot, null);
    matrix.free(irq.slot);
    irq.slot = NO_SLOT;
  }

  /** request_irq: 0, or -ENOSPC without a vector. The irq may fire before this returns. */
  *request(vector: number, handler: IrqHandler): Process<number> {
    const irq = this.#irqs[vector]!;
    assert(irq.handler === null, () => `vector ${vector} is requested already`);
    irq.handler = handler;
    if (this.#offline(irq)) return 0;
    return yield* this.#startup(vector, irq);
  }

  /** A managed irq whose vCPUs are all offline waits for one of them. */
  #offline(irq: GuestIrq): boolean {
    return irq.affinity?.every((vcpu) => !this.#core.online.includes(vcpu)) ?? false;
  }

  /** irq_startup: activation writes the message, and starting up writes it again. */
  *#startup(vector: number, irq: GuestIrq): Process<number> {
    const chip = this.#chip!;
    if (irq.slot === NO_SLOT) {
      if (!this.#place(irq, chip.level)) {
        irq.handler = null;
        return -ENOSPC;
      }
      yield* chip.write(vector, irq.slot);
    } else this.#core.table.setHandler(irq.slot, irq.handler);
    if (!chip.level) yield* chip.write(vector, irq.slot);
    yield* chip.unmask(vector);
    return 0;
  }

  /** free_irq: the handler is gone before the vector is masked, as in __free_irq. */
  *free(vector: number): Process {
    const irq = this.#irqs[vector]!;
    if (irq.handler === null) return;
    irq.handler = null;
    this.#forgetOldSlot(irq);
    if (irq.slot === NO_SLOT) return;
    this.#core.table.setHandler(irq.slot, null);
    yield* this.#chip!.mask(vector);
    yield* this.#chip!.write(vector, NO_SLOT);
    this.#release(irq);
  }

  /** pci_free_irq_vectors. */
  *freeAll(): Process {
    const mode = this.#mode;
    if (mode === null) return;
    const dev = this.#dev;
    if (mode === "msix") {
      for (let v = 0; v < this.#irqs.length; v++) yield* this.#chip!.mask(v);
      const flags = yield* dev.read(this.#cap + PCI_MSIX_FLAGS, 2);
      const off = PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL;
      yield* dev.write(this.#cap + PCI_MSIX_FLAGS, 2, flags & ~off);
    } else if (mode === "msi") yield* this.#setMsiEnable(this.#cap, false);
    if (mode !== "intx") yield* dev.intx(true);
    for (const irq of this.#irqs) {
      this.#release(irq);
      if (irq.affinity !== null) this.#core.matrix.removeManaged(irq.affinity);
    }
    this.#irqs = [];
    this.#chip = null;
    this.#mode = null;
  }

  /** fixup_irqs of one vCPU that has just left `online`: its irqs move, or are shut down. */
  *cpuOffline(vcpu: number): Process {
    for (const [vector, irq] of this.#irqs.entries()) {
      if (irq.slot === NO_SLOT || irq.slot >> 8 !== vcpu) continue;
      if (this.#offline(irq)) yield* this.#shutdown(vector, irq);
      else yield* this.#move(vector, irq);
    }
  }

  /** irq_restore_affinity_of_irq: a managed irq that was shut down starts again. */
  *cpuOnline(vcpu: number): Process<number> {
    for (const [vector, irq] of this.#irqs.entries()) {
      if (irq.handler === null || irq.slot !== NO_SLOT) continue;
      if (irq.affinity?.includes(vcpu) !== true) continue;
      const started = yield* this.#startup(vector, irq);
      if (started < 0) return started;
    }
    return 0;
  }

  /** irq_shutdown_and_deactivate: masked by the hotplug core and again by the shutdown. */
  *#shutdown(vector: number, irq: GuestIrq): Process {
    const chip = this.#chip!;
    yield* chip.mask(vector);
    yield* chip.mask(vector);
    yield* chip.write(vector, NO_SLOT);
    this.#release(irq);
  }

  /**
   * migrate_one_irq. With both vCPU and vector new, the message is written in two steps
   * (msi_set_affinity), so that a torn one still names a vector the kernel knows.
   */
  *#move(vector: number, irq: GuestIrq): Process {
    const chip = this.#chip!;
    const from = irq.slot;
    yield* chip.mask(vector);
    this.#forgetOldSlot(irq);
    if (!this.#place(irq, chip.level)) {
      yield* chip.unmask(vector);
      return;
    }
    this.#core.matrix.free(from);
    irq.oldSlot = from;
    const between = (from & ~0xff) | (irq.slot & 0xff);
    if (between !== from && between !== irq.slot) yield* chip.write(vector, between);
    yield* chip.write(vector, irq.slot);
    yield* chip.unmask(vector);
  }

  /** The vector it had before the last move may have been given to another irq since. */
  #forgetOldSlot(irq: GuestIrq): void {
    const { table } = this.#core;
    if (irq.oldSlot !== NO_SLOT && table.rows[irq.oldSlot] === irq.row) {
      table.setHandler(irq.oldSlot, null);
    }
    irq.oldSlot = NO_SLOT;
  }
}
