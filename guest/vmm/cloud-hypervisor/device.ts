/**
 * An assigned device in cloud-hypervisor (cloud-hypervisor/cloud-hypervisor: pci/src/vfio.rs,
 * msix.rs, msi.rs; rust-vmm/vfio: vfio-ioctls). MSI-X is armed as a whole when the guest turns it
 * on, an eventfd for every entry of the table; what the guest masks and unmasks after that changes
 * routes and irqfds, and vfio hears nothing of it.
 */
import type { Process } from "../../../src/time/process.ts";
import { PCI_BASE_ADDRESS_0, PCI_STD_NUM_BARS } from "../../../src/uapi/pci-regs.ts";
import {
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
} from "../../../src/uapi/vfio.ts";
import type { VmmContext } from "../common/context.ts";
import { SET_EVENTFD_TRIGGER, SET_NONE_TRIGGER, SET_NONE_UNMASK } from "../common/irq-set.ts";
import type { Notifier } from "../common/main-loop.ts";
import type { Message } from "../common/msi-routes.ts";
import type { OpenedDevice } from "../common/open-device.ts";
import { Passthrough, type TableEntry } from "../common/passthrough.ts";
import type { CloudHypervisorBoard } from "./board.ts";
import { MsiGroup } from "./msi-groups.ts";

/** Expansion ROM base address (PCI 3.0, 6.2.5.2). */
const PCI_ROM_ADDRESS = 0x30;
const BARS_END = PCI_BASE_ADDRESS_0 + 4 * PCI_STD_NUM_BARS;

export class CloudHypervisorDevice extends Passthrough {
  #msixGroup: MsiGroup | null = null;
  #msiGroup: MsiGroup | null = null;
  /** The eventfd of its IOAPIC pin; null without INTx. */
  #intx: Notifier | null = null;
  #intxEnabled = false;
  readonly #board: CloudHypervisorBoard;

  private constructor(ctx: VmmContext, opened: OpenedDevice, board: CloudHypervisorBoard) {
    super(ctx, opened);
    this.#board = board;
  }

  static *realize(
    ctx: VmmContext,
    opened: OpenedDevice,
    board: CloudHypervisorBoard,
  ): Process<CloudHypervisorDevice> {
    const device = new CloudHypervisorDevice(ctx, opened, board);
    if (opened.canReset) yield* device.client.reset();
    yield* device.#createGroups();
    yield* device.#enableIntx();
    return device;
  }

