/** A device's interrupt vectors in the guest (drivers/pci/msi, kernel/irq/manage.c and chip.c). */
import { assert } from "../../src/base/assert.ts";
import { EBUSY, EINVAL, ENOSPC } from "../../src/base/errno.ts";
import { type IrqKind, rowOf } from "../../src/measure/rows.ts";
import type { Process } from "../../src/time/process.ts";
import type { Affinity, DriverVectors } from "./driver-vectors.ts";
import type { GuestIrq, IrqCore } from "./guest-irq.ts";
import {
  IoapicPin,
  type IrqChip,
  MsiCapability,
  MsixTable,
  NO_SLOT,
  SHUTDOWN_SLOT,
} from "./irq-chip.ts";
import { IrqDomain } from "./irq-domain.ts";
import { IrqMover } from "./irq-mover.ts";
import type { IrqHandler } from "./irq-table.ts";
import { MaskedHandler } from "./masked-handler.ts";
import type { PciDevice } from "./pci-device.ts";
import {
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_COMMAND,
  PCI_COMMAND_MEMORY,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_QMASK,
  PCI_MSI_FLAGS_QMASK_SHIFT,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
  PCI_MSIX_FLAGS_QSIZE,
  PCI_MSIX_TABLE,
  PCI_MSIX_TABLE_BIR,
} from "./pci-regs.ts";

export class IrqVectors implements DriverVectors {
  readonly device: string;
  readonly #dev: PciDevice;
  readonly #domain: IrqDomain;
  #mode: IrqKind | null = null;
  #chip: IrqChip | null = null;
  #mover: IrqMover | null = null;
  #cap = 0;
  /** Size of the MSI-X table. */
  #entries = 0;
  #irqs: GuestIrq[] = [];

  constructor(dev: PciDevice, core: IrqCore) {
    this.device = dev.name;
    this.#dev = dev;
    this.#domain = new IrqDomain(core, dev.name, dev.vm.remapping ?? null);
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
    return yield* mode === "msi" ? this.#allocMsi(affinity) : this.#allocIntx();
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
      const off = PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL;
      yield* dev.write(cap + PCI_MSIX_FLAGS, 2, flags & ~off);
      return -ENOSPC;
    }
    this.#set("msix", chip, cap);
    this.#entries = entries;
    for (const irq of this.#irqs) yield* this.#domain.write(chip, irq, SHUTDOWN_SLOT);
    yield* dev.intx(false);
    // Entries may hold whatever a crashed kernel left: mask them before MaskAll goes.
    for (let v = 0; v < entries; v++) yield* chip.mask(v);
    yield* dev.write(cap + PCI_MSIX_FLAGS, 2, enabled & ~PCI_MSIX_FLAGS_MASKALL);
    return affinity.length;
  }

  /** msi_capability_init. Only a guest that remaps interrupts gets more than one. */
  *#allocMsi(affinity: Affinity): Process<number> {
    const dev = this.#dev;
    const cap = yield* dev.findCapability(PCI_CAP_ID_MSI);
    if (cap === 0) return -EINVAL;
    const flags = yield* dev.read(cap + PCI_MSI_FLAGS, 2);
    const offered = 2 ** ((flags & PCI_MSI_FLAGS_QMASK) >> PCI_MSI_FLAGS_QMASK_SHIFT);
    const count = this.#domain.isRemapped ? Math.min(affinity.length, offered) : 1;
    const chip = new MsiCapability(dev, cap, flags, Math.ceil(Math.log2(count)));
    yield* dev.write(cap + PCI_MSI_FLAGS, 2, flags & ~PCI_MSI_FLAGS_ENABLE);
    yield* chip.maskAll(true);
    if (this.#reserve("msi", affinity.slice(0, count)) !== 0) return -ENOSPC;
    if (!(yield* this.#activate(chip))) return -ENOSPC;
    yield* dev.intx(false);
    yield* this.#setMsiEnable(cap, true);
    this.#set("msi", chip, cap);
    return count;
  }

  /** Without a mask bit vectors are taken at once: there is no later. False if there are none. */
  *#activate(chip: MsiCapability): Process<boolean> {
    for (const irq of this.#irqs) {
      if (!chip.maskable) {
        const vcpus = this.#domain.allowed(irq);
        if (!(yield* this.#domain.place(irq, chip.level, vcpus))) {
          yield* this.#forgetAll();
          return false;
        }
      }
      const slot = chip.maskable ? SHUTDOWN_SLOT : irq.slot;
      yield* this.#domain.write(chip, irq, slot);
    }
    return true;
  }

  *#allocIntx(): Process<number> {
    this.#reserve("intx", [null]);
    this.#set("intx", new IoapicPin(this.#dev), 0);
    yield* this.#dev.intx(true);
    return 1;
  }

  #set(mode: IrqKind, chip: IrqChip, cap: number): void {
    this.#mode = mode;
    this.#chip = chip;
    this.#cap = cap;
    const { device } = this;
    const startup = (irq: GuestIrq): Process<number> => this.#startup(irq);
    this.#mover = new IrqMover(this.#domain, chip, { device, startup });
  }

