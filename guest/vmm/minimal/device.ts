/**
 * An assigned device in the hypothetical VMM on which the ways of keeping interrupts differ most:
 * the simplest reading of vfio's interface, a trigger while a vector is unmasked and none (fd -1)
 * while it is masked. No VMM in use does this; QEMU and crosvm swap eventfds instead, since guests
 * that mask at each interrupt made teardown too slow (QEMU commit f4d45d47).
 */
import { EMFILE } from "../../../src/base/errno.ts";
import { FATE } from "../../../src/measure/fates.ts";
import type { Process } from "../../../src/time/process.ts";
import { VFIO_PCI_MSIX_IRQ_INDEX } from "../../../src/uapi/vfio.ts";
import type { VmmContext } from "../common/context.ts";
import { SET_EVENTFD_TRIGGER, SET_NONE_TRIGGER } from "../common/irq-set.ts";
import { IrqfdVectors } from "../common/irqfd-vectors.ts";
import type { KernelIrqchipBoard } from "../common/kernel-irqchip-board.ts";
import type { OpenedDevice } from "../common/open-device.ts";
import { Passthrough, type TableEntry } from "../common/passthrough.ts";
import { ResampledIntx } from "../common/resampled-intx.ts";
import { SingleMsi } from "../common/single-msi.ts";

const RESET = FATE["dropped-guest-reset"];

export class MinimalDevice extends Passthrough {
  readonly #intx: ResampledIntx;
  readonly #msi: SingleMsi;
  readonly #msiIrqfds: IrqfdVectors;
  readonly #irqfds: IrqfdVectors;
  /** What is on in the kernel. */
  #mode: "none" | "intx" | "msi" | "msix" = "none";

  private constructor(ctx: VmmContext, opened: OpenedDevice, board: KernelIrqchipBoard) {
    super(ctx, opened);
    this.#intx = new ResampledIntx(ctx, opened);
    this.#msiIrqfds = new IrqfdVectors(this, "msi", this.fn.msi === null ? 0 : 1, board);
    this.#msi = new SingleMsi(this, this.#msiIrqfds);
    this.#irqfds = new IrqfdVectors(this, "msix", this.fn.msix?.vectors ?? 0, board);
  }

  static *realize(
    ctx: VmmContext,
    opened: OpenedDevice,
    board: KernelIrqchipBoard,
  ): Process<MinimalDevice> {
    const device = new MinimalDevice(ctx, opened, board);
    yield* device.#intx.connect(board.kvm);
    yield* device.#enableIntx();
    return device;
  }

  *#enableIntx(): Process {
    const result = yield* this.#intx.enable();
    if (result < 0) this.error("intx_errors", -1, result);
    if (this.#intx.enabled) this.#mode = "intx";
  }

  /** Everything off; what is not on is left alone. */
  *#off(): Process {
    if (this.#mode === "intx") yield* this.#intx.disable();
    else if (this.#mode === "msi") yield* this.#msi.disable();
    else if (this.#mode === "msix") {
      const { client } = this;
      yield* client.setIrqs(VFIO_PCI_MSIX_IRQ_INDEX, 0, 0, SET_NONE_TRIGGER);
    }
    this.#mode = "none";
  }

  *#set(start: number, fds: readonly number[]): Process<number> {
    const { client } = this;
    const count = fds.length;
    return yield* client.setIrqs(VFIO_PCI_MSIX_IRQ_INDEX, start, count, SET_EVENTFD_TRIGGER, fds);
  }

  protected *msixControlWritten(wasEnabled: boolean, wasMasked: boolean): Process {
    const msix = this.fn.msix!;
    if (wasEnabled && !msix.enabled) {
      yield* this.#off();
      yield* this.#enableIntx();
      return;
    }
    if (!msix.enabled) return;
    if (!wasEnabled) yield* this.#enableMsix();
    const wasOpen = wasEnabled && !wasMasked;
    if (wasOpen === !msix.functionMasked) return;
    for (let vector = 0; vector < msix.vectors; vector++) {
      if (!msix.isVectorMasked(vector)) yield* this.#follow(vector);
    }
  }

  /** On with no trigger: one vector, or the whole table where the kernel can add none later. */
  *#enableMsix(): Process {
    yield* this.#off();
    const vectors = this.opened.noresize ? this.fn.msix!.vectors : 1;
    const result = yield* this.#set(0, new Array<number>(vectors).fill(-1));
    if (result === 0) this.#mode = "msix";
    else this.error("msix_errors", -1, result);
  }

  protected *entryWritten(vector: number, before: TableEntry): Process {
    const msix = this.fn.msix!;
    if (!msix.enabled || msix.functionMasked) return;
    if (before.masked === msix.isVectorMasked(vector)) {
      if (!before.masked) yield* this.#irqfds.route(vector, this.entry(vector));
      return;
    }
    yield* this.#follow(vector);
  }

  /** The vector's masks have changed: its trigger goes, or comes with the message as it is now. */
  *#follow(vector: number): Process {
    if (!this.fn.msix!.isLive(vector)) {
      this.#report(vector, yield* this.#set(vector, [-1]));
      return;
    }
    const created = yield* this.#irqfds.ensure(vector);
    if (created === 0) yield* this.#irqfds.route(vector, this.entry(vector));
    const fd = this.#irqfds.get(vector)?.fd;
    const result = fd === undefined ? -EMFILE : yield* this.#set(vector, [fd]);
    this.#report(vector, result);
  }

  /** The guest is not told. */
  #report(vector: number, result: number): void {
    if (result !== 0) this.error("msix_errors", vector, result);
  }

  protected *msiWritten(wasEnabled: boolean): Process {
    const { enabled } = this.fn.msi!;
    if (!wasEnabled && enabled) {
      yield* this.#off();
      const result = yield* this.#msi.enable();
      if (result === 0) this.#mode = "msi";
      else this.error("msi_errors", -1, result);
    } else if (wasEnabled && !enabled) {
      yield* this.#off();
      yield* this.#enableIntx();
    } else if (enabled) yield* this.#msi.route();
  }

  swapIntx(): Process {
    return this.#intx.swap();
  }

  /** It reads no vector's eventfd. */
  vectorFired(_vector: number): void {}

  *release(): Process {
    yield* this.#off();
    yield* this.#msiIrqfds.releaseAll();
    yield* this.#irqfds.releaseAll();
    yield* this.#intx.close();
  }

  /** All off, VFIO_DEVICE_RESET, and INTx as after power-on. */
  *reset(): Process {
    yield* this.#off();
    yield* this.#msiIrqfds.releaseAll();
    yield* this.#irqfds.releaseAll();
    if (this.opened.canReset) yield* this.client.reset();
    this.settle(RESET);
    this.fn.reset();
    yield* this.#enableIntx();
  }
}
