/**
 * An assigned device in crosvm (google/crosvm: devices/src/pci/vfio_pci.rs and msix.rs). Each
 * MSI-X vector has an eventfd that a worker thread reads while the vector is masked, and from its
 * first unmasking on an irqfd: masking and unmasking swap the one for the other.
 */
import { EMFILE } from "../../../src/base/errno.ts";
import type { Process } from "../../../src/time/process.ts";
import { VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_REQ_IRQ_INDEX } from "../../../src/uapi/vfio.ts";
import type { VmmContext } from "../common/context.ts";
import { SET_EVENTFD_TRIGGER, SET_NONE_TRIGGER } from "../common/irq-set.ts";
import { IrqfdVectors } from "../common/irqfd-vectors.ts";
import { HANDLER_REQ, HANDLER_VECTOR, type Notifier } from "../common/main-loop.ts";
import type { OpenedDevice } from "../common/open-device.ts";
import { Passthrough, type TableEntry } from "../common/passthrough.ts";
import { ResampledIntx } from "../common/resampled-intx.ts";
import { SingleMsi } from "../common/single-msi.ts";
import { RealizeError } from "../errors.ts";
import type { CrosvmBoard } from "./board.ts";

export class CrosvmDevice extends Passthrough {
  readonly #intx: ResampledIntx;
  readonly #msi: SingleMsi;
  readonly #msiIrqfds: IrqfdVectors;
  readonly #irqfds: IrqfdVectors;
  /** The worker's eventfds, one a vector. */
  #masked: Notifier[] = [];
  #request: Notifier | null = null;
  #working = false;
  /** irq_type: what crosvm takes for being on. */
  #mode: "none" | "intx" | "msi" | "msix" = "none";

  private constructor(ctx: VmmContext, opened: OpenedDevice, board: CrosvmBoard) {
    super(ctx, opened);
    this.#intx = new ResampledIntx(ctx, opened);
    this.#msiIrqfds = new IrqfdVectors(this, "msi", this.fn.msi === null ? 0 : 1, board);
    this.#msi = new SingleMsi(this, this.#msiIrqfds);
    this.#irqfds = new IrqfdVectors(this, "msix", this.#vectors, board);
  }

  static *realize(
    ctx: VmmContext,
    opened: OpenedDevice,
    board: CrosvmBoard,
  ): Process<CrosvmDevice> {
    const device = new CrosvmDevice(ctx, opened, board);
    for (let vector = 0; vector < device.#vectors; vector++) {
      const event = yield* ctx.events.create(device.row("msix", vector));
      if (event === null) throw new RealizeError("failed to create msix interrupt");
      device.#masked.push(event);
    }
    yield* device.#intx.connect(board.kvm);
    yield* device.#enableIntx();
    return device;
  }

