/** VFIOMSIVector and what MSI and MSI-X do with it alike (hw/vfio/pci.c). */
import type { Process } from "../../../src/time/process.ts";
import { VFIO_PCI_MSI_IRQ_INDEX, VFIO_PCI_MSIX_IRQ_INDEX } from "../../../src/uapi/vfio.ts";
import { SET_EVENTFD_TRIGGER, SET_NONE_TRIGGER } from "../common/irq-set.ts";
import { HANDLER_VECTOR, type Notifier } from "../common/main-loop.ts";
import type { MsiMessage } from "./kvm-irqchip.ts";
import type { VfioPciDevice } from "./vfio-pci.ts";

/** Two eventfds: QEMU reads `interrupt`, KVM's irqfd takes `kvmInterrupt`. */
export interface MsiVector {
  use: boolean;
  /** GSI of its KVM route, or -1. An entry that was never used has what g_new0 left: 0. */
  virq: number;
  interrupt: Notifier | null;
  kvmInterrupt: Notifier | null;
}

/** msi_vectors and nr_vectors of a device: one table, whichever of MSI and MSI-X uses it. */
export interface VectorTable {
  /** Vectors the kernel was asked for: one more than the highest used. */
  nr: number;
  vectors: MsiVector[];
}

export class VectorSet {
  readonly kind: "msi" | "msix";
  readonly #device: VfioPciDevice;
  readonly #table: VectorTable;
  readonly #index: number;

  constructor(device: VfioPciDevice, kind: "msi" | "msix") {
    this.#device = device;
    this.#table = device.vectorTable;
    this.kind = kind;
    this.#index = kind === "msi" ? VFIO_PCI_MSI_IRQ_INDEX : VFIO_PCI_MSIX_IRQ_INDEX;
  }

  get nr(): number {
    return this.#table.nr;
  }

  set nr(count: number) {
    this.#table.nr = count;
  }

  get vectors(): readonly MsiVector[] {
    return this.#table.vectors;
  }