  *#createGroups(): Process {
    const { irqCounts, planned } = this.opened;
    const { manager, pins } = this.#board;
    if (this.fn.msi !== null) {
      // As many as are enabled at that time: one, since nothing is.
      this.#msiGroup = yield* MsiGroup.create(manager, 1, (v) => this.row("msi", v));
    }
    if (this.fn.msix !== null) {
      const { vectors } = this.fn.msix;
      this.#msixGroup = yield* MsiGroup.create(manager, vectors, (v) => this.row("msix", v));
    }
    if (irqCounts[VFIO_PCI_INTX_IRQ_INDEX] === 0) return;
    this.#intx = yield* pins.add(planned.intxPin, this.row("intx", 0));
  }

  /** BARs and the ROM are local; MSI and MSI-X are read from the device. */
  protected override emulates(offset: number): boolean {
    return !this.passes(offset);
  }

  protected override passes(offset: number): boolean {
    const isBar = offset >= PCI_BASE_ADDRESS_0 && offset < BARS_END;
    return !isBar && (offset < PCI_ROM_ADDRESS || offset >= PCI_ROM_ADDRESS + 4);
  }

  /** enable_irq: anything but an error is success, a smaller number of vectors too. */
  *#enableIrq(index: number, fds: readonly number[]): Process<number> {
    const result = yield* this.client.setIrqs(index, 0, fds.length, SET_EVENTFD_TRIGGER, fds);
    if (result > 0) this.ctx.counters.add("short_grants_taken_for_success");
    return Math.min(result, 0);
  }

  *#disableIrq(index: number): Process<number> {
    return yield* this.client.setIrqs(index, 0, 0, SET_NONE_TRIGGER);
  }

  *#enableIntx(): Process {
    if (this.#intx === null || this.#intxEnabled) return;
    const result = yield* this.#enableIrq(VFIO_PCI_INTX_IRQ_INDEX, [this.#intx.fd]);
    if (result < 0) this.error("intx_errors", -1, result);
    else this.#intxEnabled = true;
  }

  *#disableIntx(): Process {
    if (!this.#intxEnabled) return;
    const result = yield* this.#disableIrq(VFIO_PCI_INTX_IRQ_INDEX);
    if (result < 0) this.error("intx_errors", -1, result);
    else this.#intxEnabled = false;
  }

  /**
   * The guest's access may have been the end of an INTx. Registers are mapped into the guest, so
   * that only accesses of the MSI-X table's surroundings come here: an INTx may stay masked for
   * good (issue 4999).
   */
  protected override *barAccessed(): Process {
    if (!this.#intxEnabled) return;
    yield* this.client.setIrqs(VFIO_PCI_INTX_IRQ_INDEX, 0, 1, SET_NONE_UNMASK);
  }

  /** set_msg_ctl, and then what becomes of vfio's side. */
  protected *msixControlWritten(wasEnabled: boolean, wasMasked: boolean): Process {
    const { enabled, functionMasked } = this.fn.msix!;
    if (wasEnabled !== enabled || wasMasked !== functionMasked) {
      if (enabled && !functionMasked) yield* this.#updateAll();
      else if (wasEnabled) yield* this.#msixGroup!.disable();
    }
    if (!wasEnabled && enabled) {
      yield* this.#disableIntx();
      yield* this.#turnOn("msix_errors", VFIO_PCI_MSIX_IRQ_INDEX, this.#msixGroup!.fds());
    } else if (wasEnabled && !enabled) {
      yield* this.#turnOff("msix_errors", VFIO_PCI_MSIX_IRQ_INDEX);
      yield* this.#enableIntx();
    }
  }

  *#updateAll(): Process {
    for (let vector = 0; vector < this.fn.msix!.vectors; vector++) yield* this.#update(vector);
  }

  *#update(vector: number): Process {
    const entry = this.entry(vector);
    const result = yield* this.#msixGroup!.update(vector, entry, entry.masked);
    if (result < 0) this.error("failed_updating_vector", vector, result);
  }

  /** On an error nothing is on, INTx neither. */
  *#turnOn(what: string, index: number, fds: readonly number[]): Process {
    const result = yield* this.#enableIrq(index, fds);
    if (result < 0) this.error(what, -1, result);
  }

  *#turnOff(what: string, index: number): Process {
    const result = yield* this.#disableIrq(index);
    if (result < 0) this.error(what, -1, result);
  }

  /** Only an entry that is unmasked and new matters; masking one changes nothing at all. */
  protected *entryWritten(vector: number, before: TableEntry): Process {
    const msix = this.fn.msix!;
    const now = this.entry(vector);
    if (!msix.isLive(vector) || (sameMessage(before, now) && !before.masked)) return;
    yield* this.#update(vector);
  }

  protected *msiWritten(wasEnabled: boolean): Process {
    const { enabled, allotted } = this.fn.msi!;
    const group = this.#msiGroup!;
    if (enabled) {
      yield* this.#updateMsi(group, allotted);
      if (!wasEnabled) yield* group.enable();
    } else if (wasEnabled) yield* group.disable();
    if (!wasEnabled && enabled) {
      yield* this.#disableIntx();
      const fds = group.fds();
      // A guest that wants more than there were eventfds made for gets none.
      if (allotted > fds.length) this.error("missing_notifier", -1, 0);
      else yield* this.#turnOn("msi_errors", VFIO_PCI_MSI_IRQ_INDEX, fds.slice(0, allotted));
    } else if (wasEnabled && !enabled) {
      yield* this.#turnOff("msi_errors", VFIO_PCI_MSI_IRQ_INDEX);
      yield* this.#enableIntx();
    }
  }

  *#updateMsi(group: MsiGroup, allotted: number): Process {
    const msi = this.fn.msi!;
    const { addressLo, addressHi, data } = msi;
    const message: Message = { addressLo, addressHi, data };
    for (let vector = 0; vector < allotted; vector++) {
      const result = yield* group.update(vector, message, msi.isMasked(vector));
      if (result < 0) this.error("failed_updating_vector", vector, result);
    }
  }

  /** It reads no vector's eventfd. */
  vectorFired(_vector: number): void {}

  /** Drop: what the guest has on goes off, and nothing else comes on. */
  *release(): Process {
    const { msi, msix } = this.fn;
    if (msix?.enabled === true) yield* this.#turnOff("msix_errors", VFIO_PCI_MSIX_IRQ_INDEX);
    if (msi?.enabled === true) yield* this.#turnOff("msi_errors", VFIO_PCI_MSI_IRQ_INDEX);
    yield* this.#disableIntx();
    if (this.#msixGroup !== null) yield* this.#msixGroup.destroy();
    if (this.#msiGroup !== null) yield* this.#msiGroup.destroy();
    if (this.#intx !== null) yield* this.#board.pins.remove(this.planned.intxPin, this.#intx);
    this.#intx = null;
  }

  /** A reboot makes a new VM: see CLOUD_HYPERVISOR. */
  *reset(): Process {
    yield* this.release();
  }
}

function sameMessage(a: TableEntry, b: TableEntry): boolean {
  return a.addressLo === b.addressLo && a.addressHi === b.addressHi && a.data === b.data;
}
