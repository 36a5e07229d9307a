/** The local APICs of a guest's vCPUs: request registers, filled by the host and by the VMM. */
import type { GuestPort } from "../src/shm/border.ts";
import { NOT_SINGLE, QUEUE_ENTRIES } from "../src/shm/interrupt-queue.ts";

const IRR_WORDS = 8;

/** What they need of a border. */
type RequestPort = Pick<GuestPort, "interrupts" | "apic" | "shape">;

/**
 * Requests come from the host (interrupt queue, and request bits where that was full) and from the
 * VMM in this thread. They wait in the IRR until the vCPUs take interrupts; a request for a vector
 * that waits already merges with it.
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
    // The queue's and the request bits' may all merge.
    this.merged = new Int32Array(QUEUE_ENTRIES + this.vcpus * 256);
  }

  /** The VMM requests `vector` on `vcpu`, both in range; false if it waits already. */
  request(vcpu: number, vector: number): boolean {
    return this.#request((vcpu << 8) | vector);
  }

  /** True if the host has sent something new. */
  pending(): boolean {
    return this.#port.interrupts.pending() || this.#port.apic.pending();
  }

  /**
   * The one request there is, past the IRR: nothing else waits and the host has sent exactly one;
   * else NOT_SINGLE, and nothing has changed. Hot path.
   */
  takeSingle(): number {
    return this.waiting === 0 ? this.#port.interrupts.takeSingle() : NOT_SINGLE;
  }

  /** Moves what the host has sent into the IRR; returns how many requests that were. Hot path. */
  collect(): number {
    this.mergedCount = 0;
    const { interrupts, apic } = this.#port;
    const queued = interrupts.take(this.#incoming);
    for (let i = 0; i < queued; i++) this.#accept(this.#incoming[i]!);
    if (!apic.pending()) return queued;
    const bits = apic.take(this.#incoming);
    for (let i = 0; i < bits; i++) this.#accept(this.#incoming[i]!);
    return queued + bits;
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

  #accept(request: number): void {
    if (!this.#request(request)) this.merged[this.mergedCount++] = request;
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
