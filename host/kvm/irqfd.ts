/** An irqfd (virt/kvm/eventfd.c): an eventfd whose signal is an interrupt of the guest. */
import type { DeviceMeter } from "../device/meter.ts";
import type { EventfdCtx, EventfdListener } from "../process/eventfd-ctx.ts";
import type { GsiTarget } from "./routing.ts";

/** What an irqfd needs of its VM. */
export interface IrqfdVm {
  inject(irqfd: Irqfd, row: number, meter: DeviceMeter | null): void;
  /** The eventfd's descriptor was closed. */
  gone(irqfd: Irqfd): void;
}

export class Irqfd implements EventfdListener {
  readonly ctx: EventfdCtx;
  readonly gsi: number;
  /** Signalled when the guest has acknowledged the level interrupt, or null. */
  readonly resample: EventfdCtx | null;
  /** irqfd_update: the route, looked up when the table changes and not when a signal comes. */
  target: GsiTarget | null = null;
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

  /** irqfd_shutdown. */
  shutdown(): void {
    this.ctx.removeListener(this);
    this.ctx.put();
    this.resample?.put();
  }
}