  /** g_new0. */
  allocate(count: number): void {
    this.#table.vectors = Array.from({ length: count }, () => ({
      use: false,
      virq: 0,
      interrupt: null,
      kvmInterrupt: null,
    }));
  }

  /** First use: its own eventfd. False if there are no more descriptors to be had. */
  *take(nr: number): Process<boolean> {
    const vector = this.vectors[nr]!;
    vector.virq = -1;
    vector.use = true;
    const row = this.#device.row(this.kind, nr);
    vector.interrupt = yield* this.#device.ctx.loop.newNotifier(row);
    if (vector.interrupt === null) this.error(nr, -1);
    return vector.interrupt !== null;
  }

  /** qemu_set_fd_handler on the vector's own eventfd. */
  listen(nr: number): void {
    const { interrupt } = this.vectors[nr]!;
    if (interrupt === null) return;
    this.#device.ctx.loop.setHandler(interrupt, HANDLER_VECTOR, this.#device.slot.index, nr);
  }

  /** vfio_add_kvm_msi_virq: a route, not yet known to the kernel; without KVM nothing. */
  addRoute(nr: number, message: MsiMessage): boolean {
    const { kvm, profile } = this.#device.ctx;
    if (kvm === null || !profile.bypass[this.kind]) return false;
    const sent = this.#sent(message);
    const virq = sent === null ? -1 : kvm.addMsiRoute(sent);
    if (virq < 0) return false;
    this.vectors[nr]!.virq = virq;
    return true;
  }

  /** vfio_connect_kvm_msi_virq: the second eventfd, and the irqfd on it. */
  *connect(nr: number): Process {
    const { loop, kvm } = this.#device.ctx;
    const vector = this.vectors[nr]!;
    if (kvm === null || vector.virq < 0) return;
    const notifier = yield* loop.newNotifier(this.#device.row(this.kind, nr));
    const added = notifier === null ? -1 : yield* kvm.addIrqfd(notifier, null, vector.virq);
    if (added === 0) {
      vector.kvmInterrupt = notifier;
      return;
    }
    if (notifier !== null) yield* loop.closeNotifier(notifier);
    // An entry never used has no route of its own to give back.
    if (vector.use) kvm.releaseVirq(vector.virq);
    vector.virq = -1;
  }

  /** vfio_update_kvm_msi_virq: commits even if the message is the old one. */
  *updateRoute(nr: number, message: MsiMessage): Process {
    const kvm = this.#device.ctx.kvm!;
    this.changeRoute(nr, message);
    yield* kvm.commitRoutes();
  }

  /** The route's new message; one that is not remapped leaves the old one. */
  changeRoute(nr: number, message: MsiMessage): void {
    const sent = this.#sent(message);
    if (sent !== null) this.#device.ctx.kvm!.updateMsiRoute(this.vectors[nr]!.virq, sent);
  }

  /** kvm_update_msi_routes_all, of this device; true if it has routes. */
  remapRoutes(message: (nr: number) => MsiMessage): boolean {
    let found = false;
    for (const [nr, vector] of this.vectors.entries()) {
      if (!vector.use || vector.virq < 0) continue;
      this.changeRoute(nr, message(nr));
      found = true;
    }
    return found;
  }

  /** kvm_arch_fixup_msi_route: what the local APICs get; null: the vIOMMU has no entry for it. */
  #sent(message: MsiMessage): MsiMessage | null {
    const { remapping } = this.#device.ctx;
    return remapping === null ? message : remapping.remap(message);
  }

  /** The eventfd a live vector is signalled through. */
  fdOf(vector: MsiVector): number {
    return (vector.virq >= 0 ? vector.kvmInterrupt?.fd : vector.interrupt?.fd) ?? -1;
  }

  /** vfio_set_irq_signaling of one vector. */
  *signal(nr: number, fd: number): Process<number> {
    return yield* this.#device.client.setIrqs(this.#index, nr, 1, SET_EVENTFD_TRIGGER, [fd]);
  }

  /** SET_IRQS of vectors 0 to nr - 1, each with the eventfd `fd` says. */
  *signalAll(fd: (vector: MsiVector, nr: number) => number): Process<number> {
    const fds: number[] = [];
    for (let i = 0; i < this.nr; i++) {
      const vector = this.vectors[i]!;
      fds.push(vector.use ? fd(vector, i) : -1);
    }
    const { client } = this.#device;
    return yield* client.setIrqs(this.#index, 0, this.nr, SET_EVENTFD_TRIGGER, fds);
  }

  /** vfio_disable_irqindex. */
  *disableIndex(): Process<number> {
    return yield* this.#device.client.setIrqs(this.#index, 0, 0, SET_NONE_TRIGGER);
  }

  /** vfio_msi_disable_common: irqfds off and eventfds closed, vector by vector. */
  *release(): Process {
    const { loop, kvm } = this.#device.ctx;
    for (const vector of this.vectors.slice(0, this.nr)) {
      if (!vector.use) continue;
      if (vector.virq >= 0 && vector.kvmInterrupt !== null) {
        yield* kvm!.removeIrqfd(vector.kvmInterrupt, vector.virq);
        kvm!.releaseVirq(vector.virq);
        yield* loop.closeNotifier(vector.kvmInterrupt);
      }
      if (vector.interrupt !== null) yield* loop.closeNotifier(vector.interrupt);
    }
    this.#table.vectors = [];
    this.nr = 0;
    this.#device.mode = "none";
  }

  /** error_report: QEMU prints it and goes on; the guest sees success. */
  error(vector: number, result: number): void {
    const { ctx, slot } = this.#device;
    ctx.counters.add(`${this.kind}_errors`);
    ctx.env.tracer.emit("vfio_msix_fixup_error", { device: slot.name, vector, result });
  }
}
