/**
 * The producers' half of the irq bypass manager (virt/lib/irqbypass.c): each vector with an eventfd
 * offers itself to whoever consumes that eventfd. An eventfd has one producer; a second is refused,
 * which costs it the bypass and the kernel log a line.
 */
import { EBUSY } from "../../src/base/errno.ts";
import type { EventfdCtx } from "../process/eventfd-ctx.ts";
import type { MsiTrigger } from "./msi-trigger.ts";

export class BypassProducers {
  readonly #producers = new Map<EventfdCtx, MsiTrigger>();

  /** irq_bypass_register_producer: 0, or -EBUSY where the eventfd has a producer already. */
  register(trigger: MsiTrigger): number {
    if (this.#producers.has(trigger.ctx)) return -EBUSY;
    this.#producers.set(trigger.ctx, trigger);
    return 0;
  }

  /** irq_bypass_unregister_producer; nothing happens to one that was refused. */
  unregister(trigger: MsiTrigger): void {
    if (this.#producers.get(trigger.ctx) === trigger) this.#producers.delete(trigger.ctx);
  }
}
