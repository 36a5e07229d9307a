/**
 * The irq bypass manager (virt/lib/irqbypass.c): brings a producer, the host interrupt that a
 * driver signals through an eventfd, together with a consumer, the irqfd that takes that eventfd,
 * so that the interrupt can go past both.
 */
import { EBUSY } from "../../src/base/errno.ts";
import type { VcpuInfo } from "../irq/posted-irte.ts";
import type { EventfdCtx } from "../process/eventfd-ctx.ts";

/** An interrupt of a device: vfio's trigger. */
export interface BypassProducer {
  /** The token by which both know each other. */
  readonly ctx: EventfdCtx;
  /** irq_set_vcpu_affinity: post to this vCPU from now on, or (null) to the host again. */
  setVcpuAffinity(info: VcpuInfo | null): number;
}

/** An irqfd. */
export interface BypassConsumer {
  readonly ctx: EventfdCtx;
  /** 0, or a negative errno and they stay apart. */
  addProducer(producer: BypassProducer): number;
  delProducer(producer: BypassProducer): void;
}

/** Either side may come first, and either may go first. */
export class IrqBypass {
  readonly #producers = new Map<EventfdCtx, BypassProducer>();
  readonly #consumers = new Map<EventfdCtx, BypassConsumer>();

  /** irq_bypass_register_producer: 0, -EBUSY where the eventfd has one, or the consumer's error. */
  registerProducer(producer: BypassProducer): number {
    if (this.#producers.has(producer.ctx)) return -EBUSY;
    const result = this.#consumers.get(producer.ctx)?.addProducer(producer) ?? 0;
    if (result === 0) this.#producers.set(producer.ctx, producer);
    return result;
  }

  /** irq_bypass_unregister_producer; nothing happens to one that was refused. */
  unregisterProducer(producer: BypassProducer): void {
    if (this.#producers.get(producer.ctx) !== producer) return;
    this.#producers.delete(producer.ctx);
    this.#consumers.get(producer.ctx)?.delProducer(producer);
  }

  /** irq_bypass_register_consumer: 0, -EBUSY where the eventfd has one, or its own error. */
  registerConsumer(consumer: BypassConsumer): number {
    if (this.#consumers.has(consumer.ctx)) return -EBUSY;
    const producer = this.#producers.get(consumer.ctx);
    const result = producer === undefined ? 0 : consumer.addProducer(producer);
    if (result === 0) this.#consumers.set(consumer.ctx, consumer);
    return result;
  }

  /** irq_bypass_unregister_consumer; nothing happens to one that was refused. */
  unregisterConsumer(consumer: BypassConsumer): void {
    if (this.#consumers.get(consumer.ctx) !== consumer) return;
    this.#consumers.delete(consumer.ctx);
    const producer = this.#producers.get(consumer.ctx);
    if (producer !== undefined) consumer.delProducer(producer);
  }
}
