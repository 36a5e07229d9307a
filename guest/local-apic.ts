/** The local APICs of a guest's vCPUs: request registers, filled by the host and by the VMM. */
import type { GuestPort } from "../src/shm/border.ts";
import { NOT_SINGLE, QUEUE_ENTRIES } from "../src/shm/interrupt-queue.ts";

const IRR_WORDS = 8;

/** What they need of a border. */
type RequestPort = Pick<GuestPort, "interrupts" | "posted" | "apic" | "shape">;

/**
 * Requests come from KVM (interrupt queue, and request bits where that was full), from devices
 * whose interrupts are posted, and from the VMM in this thread. They wait in the IRR until the
 * vCPUs take interrupts; a request for a vector that waits already merges with it.
 */
export class LocalApics {
  readonly vcpus: number;
  /** Requests, vCPU << 8 | vector, that merged in the last `collect`. */
  readonly merged: Int32Array;
  mergedCount = 0;
  /** Vectors that wait. */
  waiting = 0;
  readonly #port: RequestPort;
  readonly #irr: Int32Array;
  readonly #incoming: Int32Array;
  /** The newest request that waits: where only one does, it is this. */
  #newest = 0;

  constructor(port: RequestPort) {
    this.vcpus = port.shape.vcpus;
    this.#port = port;
    this.#irr = new Int32Array(this.vcpus * IRR_WORDS);
    this.#incoming = new Int32Array(Math.max(QUEUE_ENTRIES, this.vcpus * 256));
    // The queue's, the posted and the request bits' may all merge.
    this.merged = new Int32Array(QUEUE_ENTRIES + 2 * this.vcpus * 256);
  }

  /** The VMM requests `vector` on `vcpu`, both in range; false if it waits already. */
  request(vcpu: number, vector: number): boolean {
    return this.#request((vcpu << 8) | vector);
  }

  /** True if the host has sent something new. */
  pending(): boolean {
    const { interrupts, posted, apic } = this.#port;
    return posted.pending() || interrupts.pending() || apic.pending();
  }

  /** As `pending`, by plain reads, which may be stale. */
  glance(): boolean {
    const { interrupts, posted, apic } = this.#port;
    return posted.glance() || interrupts.glance() || apic.glance();
  }

  /**
   * The one request there is, past the IRR: nothing else waits and one of the host's ways has
   * exactly one; else NOT_SINGLE, and nothing has changed. Hot path.
   */
  takeSingle(): number {
    if (this.waiting !== 0) return NOT_SINGLE;
    const posted = this.#port.posted.takeSingle();
    return posted !== NOT_SINGLE ? posted : this.#port.interrupts.takeSingle();
  }

  /**
   * Takes all that is posted into `out` (vcpus * 256), past the IRR, as `take` orders it; 0, and
   * nothing has changed, where others wait in the IRR. Hot path.
   */
  takePosted(out: Int32Array): number {
    return this.waiting === 0 ? this.#port.posted.take(out) : 0;
  }

  /** Moves what the host has sent into the IRR; returns how many requests that were. Hot path. */
  collect(): number {
    this.mergedCount = 0;
    const { interrupts, posted, apic } = this.#port;
    // What a plain look misses now a thread that polls will see in its next one.
    if (posted.polling && !this.glance()) return 0;
    let collected = this.#acceptAll(posted.take(this.#incoming));
    collected += this.#acceptAll(interrupts.take(this.#incoming));
    if (apic.pending()) collected += this.#acceptAll(apic.take(this.#incoming));
    return collected;
  }

  /** Takes all that waits into `out` (vcpus * 256): by vCPU, highest vector first as APICs do. */
  take(out: Int32Array): number {
    if (this.waiting === 1) {
      this.waiting = 0;
      this.#irr[this.#newest >>> 5] = 0;
      out[0] = this.#newest;
      return 1;
    }
    let taken = 0;
    for (let at = this.#irr.length - 1; this.waiting > taken && at >= 0; at--) {
      let bits = this.#irr[at]!;
      this.#irr[at] = 0;
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits);
        bits &= ~(1 << bit);
        out[taken++] = ((at >>> 3) << 8) | ((at & 7) << 5) | bit;
      }
    }
    this.waiting = 0;
    return taken;
  }

  #acceptAll(count: number): number {
    for (let i = 0; i < count; i++) {
      const request = this.#incoming[i]!;
      if (!this.#request(request)) this.merged[this.mergedCount++] = request;
    }
    return count;
  }

  #request(request: number): boolean {
    const at = request >>> 5;
    const bit = 1 << (request & 31);
    if ((this.#irr[at]! & bit) !== 0) return false;
    this.#irr[at]! |= bit;
    this.#newest = request;
    this.waiting++;
    return true;
  }
}
