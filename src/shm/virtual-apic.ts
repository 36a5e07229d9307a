/** Interrupt request registers of a guest's vCPUs in shared memory: the kernel sets, vCPUs take. */
import { assert } from "../base/assert.ts";
import { CACHE_LINE_BYTES } from "./arena.ts";

/*
 * Each vCPU has 256 request bits in one cache line; a summary has a bit for each of its eight
 * words, four vCPUs a summary word. set(): request bit first, then, if its word was empty, the
 * summary's bit. take(): a summary word by exchange first, then the request words it names.
 * Nothing is lost: set() skips the summary only if it saw the word non-empty, that is before the
 * taker's exchange of that word, which therefore takes the new bit too (or another setter, whose
 * bit made the word non-empty, is still on its way to the summary).
 */

const WORDS_PER_VCPU = CACHE_LINE_BYTES / 4;
const IRR_WORDS = 8;
const VCPUS_PER_SUMMARY = 32 / IRR_WORDS;
const IRR_WORDS_MASK = (1 << IRR_WORDS) - 1;
export const VCPUS_MAX = 32;

export class VirtualApic {
  readonly vcpus: number;
  readonly #summary: Int32Array;
  readonly #irr: Int32Array;

  constructor(memory: SharedArrayBuffer, offset: number, vcpus: number) {
    assert(vcpus >= 1 && vcpus <= VCPUS_MAX, `virtual APIC of ${vcpus} vCPUs`);
    this.vcpus = vcpus;
    this.#summary = new Int32Array(memory, offset, Math.ceil(vcpus / VCPUS_PER_SUMMARY));
    this.#irr = new Int32Array(memory, offset + CACHE_LINE_BYTES, vcpus * WORDS_PER_VCPU);
  }

  static bytes(vcpus: number): number {
    return CACHE_LINE_BYTES * (1 + vcpus);
  }

  /**
   * Requests `vector` (0-255) on `vcpu`, both checked by the caller; false if it was requested
   * already: coalesced.
   */
  set(vcpu: number, vector: number): boolean {
    const bit = 1 << (vector & 31);
    const word = vector >>> 5;
    const old = Atomics.or(this.#irr, vcpu * WORDS_PER_VCPU + word, bit);
    if (old !== 0) return (old & bit) === 0;
    const named = (vcpu % VCPUS_PER_SUMMARY) * IRR_WORDS + word;
    Atomics.or(this.#summary, (vcpu / VCPUS_PER_SUMMARY) | 0, 1 << named);
    return true;
  }

  /** True if some vCPU has a request. */
  pending(): boolean {
    for (let i = 0; i < this.#summary.length; i++) {
      if (Atomics.load(this.#summary, i) !== 0) return true;
    }
    return false;
  }

  /** As `pending`, by plain reads, which may be stale. */
  glance(): boolean {
    for (let i = 0; i < this.#summary.length; i++) if (this.#summary[i] !== 0) return true;
    return false;
  }

  /**
   * Takes all requests into `out` as vcpu << 8 | vector, highest vector first for each vCPU as an
   * APIC delivers them, and returns how many. `out` must hold vcpus * 256.
   */
  take(out: Int32Array): number {
    let taken = 0;
    for (let i = 0; i < this.#summary.length; i++) {
      if (Atomics.load(this.#summary, i) === 0) continue;
      const named = Atomics.exchange(this.#summary, i, 0);
      for (let n = 0; n < VCPUS_PER_SUMMARY; n++) {
        const vcpu = i * VCPUS_PER_SUMMARY + n;
        const words = (named >>> (n * IRR_WORDS)) & IRR_WORDS_MASK;
        // Bits past the last vCPU can only come from a guest that scribbles; they name nothing.
        if (words !== 0 && vcpu < this.vcpus) taken = this.#takeWords(vcpu, words, out, taken);
      }
    }
    return taken;
  }

  #takeWords(vcpu: number, words: number, out: Int32Array, taken: number): number {
    while (words !== 0) {
      const word = 31 - Math.clz32(words);
      words &= ~(1 << word);
      let bits = Atomics.exchange(this.#irr, vcpu * WORDS_PER_VCPU + word, 0);
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits);
        out[taken++] = (vcpu << 8) | (word * 32 + bit);
        bits &= ~(1 << bit);
      }
    }
    return taken;
  }
}
