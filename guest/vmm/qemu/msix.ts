/** MSI-X of an assigned device: enable, use and release of vectors, growth (hw/vfio/pci.c). */
import { FATE } from "../../../src/measure/fates.ts";
import type { Process } from "../../../src/time/process.ts";
import { VmmAbort } from "../errors.ts";
import { DROPPED_RESET } from "./context.ts";
import type { MsiMessage } from "./kvm-irqchip.ts";
import { VectorSet } from "./vectors.ts";
import type { VfioPciDevice } from "./vfio-pci.ts";

const DROPPED_DISABLED = FATE["dropped-disabled"];
/** What abort(3) is called with in hw/pci/msix.c. */
const NOTIFIERS_SET =
  "msix_unset_vector_notifiers: Assertion `dev->msix_vector_use_notifier && " +
  "dev->msix_vector_release_notifier' failed.";
/** The guest turned MSI off while MSI-X was on, which has freed the vectors of both. */
const NO_VECTORS = "vfio_msix_vector_do_use: Segmentation fault (msi_vectors is NULL)";

export class VfioMsix {
  readonly #device: VfioPciDevice;
  readonly #set: VectorSet;
  /** Vectors can only be added by turning the whole index off and on. */
  readonly #noresize: boolean;
  /** Between prepare and commit of a batch: routes are collected, the kernel is not asked. */
  #batch = false;
  /** The guest's table drives `vectorUse` and `vectorRelease`. */
  #notifying = false;

  constructor(device: VfioPciDevice, noresize: boolean) {
    this.#device = device;
    this.#noresize = noresize;
    this.#set = new VectorSet(device, "msix");
  }

