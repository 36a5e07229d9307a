/** INTx of a vfio-pci device (drivers/vfio/pci/vfio_pci_intrs.c with the persistent handler). */
import { EINVAL, ENODEV, ENOTTY } from "../../src/base/errno.ts";
import { type Process, sleep } from "../../src/time/process.ts";
import {
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_NUM_IRQS,
} from "../../src/uapi/vfio.ts";
import type { IrqAction } from "../irq/types.ts";
import type { EventfdCtx } from "../process/eventfd-ctx.ts";
import type { VfioCoreDevice } from "./core-device.ts";
import type { IrqSetCall } from "./set-irqs.ts";
import { VirqfdSlot } from "./virqfd.ts";

/*
 * Tokens: the function holds the token of an assertion until the handler (or the unmask that finds
 * the line still high) takes it and signals. A level that stays high is signalled again at every
 * unmask; each repetition is a token of its own.
 */

export class VfioIntx implements IrqAction {
  readonly #dev: VfioCoreDevice;
  readonly #row: number;
  readonly #unmaskVirqfd: VirqfdSlot;
  #masked = false;
  /** The handler is signalling: whoever hears it may want to unmask. */
  #inHandler = false;
  #unmaskLater = false;
  #trigger: EventfdCtx | null = null;
  /** The line has this handler. */
  #isRequested = false;

  constructor(dev: VfioCoreDevice) {
    this.#dev = dev;
    this.#row = dev.meter.row("intx", 0);
    const { scheduler, costs } = dev.host.env;
    const work = {
      name: `${dev.fn.name}.unmask`,
      handler: () => this.#unmaskHandler(),
      thread: () => this.#injectThread(),
    };
    this.#unmaskVirqfd = new VirqfdSlot(work, scheduler, costs.threadWake);
  }

  get enabled(): boolean {
    return this.#dev.irqType === VFIO_PCI_INTX_IRQ_INDEX;
  }

