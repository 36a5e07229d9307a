/**
 * A userspace driver's interrupts as DPDK's cnxk drivers and its EAL ask for them (DPDK/dpdk:
 * drivers/common/cnxk/roc_irq.c, lib/eal/linux/eal_interrupts.c). MSI-X: the whole range with -1
 * first, then a call a vector; MSI and INTx: the one eventfd the EAL knows.
 */
import { assert } from "../../../src/base/assert.ts";
import { EINVAL, ENODEV } from "../../../src/base/errno.ts";
import { type IrqKind, rowOf } from "../../../src/measure/rows.ts";
import type { Process } from "../../../src/time/process.ts";
import {
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
} from "../../../src/uapi/vfio.ts";
import type { PlannedFunction, VmmContext } from "../common/context.ts";
import {
  SET_EVENTFD_TRIGGER,
  SET_NONE_MASK,
  SET_NONE_TRIGGER,
  SET_NONE_UNMASK,
} from "../common/irq-set.ts";
import { HANDLER_VECTOR, type Notifier } from "../common/main-loop.ts";
import type { UserInterrupts } from "../types.ts";
import type { VfioClient } from "../vfio-client.ts";

/** RTE_MAX_RXTX_INTR_VEC_ID: no more vectors are asked for, whatever the device has. */
export const MAX_VECTORS = 512;

const INDEX = {
  intx: VFIO_PCI_INTX_IRQ_INDEX,
  msi: VFIO_PCI_MSI_IRQ_INDEX,
  msix: VFIO_PCI_MSIX_IRQ_INDEX,
} as const;

interface Callback {
  readonly event: Notifier;
  readonly fired: () => void;
}

export class DpdkInterrupts implements UserInterrupts {
  readonly #ctx: VmmContext;
  readonly #client: VfioClient;
  readonly #planned: PlannedFunction;
  #kind: IrqKind = "intx";
  /** max_intr: how many vectors were prepared; 0 until the first is registered. */
  #maxVectors = 0;
  readonly #callbacks: (Callback | null)[] = [];
  /** An INTx was heard and has not been acknowledged. */
  #unacknowledged = false;

  constructor(ctx: VmmContext, client: VfioClient, planned: PlannedFunction) {
    this.#ctx = ctx;
    this.#client = client;
    this.#planned = planned;
  }

  /** Nothing is asked of vfio before the first vector is registered. */
  *alloc(kind: IrqKind, count: number): Process<number> {
    const irq = yield* this.#client.getIrqInfo(INDEX[kind]);
    if (typeof irq === "number" || irq.count === 0) return -EINVAL;
    this.#kind = kind;
    return Math.min(count, kind === "msix" ? Math.min(irq.count, MAX_VECTORS) : 1);
  }

  /** dev_irq_register, or rte_intr_enable. What comes back from vfio is the driver's result. */
  *request(vector: number, fired: () => void): Process<number> {
    const { events, loop } = this.#ctx;
    if (this.#kind === "msix" && this.#maxVectors === 0) yield* this.#prepare();
    if (this.#kind === "msix" && vector > this.#maxVectors) return -EINVAL;
    const event = yield* events.create(rowOf(this.#planned.rows, this.#kind, vector));
    if (event === null) return -ENODEV;
    loop.setHandler(event, HANDLER_VECTOR, this.#planned.index, vector);
    this.#callbacks[vector] = { event, fired };
    const result = yield* this.#set(vector, event.fd);
    if (result !== 0) this.#error(vector, result);
    else if (this.#kind === "intx") yield* this.#intx(SET_NONE_UNMASK);
    return result > 0 ? -EINVAL : result;
  }

  /** irq_get_info and irq_init, whose failure nobody looks at. */
  *#prepare(): Process {
    const irq = yield* this.#client.getIrqInfo(VFIO_PCI_MSIX_IRQ_INDEX);
    const count = typeof irq === "number" ? 0 : Math.min(irq.count, MAX_VECTORS);
    this.#maxVectors = count;
    const none = new Array<number>(count).fill(-1);
    const { client, index } = { client: this.#client, index: VFIO_PCI_MSIX_IRQ_INDEX };
    const result = yield* client.setIrqs(index, 0, count, SET_EVENTFD_TRIGGER, none);
    if (result !== 0) this.#error(-1, result);
  }

  *#set(vector: number, fd: number): Process<number> {
    const index = INDEX[this.#kind];
    return yield* this.#client.setIrqs(index, vector, 1, SET_EVENTFD_TRIGGER, [fd]);
  }

  *#intx(flags: number): Process {
    yield* this.#client.setIrqs(VFIO_PCI_INTX_IRQ_INDEX, 0, 1, flags);
  }

  /** dev_irq_unregister closes the eventfd before vfio lets go of it. */
  *free(vector: number): Process {
    const callback = this.#callbacks[vector] ?? null;
    if (callback === null) return;
    this.#callbacks[vector] = null;
    if (this.#kind === "msix") {
      yield* this.#ctx.events.close(callback.event);
      yield* this.#set(vector, -1);
      return;
    }
    yield* this.#turnOff();
    yield* this.#ctx.events.close(callback.event);
  }

  /** dev_irqs_disable: the range has to be prepared anew before the next vector. */
  *freeAll(): Process {
    for (let vector = 0; vector < this.#callbacks.length; vector++) yield* this.free(vector);
    if (this.#kind === "msix" && this.#maxVectors > 0) yield* this.#turnOff();
    this.#maxVectors = 0;
  }

  /** rte_intr_disable. */
  *#turnOff(): Process {
    if (this.#kind === "intx") yield* this.#intx(SET_NONE_MASK);
    yield* this.#client.setIrqs(INDEX[this.#kind], 0, 0, SET_NONE_TRIGGER);
  }

  /** The interrupt thread has read a vector's eventfd. Hot path. */
  fired(vector: number): void {
    const callback = this.#callbacks[vector] ?? null;
    assert(callback !== null, "an eventfd without a callback was read");
    if (this.#kind === "intx") this.#unacknowledged = true;
    callback.fired();
  }

  /** rte_intr_ack: vfio masked INTx when it signalled. */
  acknowledge(): void {
    if (!this.#unacknowledged) return;
    this.#unacknowledged = false;
    this.#ctx.spawn("rte_intr_ack", () => this.#intx(SET_NONE_UNMASK));
  }

  #error(vector: number, result: number): void {
    const device = this.#planned.spec.name;
    this.#ctx.counters.add("failed_to_set_irqs");
    this.#ctx.env.tracer.emit("vfio_msix_fixup_error", { device, vector, result });
  }
}
