/**
 * One device's irqs without a trigger: which, since when, and what its policy does with them. Idle
 * counts from the end of the call that leaves an irq so: between the two eventfds of a swap it is
 * not idle. All changes come from calls that hold the device's igate.
 */
import { assert } from "../../../src/base/assert.ts";
import { type IdleRelease, type IdleSpans, noReleases } from "../../../src/measure/idle-spans.ts";
import type { RetentionPolicy, TeardownReason } from "../../../src/run/retention-policy.ts";
import type { TimedEvent } from "../../../src/time/event-heap.ts";
import { type Process, withLock } from "../../../src/time/process.ts";
import { VFIO_PCI_MSIX_IRQ_INDEX } from "../../../src/uapi/vfio.ts";
import { type VfioCoreDevice, withMemoryEnabled } from "../core-device.ts";

export class DeviceRetention {
  readonly device: string;
  readonly policy: RetentionPolicy;
  /** How often an idle irq was used again, and what else ended its idling. */
  reused = 0;
  readonly released = noReleases();
  /** How often a vector whose irq the policy had given back got none again. */
  refusedAgain = 0;
  /** Shared by all devices with the same policy. */
  readonly #spans: IdleSpans;
  #dev: VfioCoreDevice | null = null;
  /** Irqs that were idle when the last call ended, longest first, and since when. */
  readonly #idle = new Map<number, number>();
  /** Irqs that the call under way has left without a trigger so far. */
  readonly #fresh = new Map<number, number>();
  /** Allocated after enabling. */
  readonly #dynamic = new Set<number>();
  /** Have had a trigger since MSI or MSI-X was enabled. */
  readonly #used = new Set<number>();
  /** Their irqs went back while MSI-X was on, and nobody has them again. */
  readonly #givenBack = new Set<number>();
  #timer: TimedEvent | null = null;

  constructor(device: string, policy: RetentionPolicy, spans: IdleSpans) {
    this.device = device;
    this.policy = policy;
    this.#spans = spans;
  }

  opened(dev: VfioCoreDevice): void {
    this.#dev = dev;
    dev.client.idle = this.#idle;
  }

  closed(): void {
    this.disabled();
    this.#dev = null;
  }

  /** Idle irqs when the last call ended. */
  get idle(): number {
    return this.#idle.size;
  }

