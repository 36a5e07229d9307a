/** eventfd(2) counters in shared memory (fs/eventfd.c): signal, write, read, semaphore mode. */
import { EAGAIN, EINVAL } from "../base/errno.ts";
import { CACHE_LINE_BYTES } from "./arena.ts";

/*
 * A counter is one aligned 64-bit word, seen as two 32-bit words (low, high) and as one 64-bit
 * word. Nearly always the count is below 2^31 and only the low word is touched:
 *  - adding with compare-exchange on the low word is exact whatever the high word holds, as long
 *    as the low word does not carry;
 *  - reading takes the low word with compare-exchange after it has seen the high word zero.
 * Everything else (carry, big counts, saturation) is a compare-exchange of the whole 64-bit word.
 * Both sizes are single atomic instructions on one cache line, so an update is never torn or lost.
 * If the high word is raised by a write between a reader's look at it and its compare-exchange,
 * and the low word is as it was, that read returns the low part and leaves the rest: as if the
 * read had come before the write.
 *
 * The first look at a word is a plain read, which may be stale: it is a guess and decides nothing.
 * What changes a counter is a compare-exchange, and "empty" is answered by atomic loads only.
 *
 * No loop waits for the other side: a compare-exchange only fails because somebody else's
 * succeeded. What the host calls bounds its tries all the same, since that somebody may mean it
 * badly. The semaphore flag is the guest's to spoil too: a kernel-side reader reads once a
 * wake-up, and never until it is empty.
 */

const WORDS_PER_SLOT = CACHE_LINE_BYTES / 4;
const WIDES_PER_SLOT = CACHE_LINE_BYTES / 8;
const FLAGS_WORD = 2;
const FLAG_SEMAPHORE = 1;
const SMALL_MAX = 0x7fffffff;
const U64_MAX = 0xffffffffffffffffn;
const TRIES_MAX = 128;

export class EventfdTable {
  readonly slots: number;
  readonly #words: Int32Array;
  readonly #wide: BigUint64Array;

  /** `slots` counters in the `EventfdTable.bytes(slots)` bytes at `offset`. */
  constructor(memory: SharedArrayBuffer, offset: number, slots: number) {
    this.slots = slots;
    this.#words = new Int32Array(memory, offset, slots * WORDS_PER_SLOT);
    this.#wide = new BigUint64Array(memory, offset, slots * WIDES_PER_SLOT);
  }

  static bytes(slots: number): number {
    return slots * CACHE_LINE_BYTES;
  }

  /** eventfd2: the counter starts at `initval` (u32). */
  init(slot: number, initval: number, semaphore: boolean): void {
    Atomics.store(this.#words, slot * WORDS_PER_SLOT + FLAGS_WORD, semaphore ? FLAG_SEMAPHORE : 0);
    Atomics.store(this.#wide, slot * WIDES_PER_SLOT, BigInt(initval >>> 0));
  }

  /**
   * eventfd_signal: adds one, saturating at 2^64-1. Returns true if the eventfd may have become
   * readable (it read zero before), so that its poller has to be told.
   */
  signal(slot: number): boolean {
    const at = slot * WORDS_PER_SLOT;
    let low = this.#words[at]!;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      if (low < 0 || low === SMALL_MAX) return this.#signalWide(slot);
      const seen = Atomics.compareExchange(this.#words, at, low, low + 1);
      if (seen === low) return low === 0;
      low = seen;
    }
    return this.#signalWide(slot);
  }

  #signalWide(slot: number): boolean {
    const at = slot * WIDES_PER_SLOT;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const count = Atomics.load(this.#wide, at);
      if (count === U64_MAX) return false;
      if (Atomics.compareExchange(this.#wide, at, count, count + 1n) === count) return count === 0n;
    }
    return this.#signalAlways(at);
  }

  /** Only a peer that scribbles can make all tries fail; and only for it can the sum wrap. */
  #signalAlways(at: number): boolean {
    const count = Atomics.add(this.#wide, at, 1n);
    if (count === U64_MAX) Atomics.store(this.#wide, at, U64_MAX);
    return count === 0n;
  }

  /**
   * write(2) of `n`: 0, -EINVAL for 2^64-1, -EAGAIN if the sum would pass 2^64-2. Whether a poller
   * has to be told is not returned: tell it always.
   */
  write(slot: number, n: number | bigint): number {
    const at = slot * WORDS_PER_SLOT;
    if (n >= 0 && n <= SMALL_MAX) {
      const add = Number(n);
      const low = Atomics.load(this.#words, at);
      if (low >= 0 && low <= SMALL_MAX - add) {
        if (Atomics.compareExchange(this.#words, at, low, low + add) === low) return 0;
      }
    }
    return this.#writeWide(slot, BigInt(n));
  }

  #writeWide(slot: number, n: bigint): number {
    if (n >= U64_MAX || n < 0n) return -EINVAL;
    const at = slot * WIDES_PER_SLOT;
    for (;;) {
      const count = Atomics.load(this.#wide, at);
      if (count + n >= U64_MAX) return -EAGAIN;
      if (Atomics.compareExchange(this.#wide, at, count, count + n) === count) return 0;
    }
  }

  /**
   * read(2): the count, which is cleared (semaphore mode: 1, counted down); 0 stands for -EAGAIN.
   * Counts of 2^53 and more lose their low bits here: `readBig` is exact.
   */
  read(slot: number): number {
    const at = slot * WORDS_PER_SLOT;
    let low = this.#words[at]!;
    if (low === 0) {
      low = Atomics.load(this.#words, at);
      if (low === 0 && Atomics.load(this.#words, at + 1) === 0) return 0;
    }
    if (low > 0 && this.#words[at + 1] === 0) {
      const semaphore = this.#words[at + FLAGS_WORD] === FLAG_SEMAPHORE;
      const rest = semaphore ? low - 1 : 0;
      if (Atomics.compareExchange(this.#words, at, low, rest) === low) return low - rest;
    }
    return Number(this.readBig(slot));
  }

  /** As `read`, exact for every count. */
  readBig(slot: number): bigint {
    const at = slot * WIDES_PER_SLOT;
    if (this.#words[slot * WORDS_PER_SLOT + FLAGS_WORD] !== FLAG_SEMAPHORE) {
      return Atomics.exchange(this.#wide, at, 0n);
    }
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const count = Atomics.load(this.#wide, at);
      if (count === 0n) return 0n;
      if (Atomics.compareExchange(this.#wide, at, count, count - 1n) === count) return 1n;
    }
    return 0n;
  }

  /** The present count, left alone. */
  count(slot: number): bigint {
    return Atomics.load(this.#wide, slot * WIDES_PER_SLOT);
  }
}