  get #vectors(): number {
    return this.fn.msix?.vectors ?? 0;
  }

  *#enableIntx(): Process {
    const result = yield* this.#intx.enable();
    if (result < 0) this.error("intx_errors", -1, result);
    this.#mode = this.#intx.enabled ? "intx" : "none";
  }

  /** disable_irqs: leaving MSI or MSI-X turns INTx on, which then has to go too. */
  *#disableIrqs(): Process {
    if (this.#mode === "msi") yield* this.#disableMsi();
    else if (this.#mode === "msix") yield* this.#disableMsix();
    if (this.#mode !== "intx") return;
    yield* this.#intx.disable();
    this.#mode = "none";
  }

  /** The worker starts at the guest's first write to config space, and hears REQ from then on. */
  override *configWrite(offset: number, size: number, value: number): Process {
    if (!this.#working) yield* this.#startWorker();
    yield* super.configWrite(offset, size, value);
  }

  *#startWorker(): Process {
    const { events, loop } = this.ctx;
    const { index } = this.planned;
    this.#working = true;
    const request = yield* events.create(-1);
    if (request === null) return;
    this.#request = request;
    const armed = yield* this.#set(VFIO_PCI_REQ_IRQ_INDEX, 0, [request.fd]);
    if (armed < 0) return;
    loop.setHandler(request, HANDLER_REQ, index, 0);
    for (const [vector, event] of this.#masked.entries()) {
      loop.setHandler(event, HANDLER_VECTOR, index, vector);
    }
  }

  /** irq_enable: anything but an error is success, a smaller number of vectors too. */
  *#set(index: number, start: number, fds: readonly number[]): Process<number> {
    const result = yield* this.client.setIrqs(index, start, fds.length, SET_EVENTFD_TRIGGER, fds);
    if (result > 0) this.ctx.counters.add("short_grants_taken_for_success");
    return Math.min(result, 0);
  }

  /** get_msix_irqfd: none before the first use, then by the masks as they are. */
  #fdOf(vector: number): number {
    const irqfd = this.#irqfds.get(vector);
    if (irqfd === null) return -1;
    return this.fn.msix!.isLive(vector) ? irqfd.fd : this.#masked[vector]!.fd;
  }

  #allFds(): number[] {
    return Array.from({ length: this.#vectors }, (_, vector) => this.#fdOf(vector));
  }

  protected *msixControlWritten(wasEnabled: boolean, wasMasked: boolean): Process {
    const msix = this.fn.msix!;
    if (!wasEnabled && msix.enabled) {
      yield* this.#enableEntries();
      yield* this.#enableMsix();
    } else if (wasEnabled && !msix.enabled) yield* this.#disableMsix();
    else if (msix.enabled && wasMasked !== msix.functionMasked) {
      const result = yield* this.#set(VFIO_PCI_MSIX_IRQ_INDEX, 0, this.#allFds());
      if (result < 0) this.error("msix_errors", -1, result);
    }
  }

  /** msix_enable_all: the first that fails ends it. */
  *#enableEntries(): Process {
    for (let vector = 0; vector < this.#vectors; vector++) {
      if (!this.fn.msix!.isLive(vector)) continue;
      if ((yield* this.#enableEntry(vector)) < 0) return;
    }
  }

  /** msix_enable_one: irqfd, then its route. */
  *#enableEntry(vector: number): Process<number> {
    const result = yield* this.#irqfds.ensure(vector);
    if (result < 0) {
      this.error("msix_enable_one_errors", vector, result);
      return result;
    }
    yield* this.#route(vector);
    return 0;
  }

  *#route(vector: number): Process {
    const entry = this.entry(vector);
    if (entry.addressLo === 0 && entry.addressHi === 0) return;
    const result = yield* this.#irqfds.route(vector, entry);
    if (result < 0) this.error("add_msi_route_errors", vector, result);
  }

  /**
   * enable_msix: with no vector used yet the whole table is turned on with an eventfd for vector 0
   * alone, and then all of it is taken back, so that MSI-X is on in the device.
   */
  *#enableMsix(): Process {
    yield* this.#disableIrqs();
    let result = 0;
    if (this.#irqfds.anyUsed) {
      result = yield* this.#set(VFIO_PCI_MSIX_IRQ_INDEX, 0, this.#allFds());
    } else {
      const event = yield* this.ctx.events.create(this.row("msix", 0));
      if (event === null) result = -EMFILE;
      else {
        const none = new Array<number>(this.#vectors).fill(-1);
        const first = yield* this.#set(VFIO_PCI_MSIX_IRQ_INDEX, 0, [event.fd, ...none.slice(1)]);
        const second = yield* this.#set(VFIO_PCI_MSIX_IRQ_INDEX, 0, none);
        yield* this.ctx.events.close(event);
        result = Math.min(first, second);
      }
    }
    if (result < 0) {
      this.error("msix_errors", -1, result);
      yield* this.#enableIntx();
    } else this.#mode = "msix";
  }

  *#disableMsix(): Process {
    const { client } = this;
    const result = yield* client.setIrqs(VFIO_PCI_MSIX_IRQ_INDEX, 0, 0, SET_NONE_TRIGGER);
    if (result < 0) {
      this.error("msix_errors", -1, result);
      return;
    }
    this.#mode = "none";
    yield* this.#enableIntx();
  }

  protected *entryWritten(vector: number, before: TableEntry): Process {
    const msix = this.fn.msix!;
    const now = this.entry(vector);
    const first = this.#irqfds.get(vector) === null && before.masked && !now.masked;
    if (msix.enabled && !msix.functionMasked && first) {
      // Without an irqfd the entry is masked again, of which the guest hears nothing.
      if ((yield* this.#enableEntry(vector)) < 0) msix.setVectorMask(vector, true);
      yield* this.#update(vector);
      return;
    }
    if (msix.enabled && changesMessage(before, now)) yield* this.#route(vector);
    if (!msix.functionMasked && before.masked !== now.masked) yield* this.#update(vector);
  }

  /** msix_vector_update, also with MSI-X off: the kernel then says what it thinks of it. */
  *#update(vector: number): Process {
    const result = yield* this.#set(VFIO_PCI_MSIX_IRQ_INDEX, vector, [this.#fdOf(vector)]);
    if (result < 0) this.error("msix_errors", vector, result);
  }

  protected *msiWritten(wasEnabled: boolean): Process {
    const { enabled } = this.fn.msi!;
    if (!wasEnabled && enabled) yield* this.#enableMsi();
    else if (wasEnabled && !enabled) yield* this.#disableMsi();
    else if (enabled) yield* this.#msi.route();
  }

  *#enableMsi(): Process {
    yield* this.#disableIrqs();
    const result = yield* this.#msi.enable();
    if (result >= 0) {
      this.#mode = "msi";
      return;
    }
    this.error("msi_errors", -1, result);
    yield* this.#enableIntx();
  }

  *#disableMsi(): Process {
    const result = yield* this.#msi.disable();
    if (result < 0) {
      this.error("msi_errors", -1, result);
      return;
    }
    this.#mode = "none";
    yield* this.#enableIntx();
  }

  /** MsixConfig::trigger: a masked vector latches, another one goes through its irqfd. */
  vectorFired(vector: number): void {
    const msix = this.fn.msix!;
    if (msix.isVectorMasked(vector) || msix.functionMasked) msix.raise(vector);
    else this.inject("msix", vector);
  }

  /** destroy_device: irqfds go, and vfio is asked for nothing more. */
  *release(): Process {
    const { events } = this.ctx;
    yield* this.#msiIrqfds.releaseAll();
    yield* this.#irqfds.releaseAll();
    yield* this.#intx.close();
    for (const event of this.#masked) yield* events.close(event);
    this.#masked = [];
    if (this.#request !== null) yield* events.close(this.#request);
    this.#request = null;
  }

  /** A reboot ends the process: see CROSVM. */
  *reset(): Process {
    yield* this.release();
  }
}

function changesMessage(before: TableEntry, now: TableEntry): boolean {
  return (
    before.addressLo !== now.addressLo ||
    before.addressHi !== now.addressHi ||
    before.data !== now.data
  );
}
