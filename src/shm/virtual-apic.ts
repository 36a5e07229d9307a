/** Interrupt request registers of a guest's vCPUs in shared memory: the kernel sets, vCPUs take. */
import { CACHE_LINE_BYTES } from "./arena.ts";

/*
 * Each vCPU has 256 request bits in one cache line; one word for the guest says which vCPUs have
 * any. set(): request bit first, then the vCPU's bit if it is not set. take(): the vCPU bits by
 * exchange first, then the request words. If set() sees the vCPU bit set, the taker has not
 * exchanged it yet and looks at the request words later: nothing is lost.
 */

const WORDS_PER_VCPU = CACHE_LINE_BYTES / 4;
const IRR_WORDS = 8;
export const VCPUS_MAX = 32;

export class VirtualApic {
  readonly vcpus: number;
  readonly #pending: Int32Array;
  readonly #irr: Int32Array;

  constructor(memory: SharedArrayBuffer, offset: number, vcpus: number) {
    this.vcpus = vcpus;
    this.#pending = new Int32Array(memory, offset, 1);
    this.#irr = new Int32Array(memory, offset + CACHE_LINE_BYTES, vcpus * WORDS_PER_VCPU);
  }

  static bytes(vcpus: number): number {
    return CACHE_LINE_BYTES * (1 + vcpus);
  }

  /** Requests `vector` (0-255) on `vcpu`; false if it was requested already: coalesced. */
  set(vcpu: number, vector: number): boolean {
    const bit = 1 << (vector & 31);
    const old = Atomics.or(this.#irr, vcpu * WORDS_PER_VCPU + (vector >>> 5), bit);
    if ((Atomics.load(this.#pending, 0) & (1 << vcpu)) === 0) {
      Atomics.or(this.#pending, 0, 1 << vcpu);
    }
    return (old & bit) === 0;
  }

  /** True if some vCPU has a request. */
  pending(): boolean {
    return Atomics.load(this.#pending, 0) !== 0;
  }

  /**
   * Takes all requests into `out` as vcpu << 8 | vector, highest vector first for each vCPU as an
   * APIC delivers them, and returns how many. `out` must hold vcpus * 256.
   */
  take(out: Int32Array): number {
    let vcpus = Atomics.exchange(this.#pending, 0, 0);
    let taken = 0;
    while (vcpus !== 0) {
      const vcpu = 31 - Math.clz32(vcpus & -vcpus);
      vcpus &= vcpus - 1;
      if (vcpu >= this.vcpus) continue;
      for (let word = IRR_WORDS - 1; word >= 0; word--) {
        const at = vcpu * WORDS_PER_VCPU + word;
        if (Atomics.load(this.#irr, at) === 0) continue;
        let bits = Atomics.exchange(this.#irr, at, 0);
        while (bits !== 0) {
          const bit = 31 - Math.clz32(bits);
          out[taken++] = (vcpu << 8) | (word * 32 + bit);
          bits &= ~(1 << bit);
        }
      }
    }
    return taken;
  }
}
