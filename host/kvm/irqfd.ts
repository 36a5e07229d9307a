/** An irqfd (virt/kvm/eventfd.c): an eventfd whose signal is an interrupt of the guest. */
import type { DeviceMeter } from "../device/meter.ts";
import type { EventfdCtx, EventfdListener } from "../process/eventfd-ctx.ts";
import type { BypassConsumer, BypassProducer } from "./bypass.ts";
import type { PostedInterrupts } from "./posted.ts";
import type { GsiTarget } from "./routing.ts";

/** What an irqfd needs of its VM. */
export interface IrqfdVm {
  inject(irqfd: Irqfd, row: number, meter: DeviceMeter | null): void;
  /** The eventfd's descriptor was closed. */
  gone(irqfd: Irqfd): void;
  /** Null where interrupts cannot be posted. */
  readonly posted: PostedInterrupts | null;
}

export class Irqfd implements EventfdListener, BypassConsumer {
  readonly ctx: EventfdCtx;
  readonly gsi: number;
  /** Signalled when the guest has acknowledged the level interrupt, or null. */
  readonly resample: EventfdCtx | null;
  /** irqfd_update: the route, looked up when the table changes and not when a signal comes. */
  target: GsiTarget | null = null;
  /** The interrupt that may go past this irqfd, or null. */
  producer: BypassProducer | null = null;
  readonly #vm: IrqfdVm;

  /** Takes over the references to both eventfds. */
  constructor(vm: IrqfdVm, ctx: EventfdCtx, gsi: number, resample: EventfdCtx | null) {
    this.#vm = vm;
    this.ctx = ctx;
    this.gsi = gsi;
    this.resample = resample;
  }

  signalled(row: number, meter: DeviceMeter | null): void {
    this.#vm.inject(this, row, meter);
  }

  hangup(): void {
    this.#vm.gone(this);
  }

  /** kvm_arch_irq_bypass_add_producer. */
  addProducer(producer: BypassProducer): number {
    this.producer = producer;
    return this.#vm.posted!.update(this, producer, true);
  }

  /** kvm_arch_irq_bypass_del_producer. */
  delProducer(producer: BypassProducer): void {
    this.producer = null;
    this.#vm.posted!.update(this, producer, false);
  }

  /** irqfd_shutdown. */
  shutdown(): void {
    this.ctx.removeListener(this);
    this.#vm.posted?.shutdown(this);
    this.ctx.put();
    this.resample?.put();
  }
}