  *#setMsiEnable(cap: number, on: boolean): Process {
    const flags = yield* this.#dev.read(cap + PCI_MSI_FLAGS, 2);
    const off = flags & ~PCI_MSI_FLAGS_ENABLE;
    yield* this.#dev.write(cap + PCI_MSI_FLAGS, 2, on ? off | PCI_MSI_FLAGS_ENABLE : off);
  }

  /** Descriptors of all vectors, and the managed ones' bits: 0 or -ENOSPC and nothing. */
  #reserve(kind: IrqKind, affinity: Affinity): number {
    const { matrix } = this.#domain.core;
    const irqs: GuestIrq[] = [];
    for (const [vector, managed] of affinity.entries()) {
      if (managed !== null && matrix.reserveManaged(managed) !== 0) {
        for (const irq of irqs) this.#domain.forget(irq);
        return -ENOSPC;
      }
      irqs.push(this.#descriptor(kind, vector, managed));
    }
    this.#irqs = irqs;
    return 0;
  }

  #descriptor(kind: IrqKind, vector: number, managed: readonly number[] | null): GuestIrq {
    const { irqNumbers } = this.#domain.core;
    return {
      vector,
      number: kind === "intx" ? -1 : irqNumbers.take(),
      managed,
      row: rowOf(this.#dev.fn.rows, kind, vector),
      entry: kind === "intx" ? -1 : this.#domain.takeEntry(vector),
      handler: null,
      slot: NO_SLOT,
      oldSlot: NO_SLOT,
      affinity: null,
      pending: null,
      isMoving: false,
    };
  }

  /** pci_msix_alloc_irq_at: a descriptor more; what it is for is written to its entry. */
  *allocLate(): Process<number> {
    const chip = this.#chip;
    if (this.#mode !== "msix" || chip === null) return -EINVAL;
    const vector = this.#irqs.length;
    if (vector >= this.#entries) return -EBUSY;
    const irq = this.#descriptor("msix", vector, null);
    this.#irqs.push(irq);
    yield* this.#domain.write(chip, irq, SHUTDOWN_SLOT);
    return vector;
  }

  /** pci_msix_free_irq: MSI-X stays on. */
  *freeLate(vector: number): Process {
    assert(vector === this.#irqs.length - 1, "vectors that came late go in reverse order");
    const irq = this.#irqs[vector]!;
    assert(irq.handler === null, () => `vector ${vector} is freed while in use`);
    yield* this.#domain.release(irq);
    this.#domain.forget(irq);
    this.#irqs.pop();
  }

  /** request_irq: 0, or -ENOSPC without a vector. The irq may fire before this returns. */
  *request(vector: number, handler: IrqHandler): Process<number> {
    const irq = this.#irqs[vector]!;
    assert(irq.handler === null, () => `vector ${vector} is requested already`);
    irq.handler = this.#handlerFor(irq, handler);
    if (this.#domain.isShutDown(irq)) return 0;
    return yield* this.#startup(irq);
  }

  #handlerFor(irq: GuestIrq, handler: IrqHandler): IrqHandler {
    const { core } = this.#domain;
    if (this.#mode !== "msix" || !core.rules.masksAtInterrupt) return handler;
    const name = `${this.device}.ack`;
    return new MaskedHandler(handler, irq, this.#chip!, (process) => core.spawn(name, process));
  }

  /**
   * irq_startup: activation writes the message, and setting the affinity writes it again; where it
   * is remapped only the first does.
   */
  *#startup(irq: GuestIrq): Process<number> {
    const chip = this.#chip!;
    const domain = this.#domain;
    if (irq.slot === NO_SLOT) {
      if (!(yield* domain.place(irq, chip.level, domain.allowed(irq)))) {
        irq.handler = null;
        return -ENOSPC;
      }
      yield* domain.write(chip, irq, irq.slot);
    } else domain.core.table.setHandler(irq.slot, irq.handler);
    if (!chip.level && !domain.isRemapped) yield* domain.write(chip, irq, irq.slot);
    yield* chip.unmask(irq.vector);
    this.#mover!.started(irq);
    return 0;
  }

  /** free_irq: the handler is gone before the vector is masked, as in __free_irq. */
  *free(vector: number): Process {
    const irq = this.#irqs[vector]!;
    if (irq.handler === null) return;
    yield* this.#mover!.settled(irq);
    irq.handler = null;
    this.#domain.forgetOldSlot(irq);
    if (irq.slot === NO_SLOT) return;
    this.#domain.core.table.setHandler(irq.slot, null);
    yield* this.#chip!.mask(vector);
    yield* this.#domain.write(this.#chip!, irq, NO_SLOT);
    yield* this.#domain.release(irq);
  }

  /** pci_free_irq_vectors: pci_msix_shutdown or pci_msi_shutdown, then the descriptors go. */
  *freeAll(): Process {
    const mode = this.#mode;
    const chip = this.#chip;
    if (mode === null) return;
    const dev = this.#dev;
    if (mode === "msix") {
      for (const { vector } of this.#irqs) yield* chip!.mask(vector);
      const flags = yield* dev.read(this.#cap + PCI_MSIX_FLAGS, 2);
      yield* dev.write(this.#cap + PCI_MSIX_FLAGS, 2, flags & ~PCI_MSIX_FLAGS_ENABLE);
    } else if (mode === "msi") yield* this.#setMsiEnable(this.#cap, false);
    if (mode !== "intx") yield* dev.intx(true);
    if (chip instanceof MsiCapability) yield* chip.maskAll(false);
    yield* this.#forgetAll();
    this.#chip = null;
    this.#mover = null;
    this.#mode = null;
  }

  *#forgetAll(): Process {
    for (const irq of this.#irqs) {
      yield* this.#domain.release(irq);
      this.#domain.forget(irq);
    }
    this.#irqs = [];
  }

  /** The vector with this number in /proc/irq, or -1. */
  vectorOf(number: number): number {
    return this.#irqs.findIndex((irq) => irq.number === number);
  }

  *setAffinity(vector: number, vcpus: readonly number[]): Process<number> {
    const irq = this.#irqs[vector];
    return irq === undefined ? -EINVAL : yield* this.#mover!.setAffinity(irq, vcpus);
  }

  /** True if the vector's next interrupt moves it. */
  isMovePending(vector: number): boolean {
    const irq = this.#irqs[vector];
    return irq !== undefined && irq.pending !== null && irq.slot !== NO_SLOT;
  }

  /** An interrupt of `vector` is acknowledged: what moves with it moves. */
  *acknowledge(vector: number): Process {
    const irq = this.#irqs[vector];
    if (irq !== undefined) yield* this.#mover!.interrupt(irq);
  }

  *cpuOffline(vcpu: number): Process {
    if (this.#mover !== null) yield* this.#mover.cpuOffline(this.#irqs, vcpu);
  }

  *cpuOnline(vcpu: number): Process<number> {
    return this.#mover === null ? 0 : yield* this.#mover.cpuOnline(this.#irqs, vcpu);
  }

  /** pci_restore_msi_state, after the function was reset with its vectors in use. */
  *restore(): Process {
    if (this.#mode === "msix") yield* this.#restoreMsix();
    else if (this.#chip instanceof MsiCapability) yield* this.#restoreMsi(this.#chip);
  }

  /** __pci_restore_msix_state. */
  *#restoreMsix(): Process {
    const dev = this.#dev;
    const chip = this.#chip!;
    yield* dev.intx(false);
    const flags = yield* dev.read(this.#cap + PCI_MSIX_FLAGS, 2);
    const on = flags | PCI_MSIX_FLAGS_ENABLE;
    yield* dev.write(this.#cap + PCI_MSIX_FLAGS, 2, on | PCI_MSIX_FLAGS_MASKALL);
    const command = yield* dev.read(PCI_COMMAND, 2);
    const { decodesForRestore } = this.#domain.core.rules;
    if (decodesForRestore) yield* dev.write(PCI_COMMAND, 2, command | PCI_COMMAND_MEMORY);
    for (const irq of this.#irqs) {
      // An entry that is unmasked is masked while its message changes.
      const isLive = irq.slot !== NO_SLOT;
      if (isLive) yield* chip.mask(irq.vector);
      yield* this.#domain.write(chip, irq, irq.slot);
      if (isLive) yield* chip.unmask(irq.vector);
      yield* isLive ? chip.unmask(irq.vector) : chip.mask(irq.vector);
    }
    if (decodesForRestore) yield* dev.write(PCI_COMMAND, 2, command);
    yield* dev.write(this.#cap + PCI_MSIX_FLAGS, 2, on & ~PCI_MSIX_FLAGS_MASKALL);
  }

  /** __pci_restore_msi_state. */
  *#restoreMsi(chip: MsiCapability): Process {
    yield* this.#dev.intx(false);
    yield* this.#setMsiEnable(this.#cap, false);
    const irq = this.#irqs[0]!;
    yield* this.#domain.write(chip, irq, irq.slot);
    yield* chip.restoreMask();
    yield* this.#setMsiEnable(this.#cap, true);
  }
}
