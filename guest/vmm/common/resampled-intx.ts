/** INTx whose eventfd KVM takes and whose end KVM tells vfio: an irqfd with a resample eventfd. */
import { EMFILE } from "../../../src/base/errno.ts";
import type { Process } from "../../../src/time/process.ts";
import { VFIO_PCI_INTX_IRQ_INDEX } from "../../../src/uapi/vfio.ts";
import type { VmmContext } from "./context.ts";
import {
  SET_EVENTFD_TRIGGER,
  SET_EVENTFD_UNMASK,
  SET_NONE_MASK,
  SET_NONE_TRIGGER,
  SET_NONE_UNMASK,
} from "./irq-set.ts";
import type { KvmClient } from "./kvm-client.ts";
import type { Notifier } from "./main-loop.ts";
import type { OpenedDevice } from "./open-device.ts";

export class ResampledIntx {
  readonly #ctx: VmmContext;
  readonly #opened: OpenedDevice;
  #trigger: Notifier | null = null;
  #resample: Notifier | null = null;
  #enabled = false;
  #kvm: KvmClient | null = null;

  constructor(ctx: VmmContext, opened: OpenedDevice) {
    this.#ctx = ctx;
    this.#opened = opened;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** Both eventfds and the irqfd, once; nothing for a device without INTx. 0 or an errno. */
  *connect(kvm: KvmClient): Process<number> {
    const { planned, irqCounts } = this.#opened;
    if (irqCounts[VFIO_PCI_INTX_IRQ_INDEX] === 0) return 0;
    this.#kvm = kvm;
    const { events } = this.#ctx;
    this.#trigger = yield* events.create(planned.rows.base);
    this.#resample = yield* events.create(-1);
    if (this.#trigger === null || this.#resample === null) return -EMFILE;
    return yield* kvm.assignIrqfd(this.#trigger, planned.intxPin, this.#resample);
  }

  /** Masked until KVM can unmask it. 0, or a negative errno: then INTx is off. */
  *enable(): Process<number> {
    if (this.#trigger === null || this.#resample === null || this.#enabled) return 0;
    const result = yield* this.#set(SET_EVENTFD_TRIGGER, [this.#trigger.fd]);
    if (result < 0) return this.#failed(result);
    this.#enabled = true;
    for (const [flags, fds] of [
      [SET_NONE_MASK, []],
      [SET_EVENTFD_UNMASK, [this.#resample.fd]],
      [SET_NONE_UNMASK, []],
    ] as const) {
      const step = yield* this.#set(flags, fds);
      if (step >= 0) continue;
      yield* this.disable();
      return this.#failed(step);
    }
    return 0;
  }

  /** Another trigger in the old one's place, while INTx is on: KVM knows it before vfio does. */
  *swap(): Process {
    const { planned } = this.#opened;
    const { events } = this.#ctx;
    const old = this.#trigger;
    if (!this.#enabled || old === null) return;
    const next = yield* events.create(planned.rows.base);
    if (next === null) return;
    yield* this.#kvm!.assignIrqfd(next, planned.intxPin, this.#resample);
    const result = yield* this.#set(SET_EVENTFD_TRIGGER, [next.fd]);
    if (result < 0) this.#failed(result);
    this.#trigger = next;
    yield* this.#kvm!.deassignIrqfd(old, planned.intxPin);
    yield* events.close(old);
  }

  *disable(): Process {
    if (!this.#enabled) return;
    this.#enabled = false;
    yield* this.#opened.client.setIrqs(VFIO_PCI_INTX_IRQ_INDEX, 0, 0, SET_NONE_TRIGGER);
  }

  /** The device goes. */
  *close(): Process {
    const { events } = this.#ctx;
    if (this.#trigger !== null) yield* events.close(this.#trigger);
    if (this.#resample !== null) yield* events.close(this.#resample);
    this.#trigger = null;
    this.#resample = null;
  }

  #failed(result: number): number {
    this.#ctx.counters.add("intx_errors");
    return result;
  }

  *#set(flags: number, fds: readonly number[]): Process<number> {
    return yield* this.#opened.client.setIrqs(VFIO_PCI_INTX_IRQ_INDEX, 0, 1, flags, fds);
  }
}