  /** vfio_intx_handler. */
  handleIrq(): boolean {
    const dev = this.#dev;
    if (dev.pci23) {
      // The line may be shared: only a function that asserts it, and is not masked, is meant.
      if (this.#masked || !dev.fn.intxAsserted) return false;
      dev.meter.handler(this.#row);
      dev.fn.setIntxDisable(true);
    } else {
      dev.meter.handler(this.#row);
      dev.host.pool.disableLine(dev.client);
    }
    this.#masked = true;
    dev.client.intxInService = true;
    this.#inHandler = true;
    this.#sendEventfd();
    this.#inHandler = false;
    return true;
  }

  /** vfio_pci_intx_mask: by ioctl, or by config space even when INTx is not in use. */
  mask(): void {
    const dev = this.#dev;
    if (!this.enabled) {
      if (dev.pci23) dev.fn.setIntxDisable(true);
      return;
    }
    if (this.#masked) return;
    this.#masked = true;
    if (dev.pci23) dev.fn.setIntxDisable(true);
    else dev.host.pool.disableLine(dev.client);
  }

  /** vfio_pci_intx_unmask. */
  unmask(): void {
    if (this.#unmaskHandler()) this.#sendEventfd();
  }

  /** vfio_pci_set_intx_mask. */
  setMask(call: IrqSetCall): number {
    if (!this.enabled || call.start !== 0 || call.count !== 1) return -EINVAL;
    if ((call.flags & VFIO_IRQ_SET_DATA_EVENTFD) !== 0) return -ENOTTY;
    if ((call.flags & VFIO_IRQ_SET_DATA_NONE) !== 0 || call.bool(0)) this.mask();
    return 0;
  }

  /** vfio_pci_set_intx_unmask. */
  setUnmask(call: IrqSetCall): number {
    if (!this.enabled || call.start !== 0 || call.count !== 1) return -EINVAL;
    if ((call.flags & VFIO_IRQ_SET_DATA_EVENTFD) !== 0) {
      const fd = call.fd(0);
      if (fd >= 0) return this.#unmaskVirqfd.enable(fd, this.#dev.fds);
      this.#unmaskVirqfd.disable();
      return 0;
    }
    if ((call.flags & VFIO_IRQ_SET_DATA_NONE) !== 0 || call.bool(0)) this.unmask();
    return 0;
  }

  /** vfio_pci_set_intx_trigger. */
  *setTrigger(call: IrqSetCall): Process<number> {
    const { start, count, flags } = call;
    const dev = this.#dev;
    if (this.enabled && count === 0 && (flags & VFIO_IRQ_SET_DATA_NONE) !== 0) {
      yield* this.disable();
      return 0;
    }
    if (!this.enabled && dev.irqType !== VFIO_PCI_NUM_IRQS) return -EINVAL;
    if (start !== 0 || count !== 1) return -EINVAL;
    if ((flags & VFIO_IRQ_SET_DATA_EVENTFD) !== 0) return yield* this.#setEventfd(call.fd(0));
    if (!this.enabled) return -EINVAL;
    if ((flags & VFIO_IRQ_SET_DATA_BOOL) === 0 || call.bool(0)) this.#loopback();
    return 0;
  }

  /** vfio_intx_disable. DisINTx stays as it is. */
  *disable(): Process {
    const dev = this.#dev;
    dev.client.intxInService = false;
    this.#unmaskVirqfd.disable();
    if (this.#isRequested) yield* dev.host.pool.freeLine(dev.client, this);
    this.#isRequested = false;
    this.#trigger?.put();
    this.#trigger = null;
    dev.irqType = VFIO_PCI_NUM_IRQS;
    dev.host.env.tracer.emit("vfio_intx_disable", { device: dev.fn.name });
  }

  *#setEventfd(fd: number): Process<number> {
    const dev = this.#dev;
    if (this.enabled && dev.host.bugs.includes("intx-set-signal")) {
      return yield* this.#reinstall(fd);
    }
    let trigger: EventfdCtx | null = null;
    if (fd >= 0) {
      yield* sleep(dev.host.env.costs.eventfdGet);
      const ctx = dev.fds.eventfdGet(fd);
      if (typeof ctx === "number") return ctx;
      trigger = ctx;
    }
    if (this.enabled) {
      this.#setSignal(trigger);
      return 0;
    }
    const result = yield* this.#enable(trigger);
    if (result < 0) trigger?.put();
    return result;
  }

  /** vfio_intx_set_signal: the handler stays, only the eventfd changes. */
  #setSignal(trigger: EventfdCtx | null): void {
    const old = this.#trigger;
    this.#trigger = trigger;
    if (old === null) return;
    this.#unmaskVirqfd.flush();
    old.put();
  }

  /** vfio_intx_set_signal before 6.9: see PatchBug. */
  *#reinstall(fd: number): Process<number> {
    const dev = this.#dev;
    const { pool, env } = dev.host;
    const old = this.#trigger;
    if (this.#isRequested) {
      this.#isRequested = false;
      yield* pool.freeLine(dev.client, this);
    }
    this.#trigger = null;
    old?.put();
    if (fd < 0) return 0;
    yield* sleep(env.costs.eventfdGet);
    const ctx = dev.fds.eventfdGet(fd);
    if (typeof ctx === "number") return ctx;
    this.#trigger = ctx;
    const result = yield* pool.requestLine(dev.client, this, dev.pci23);
    this.#isRequested = result === 0;
    if (result < 0) {
      this.#trigger = null;
      ctx.put();
    } else if (!dev.pci23 && this.#masked) pool.disableLine(dev.client);
    return result;
  }

  /** vfio_intx_enable. */
  *#enable(trigger: EventfdCtx | null): Process<number> {
    const dev = this.#dev;
    const { pool, env } = dev.host;
    if (dev.client.line < 0) return -ENODEV;
    this.#trigger = trigger;
    this.#masked = dev.virqDisabled;
    if (dev.pci23) dev.fn.setIntxDisable(this.#masked);
    dev.irqType = VFIO_PCI_INTX_IRQ_INDEX;
    const autoEnable = dev.pci23 || !this.#masked;
    const result = yield* pool.requestLine(dev.client, this, dev.pci23, autoEnable);
    this.#isRequested = result === 0;
    env.tracer.emit("vfio_intx_enable", { device: dev.fn.name, result });
    if (result < 0) {
      dev.irqType = VFIO_PCI_NUM_IRQS;
      this.#trigger = null;
    }
    return result;
  }

  /** vfio_pci_intx_unmask_handler: true if the line is still high and has to be signalled. */
  #unmaskHandler(): boolean {
    const dev = this.#dev;
    if (!this.enabled) {
      if (dev.pci23) dev.fn.setIntxDisable(false);
      return false;
    }
    if (!this.#masked || dev.virqDisabled) return false;
    // Userspace may unmask with the very eventfd that is being signalled. The line would interrupt
    // again before anything else can run: a real CPU is stormed, here others have their turn.
    this.#unmaskLater = this.#inHandler && !dev.pci23;
    if (this.#unmaskLater) return true;
    dev.client.intxInService = dev.pci23 && dev.fn.intxAsserted;
    if (!dev.pci23) {
      // A line that is still high interrupts inside, and masks again.
      this.#masked = false;
      dev.host.pool.enableLine(dev.client);
      return false;
    }
    if (dev.fn.intxAsserted) return true;
    this.#masked = false;
    dev.fn.setIntxDisable(false);
    return false;
  }

  /** vfio_send_intx_eventfd from the work queue, or an unmask that had to wait for it. */
  #injectThread(): void {
    if (!this.#unmaskLater) {
      this.#sendEventfd();
      return;
    }
    this.#unmaskLater = false;
    this.unmask();
  }

  /** vfio_send_intx_eventfd for a real interrupt. */
  #sendEventfd(): void {
    const dev = this.#dev;
    if (!this.enabled || dev.virqDisabled) return;
    const { clock, costs } = dev.host.env;
    const { meter } = dev;
    const first = dev.fn.takeIntx();
    if (this.#trigger === null) {
      if (first) meter.dropped(this.#row, "dropped-no-handler");
      if (dev.host.bugs.includes("intx-set-signal")) dev.host.oops("vfio_send_intx_eventfd");
      return;
    }
    if (!first) meter.raise(this.#row, clock.now());
    clock.spend(costs.eventfdSignal);
    meter.signalled(this.#row);
    this.#trigger.signal(this.#row, meter);
  }

  /** Software triggers INTx, masked or not: a token of its own. */
  #loopback(): void {
    const { meter, host, virqDisabled } = this.#dev;
    if (virqDisabled || this.#trigger === null) return;
    meter.raise(this.#row, host.env.clock.now());
    this.#trigger.signal(this.#row, meter);
  }
}
