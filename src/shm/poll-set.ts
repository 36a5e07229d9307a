/** Which of many sources are ready: a two-level bitmap, marked by producers, drained by one. */
import { roundToLine } from "./arena.ts";

/*
 * Marking sets the source's bit and then, if its word was empty, the word's bit in the summary.
 * Draining takes a summary word and then the words it names, both by exchange. No mark is lost:
 * a marker skips the summary only if it saw the word non-empty, that is before the drainer's
 * exchange of that word, which therefore takes the new bit too (or another marker, whose bit made
 * the word non-empty, is still on its way to the summary). Source state is published before the
 * mark, and looked at after the drain, so a drained source always shows what it was marked for.
 */

/** 32-bit words for `bits` bits, one at least. */
function wordsFor(bits: number): number {
  return Math.max(1, (bits + 31) >>> 5);
}

export class PollSet {
  readonly sources: number;
  readonly #words: Int32Array;
  readonly #summary: Int32Array;
  /** Word at which the next drain begins, so that busy low sources do not starve high ones. */
  #next = 0;

  constructor(memory: SharedArrayBuffer, offset: number, sources: number) {
    this.sources = sources;
    const words = wordsFor(sources);
    this.#summary = new Int32Array(memory, offset, wordsFor(words));
    this.#words = new Int32Array(memory, offset + roundToLine(this.#summary.byteLength), words);
  }

  static bytes(sources: number): number {
    const words = wordsFor(sources);
    return roundToLine(wordsFor(words) * 4) + roundToLine(words * 4);
  }

  /** Marks `source` ready. The caller then wakes the consumer. */
  mark(source: number): void {
    const word = source >>> 5;
    if (Atomics.or(this.#words, word, 1 << (source & 31)) !== 0) return;
    Atomics.or(this.#summary, word >>> 5, 1 << (word & 31));
  }

  /** True if a drain would find something. */
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
   * Takes ready sources into `out`, ascending within a word, and returns how many. `out` must hold
   * at least 32; what does not fit stays marked, and is what the next drain begins with.
   */
  drain(out: Int32Array): number {
    const first = this.#next >>> 5;
    const before = (1 << this.#next) - 1;
    this.#next = -1;
    let taken = this.#takeSummary(first, ~before, out, 0);
    for (let s = first + 1; s < this.#summary.length && this.#next < 0; s++) {
      taken = this.#takeSummary(s, -1, out, taken);
    }
    for (let s = 0; s < first && this.#next < 0; s++) {
      taken = this.#takeSummary(s, -1, out, taken);
    }
    if (before !== 0 && this.#next < 0) taken = this.#takeSummary(first, before, out, taken);
    if (this.#next < 0) this.#next = 0;
    return taken;
  }

  /** Takes the words that summary word `s` names within `mask`; sets `#next` if `out` is full. */
  #takeSummary(s: number, mask: number, out: Int32Array, taken: number): number {
    if ((Atomics.load(this.#summary, s) & mask) === 0) return taken;
    let named =
      mask === -1
        ? Atomics.exchange(this.#summary, s, 0)
        : Atomics.and(this.#summary, s, ~mask) & mask;
    while (named !== 0) {
      const word = s * 32 + 31 - Math.clz32(named & -named);
      if (taken + 32 > out.length) {
        Atomics.or(this.#summary, s, named);
        this.#next = word;
        return taken;
      }
      named &= named - 1;
      // Bits past the end can only come from a peer that scribbles; they name nothing.
      if (word < this.#words.length) taken = this.#takeWord(word, out, taken);
    }
    return taken;
  }

  #takeWord(word: number, out: Int32Array, taken: number): number {
    let bits = Atomics.exchange(this.#words, word, 0);
    while (bits !== 0) {
      const source = word * 32 + 31 - Math.clz32(bits & -bits);
      if (source < this.sources) out[taken++] = source;
      bits &= bits - 1;
    }
    return taken;
  }
}