  /** Ages of what is idle now, ns. */
  ages(now: number): number[] {
    return [...this.#idle.values()].map((since) => now - since);
  }

  /** The irqs of the first range; the last one is the first to go. */
  enabled(count: number): void {
    const now = this.#now();
    for (let vector = count - 1; vector >= 0; vector--) this.#fresh.set(vector, now);
  }

  /** An irq was allocated after enabling. */
  allocated(vector: number): void {
    this.#givenBack.delete(vector);
    this.#dynamic.add(vector);
    this.#fresh.set(vector, this.#now());
  }

  /** There is no irq to be had for a vector: what the review calls unreliable re-allocation. */
  refused(vector: number): void {
    if (this.#givenBack.has(vector)) this.refusedAgain++;
  }

  /** A trigger is armed; `startNs` is when the host began to work for it. */
  armed(vector: number, startNs: number): void {
    const now = this.#now();
    this.#spans.armed(now - startNs, this.#used.has(vector));
    this.#used.add(vector);
    if (this.#fresh.delete(vector)) return;
    const since = this.#idle.get(vector);
    if (since === undefined) return;
    this.#idle.delete(vector);
    this.reused++;
    this.#spans.reused(now - since);
  }

  /** A trigger is gone, or its irq got none: keeps the irq, or frees it at once. */
  *tornDown(vector: number, reason: TeardownReason): Process {
    const dev = this.#open();
    if (!this.#idle.has(vector)) this.#fresh.set(vector, this.#now());
    if (!this.#canFree(dev)) return;
    const { device } = this;
    const idle = this.#idle.size + this.#fresh.size - 1;
    const irq = { device, vector, dynamic: this.#dynamic.has(vector), idle };
    if (!this.policy.freesAfterTeardown(irq, reason)) return;
    yield* withMemoryEnabled(dev, () => this.#free(vector, "teardown"));
  }

  /** MSI or MSI-X is off: nothing is held any more. */
  disabled(): void {
    if (this.#dev !== null) {
      const now = this.#now();
      for (const since of this.#idle.values()) this.#spans.released(now - since, "disable");
      this.released.disable += this.#idle.size;
    }
    this.#idle.clear();
    this.#fresh.clear();
    this.#dynamic.clear();
    this.#used.clear();
    this.#givenBack.clear();
    this.#disarmTimer();
  }

  /** The end of a SET_IRQS, igate still held: what has no trigger now is idle. */
  *callEnded(): Process {
    const dev = this.#open();
    const { idleMax = Number.POSITIVE_INFINITY } = this.policy;
    if (this.#canFree(dev) && this.#idle.size + this.#fresh.size > idleMax) {
      yield* withMemoryEnabled(dev, () => this.#keep(idleMax));
    }
    for (const [vector, since] of this.#fresh) this.#idle.set(vector, since);
    this.#fresh.clear();
    if (this.#canFree(dev)) this.#armTimer();
  }

  /** Frees what is too much: the longest idle first, what this call has left last. */
  *#keep(most: number): Process {
    while (this.#idle.size + this.#fresh.size > most) {
      const first = this.#idle.keys().next().value ?? this.#fresh.keys().next().value!;
      yield* this.#free(first, "cap");
    }
  }

  /** Since when the longest idle irq that others may take now has been so, or Infinity. */
  reclaimableSince(within: VfioCoreDevice["client"] | null): number {
    const dev = this.#dev;
    if (dev === null || this.policy.reclaim === undefined || this.#idle.size === 0) {
      return Number.POSITIVE_INFINITY;
    }
    const own = dev.client === within;
    if (!this.#canFree(dev) || (!own && (dev.igate.locked || dev.memoryLock.locked))) {
      return Number.POSITIVE_INFINITY;
    }
    return this.#idle.values().next().value!;
  }

  get client(): VfioCoreDevice["client"] | null {
    return this.#dev?.client ?? null;
  }

  /**
   * Takes the longest idle irq away; call it right after `reclaimableSince` said that there is one.
   * A device that reclaims from itself, `within` its own call, has the locks already.
   */
  *reclaim(within: VfioCoreDevice["client"] | null): Process {
    const dev = this.#open();
    const free = (): Process => this.#free(this.#oldest(), "pressure");
    if (dev.client === within) yield* free();
    else yield* withLock(dev.igate, () => withMemoryEnabled(dev, free));
  }

  /** Single irqs can be freed: dynamic MSI-X is on. */
  #canFree(dev: VfioCoreDevice): boolean {
    return dev.hasDynMsix && dev.irqType === VFIO_PCI_MSIX_IRQ_INDEX;
  }

  *#free(vector: number, cause: IdleRelease): Process {
    const dev = this.#open();
    const since = this.#idle.get(vector);
    this.released[cause]++;
    this.#spans.freed(cause, since === undefined ? null : this.#now() - since);
    this.#idle.delete(vector);
    this.#fresh.delete(vector);
    this.#dynamic.delete(vector);
    this.#givenBack.add(vector);
    yield* dev.host.pool.pciMsixFreeIrq(dev.client, vector);
  }

  #oldest(): number {
    const vector = this.#idle.keys().next().value;
    assert(vector !== undefined, () => `${this.device} has no idle irq`);
    return vector;
  }

  #armTimer(): void {
    const timeoutNs = this.policy.idleTimeoutNs;
    if (timeoutNs === undefined || this.#timer !== null || this.#idle.size === 0) return;
    const { scheduler } = this.#open().host.env;
    const at = this.#idle.get(this.#oldest())! + timeoutNs;
    const actor = `kernel/${this.device}`;
    const run = (): void => {
      this.#timer = null;
      scheduler.spawn(`${this.device}.idle-timeout`, this.#expire(timeoutNs), actor);
    };
    this.#timer = scheduler.at(Math.max(at, this.#now()), run, actor);
  }

  #disarmTimer(): void {
    if (this.#timer !== null) this.#timer.cancelled = true;
    this.#timer = null;
  }

  *#expire(timeoutNs: number): Process {
    const dev = this.#dev;
    if (dev === null) return;
    yield* withLock(dev.igate, () => this.#freeExpired(dev, timeoutNs));
  }

  *#freeExpired(dev: VfioCoreDevice, timeoutNs: number): Process {
    // Meanwhile the device may have been closed, and even opened again.
    const due = (): boolean =>
      this.#dev === dev &&
      this.#idle.size > 0 &&
      this.#idle.get(this.#oldest())! + timeoutNs <= this.#now();
    while (due()) yield* withMemoryEnabled(dev, () => this.#freeIf(due));
    if (this.#dev === dev) this.#armTimer();
  }

  /** The memory lock may have been waited for, through a reset or a close. */
  *#freeIf(due: () => boolean): Process {
    if (due()) yield* this.#free(this.#oldest(), "timeout");
  }

  #open(): VfioCoreDevice {
    assert(this.#dev !== null, () => `${this.device} is not open`);
    return this.#dev;
  }

  #now(): number {
    return this.#open().host.env.clock.now();
  }
}
