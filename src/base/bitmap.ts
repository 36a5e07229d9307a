/** A fixed-size bitmap with the searches that kernel allocators use (include/linux/bitmap.h). */
import { assert } from "./assert.ts";
import { InvariantError } from "./errors.ts";

export class Bitmap {
  readonly size: number;
  #words: Uint32Array;
  #weight = 0;

  constructor(size: number) {
    assert(Number.isInteger(size) && size >= 0, `bitmap size ${size}`);
    this.size = size;
    this.#words = new Uint32Array((size + 31) >>> 5);
  }

  /** Another one with the same bits. */
  copy(): Bitmap {
    const copy = new Bitmap(this.size);
    copy.#words.set(this.#words);
    copy.#weight = this.#weight;
    return copy;
  }

  /** Number of set bits. */
  get weight(): number {
    return this.#weight;
  }

  test(bit: number): boolean {
    return ((this.#words[bit >>> 5]! >>> (bit & 31)) & 1) === 1;
  }

  set(bit: number): void {
    if (!(bit >= 0 && bit < this.size)) this.#outside(bit);
    const word = bit >>> 5;
    const mask = 1 << (bit & 31);
    if ((this.#words[word]! & mask) !== 0) return;
    this.#words[word]! |= mask;
    this.#weight++;
  }

  clear(bit: number): void {
    if (!(bit >= 0 && bit < this.size)) this.#outside(bit);
    const word = bit >>> 5;
    const mask = 1 << (bit & 31);
    if ((this.#words[word]! & mask) === 0) return;
    this.#words[word]! &= ~mask;
    this.#weight--;
  }

  #outside(bit: number): never {
    throw new InvariantError(`bit ${bit} outside bitmap of ${this.size}`);
  }

  setRange(start: number, count: number): void {
    for (let bit = start; bit < start + count; bit++) this.set(bit);
  }

  clearRange(start: number, count: number): void {
    for (let bit = start; bit < start + count; bit++) this.clear(bit);
  }

  /** First clear bit at or after `from`, or -1. */
  findNextZero(from = 0): number {
    for (let bit = from; bit < this.size; ) {
      const word = this.#words[bit >>> 5]! >>> (bit & 31);
      if (word === 0xffffffff >>> (bit & 31)) {
        bit = ((bit >>> 5) + 1) << 5;
        continue;
      }
      const found = bit + 31 - Math.clz32(~word & (word + 1));
      return found < this.size ? found : -1;
    }
    return -1;
  }

  /** First set bit at or after `from`, or -1. */
  findNextSet(from = 0): number {
    for (let bit = from; bit < this.size; ) {
      const word = this.#words[bit >>> 5]! >>> (bit & 31);
      if (word === 0) {
        bit = ((bit >>> 5) + 1) << 5;
        continue;
      }
      return bit + 31 - Math.clz32(word & -word);
    }
    return -1;
  }

  /** First run of `count` clear bits whose start is a multiple of `align`, or -1. */
  findZeroArea(count: number, align = 1): number {
    let start = 0;
    while (start + count <= this.size) {
      start = Math.ceil(start / align) * align;
      const taken = this.findNextSet(start);
      if (start + count <= this.size && (taken === -1 || taken >= start + count)) return start;
      if (taken === -1) return -1;
      // What follows a taken bit is mostly taken, too: whole words of it are left behind at once.
      start = this.findNextZero(taken + 1);
      if (start === -1) return -1;
    }
    return -1;
  }
}