  /** vfio_msix_enable: the guest set the Enable bit. */
  *enable(): Process {
    const device = this.#device;
    const msix = device.fn.msix!;
    yield* device.leaveOtherModes();
    this.#set.allocate(msix.vectors);
    device.mode = "msix";
    this.#batch = true;
    this.#notifying = true;
    let routes = 0;
    for (let v = 0; v < msix.vectors; v++) {
      if (!msix.isLive(v)) continue;
      yield* this.vectorUse(v);
      if (this.#set.vectors[v]!.virq >= 0) routes++;
    }
    yield* this.#commitBatch(routes);
    const result = yield* this.#set.nr > 0 ? this.#enableVectors() : this.#enableEmpty();
    if (result !== 0) this.#set.error(-1, result);
    device.ctx.env.tracer.emit("vfio_msix_enable", { device: device.slot.name });
  }

  /**
   * vfio_commit_kvm_msi_virq_batch: one routing update, then the irqfds. It walks all entries up to
   * the highest live one, and those never used have GSI 0 from their zeroed memory: QEMU gives each
   * of them an irqfd on GSI 0 that nothing signals and nobody closes.
   */
  *#commitBatch(routes: number): Process {
    const { kvm, profile } = this.#device.ctx;
    this.#batch = false;
    if (!profile.defersRoutes) return;
    if (kvm !== null && routes > 0) yield* kvm.commitRoutes();
    for (let v = 0; v < this.#set.nr; v++) yield* this.#set.connect(v);
  }

  /** No entry is live: MSI-X has to be on in the device all the same. */
  *#enableEmpty(): Process<number> {
    if (this.#device.ctx.profile.emptyEnable === "fd-none") return yield* this.#set.signal(0, -1);
    yield* this.#use(0, null);
    yield* this.vectorRelease(0);
    return 0;
  }

  /** vfio_enable_vectors. */
  *#enableVectors(): Process<number> {
    if (!this.#noresize) {
      // Without it the kernel would allocate every vector below the highest, used or not.
      const result = yield* this.#set.signal(0, -1);
      if (result !== 0) return result;
    }
    const msix = this.#device.fn.msix!;
    return yield* this.#set.signalAll((vector, v) =>
      msix.isLive(v) ? this.#set.fdOf(vector) : (vector.interrupt?.fd ?? -1),
    );
  }

  /** vfio_msix_vector_use: the guest unmasked the vector. */
  *vectorUse(nr: number): Process {
    if (!this.#notifying) return;
    yield* this.#use(nr, this.#message(nr));
  }

  #message(nr: number): MsiMessage {
    const msix = this.#device.fn.msix!;
    return { addressLo: msix.addressLo(nr), addressHi: msix.addressHi(nr), data: msix.data(nr) };
  }

  /** The vIOMMU's table changed; true if there are routes. */
  remapRoutes(): boolean {
    return this.#set.remapRoutes((nr) => this.#message(nr));
  }

  /** vfio_msix_vector_do_use; no message: the eventfd is armed, nobody listens. */
  *#use(nr: number, message: MsiMessage | null): Process {
    const set = this.#set;
    const { ctx, slot } = this.#device;
    ctx.env.tracer.emit("vfio_msix_vector_do_use", { device: slot.name, vector: nr });
    const vector = set.vectors[nr];
    if (vector === undefined) throw new VmmAbort(NO_VECTORS);
    if (!vector.use) yield* set.take(nr);
    if (message !== null) {
      set.listen(nr);
      yield* this.#route(nr, message);
    }
    const resizing = set.nr <= nr;
    if (resizing) set.nr = nr + 1;
    if (this.#batch) return;
    let result: number;
    if (resizing && this.#noresize) {
      yield* set.disableIndex();
      result = yield* this.#enableVectors();
    } else {
      result = yield* set.signal(nr, set.fdOf(vector));
    }
    if (result !== 0) set.error(nr, result);
  }

  *#route(nr: number, message: MsiMessage): Process {
    const set = this.#set;
    const { kvm, profile } = this.#device.ctx;
    if (kvm === null) return;
    if (set.vectors[nr]!.virq >= 0) {
      yield* set.updateRoute(nr, message);
    } else if (set.addRoute(nr, message) && !(this.#batch && profile.defersRoutes)) {
      yield* kvm.commitRoutes();
      yield* set.connect(nr);
    }
  }

  /**
   * vfio_msix_vector_release: the guest masked the vector. Guests that mask at every interrupt are
   * the reason why the irq stays armed: interrupts come to QEMU's own eventfd, which latches them.
   */
  *vectorRelease(nr: number): Process {
    if (!this.#notifying) return;
    const { ctx, slot } = this.#device;
    ctx.env.tracer.emit("vfio_msix_vector_release", { device: slot.name, vector: nr });
    const vector = this.#set.vectors[nr];
    if (vector === undefined) throw new VmmAbort(NO_VECTORS);
    if (!vector.use || vector.virq < 0 || vector.interrupt === null) return;
    const result = yield* this.#set.signal(nr, vector.interrupt.fd);
    if (result !== 0) this.#set.error(nr, result);
  }

  /**
   * vfio_msix_disable, by the guest or by a reset. Live vectors are released by the notifiers that
   * go; if the guest cleared Enable itself none counts as live any more. Then all used ones are.
   */
  *disable(): Process {
    const device = this.#device;
    const msix = device.fn.msix!;
    const resetting = msix.enabled;
    // The guest turned MSI on while MSI-X was on, which has taken the notifiers away already.
    if (!this.#notifying) throw new VmmAbort(NOTIFIERS_SET);
    for (let v = 0; v < msix.vectors; v++) if (msix.isLive(v)) yield* this.vectorRelease(v);
    for (let v = 0; v < this.#set.nr; v++) {
      if (!this.#set.vectors[v]!.use) continue;
      yield* this.vectorRelease(v);
      if (!msix.clearPending(v)) continue;
      device.ctx.tokens.drop(
        device.row("msix", v),
        resetting ? DROPPED_RESET : DROPPED_DISABLED,
        1,
      );
    }
    this.#notifying = false;
    yield* this.#set.disableIndex();
    yield* this.#set.release();
    yield* device.intx.enable();
    device.ctx.env.tracer.emit("vfio_msix_disable", { device: device.slot.name });
  }
}
