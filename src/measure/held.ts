/**
 * What one function holds of a machine's interrupts, integrated over time: irqs, remapping entries
 * and CPU vectors, with a handler (armed) and without (idle).
 */
import type { Clock } from "../time/clock.ts";

/** Held with a handler, and without; in unit-nanoseconds. */
export interface ArmedIdle {
  readonly armed: number;
  readonly idle: number;
}

export interface HeldReport {
  /** Irqs that were allocated, and given back, since the start. */
  readonly allocations: number;
  readonly frees: number;
  /** request_irq that succeeded, and free_irq. */
  readonly requests: number;
  readonly handlersFreed: number;
  readonly irqNs: ArmedIdle;
  /** Entries of the shared table: IRTEs, LPIs or SPIs. */
  readonly entryNs: ArmedIdle;
  readonly vectorNs: ArmedIdle;
}

export class HeldAccount {
  readonly #clock: Clock;
  #since: number;
  #allocations = 0;
  #frees = 0;
  #requests = 0;
  #handlersFreed = 0;
  #irqs = 0;
  #armed = 0;
  #entries = 0;
  #vectors = 0;
  #irqNs = 0;
  #armedNs = 0;
  #entryNs = 0;
  #idleEntryNs = 0;
  #vectorNs = 0;
  #idleVectorNs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.now();
  }

  /** Irqs with a handler. */
  get armed(): number {
    return this.#armed;
  }

  get entries(): number {
    return this.#entries;
  }

  get vectors(): number {
    return this.#vectors;
  }

  /** Entries that serve no handler: of a block of MSI also those that no irq has. */
  get idleEntries(): number {
    return Math.max(0, this.#entries - this.#armed);
  }

  /** CPU vectors of irqs without a handler: MSI that cannot be masked, or a free_irq under way. */
  get idleVectors(): number {
    return Math.max(0, this.#vectors - this.#armed);
  }

  allocated(): void {
    this.#advance();
    this.#irqs++;
    this.#allocations++;
  }

  freed(): void {
    this.#advance();
    this.#irqs--;
    this.#frees++;
  }

  requested(): void {
    this.#advance();
    this.#armed++;
    this.#requests++;
  }

  handlerFreed(): void {
    this.#advance();
    this.#armed--;
    this.#handlersFreed++;
  }

  /** `n` entries more, or less. */
  addEntries(n: number): void {
    this.#advance();
    this.#entries += n;
  }

  addVector(n: 1 | -1): void {
    this.#advance();
    this.#vectors += n;
  }

  /** Up to the present instant. */
  report(): HeldReport {
    this.#advance();
    const irqNs = { armed: this.#armedNs, idle: this.#irqNs - this.#armedNs };
    const entryNs = { armed: this.#entryNs - this.#idleEntryNs, idle: this.#idleEntryNs };
    const vectorNs = { armed: this.#vectorNs - this.#idleVectorNs, idle: this.#idleVectorNs };
    return {
      allocations: this.#allocations,
      frees: this.#frees,
      requests: this.#requests,
      handlersFreed: this.#handlersFreed,
      irqNs,
      entryNs,
      vectorNs,
    };
  }

  #advance(): void {
    const now = this.#clock.now();
    const ns = now - this.#since;
    if (ns === 0) return;
    this.#since = now;
    this.#irqNs += this.#irqs * ns;
    this.#armedNs += this.#armed * ns;
    this.#entryNs += this.#entries * ns;
    this.#idleEntryNs += this.idleEntries * ns;
    this.#vectorNs += this.#vectors * ns;
    this.#idleVectorNs += this.idleVectors * ns;
  }
}
