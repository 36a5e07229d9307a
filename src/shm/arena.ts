/** Shared memory cut into cache-line aligned areas; creates the SharedArrayBuffers. */
import { assert } from "../base/assert.ts";

/** Words written by different threads are kept this far apart. */
export const CACHE_LINE_BYTES = 64;

/** A bump allocator over one SharedArrayBuffer; both sides replay the same allocations. */
export class Arena {
  readonly memory: SharedArrayBuffer;
  #top = 0;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
  }

  static create(bytes: number): Arena {
    return new Arena(new SharedArrayBuffer(bytes));
  }

  /** Bytes handed out so far, padding included. */
  get used(): number {
    return this.#top;
  }

  /** Byte offset of a fresh, zeroed, cache-line aligned area. */
  take(bytes: number): number {
    const offset = this.#top;
    this.#top += roundToLine(bytes);
    assert(this.#top <= this.memory.byteLength, () => `arena of ${this.memory.byteLength} is full`);
    return offset;
  }

  int32(words: number): Int32Array {
    return new Int32Array(this.memory, this.take(words * 4), words);
  }

  float64(doubles: number): Float64Array {
    return new Float64Array(this.memory, this.take(doubles * 8), doubles);
  }
}

/** Smallest multiple of the cache line that holds `bytes`. */
export function roundToLine(bytes: number): number {
  return Math.ceil(bytes / CACHE_LINE_BYTES) * CACHE_LINE_BYTES;
}

/** Memory for a single shared word, alone on its cache line. */
export function createWord(): SharedArrayBuffer {
  return new SharedArrayBuffer(CACHE_LINE_BYTES);
}
