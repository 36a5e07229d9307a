/** Single-producer, single-consumer rings of fixed slots with batched publishing. */
import { assert } from "../base/assert.ts";
import { CACHE_LINE_BYTES, roundToLine } from "./arena.ts";

/*
 * head and tail are free-running 32-bit counts on cache lines of their own: tail is written by the
 * producer only, head by the consumer only. A slot is the producer's until the tail passes it, and
 * the consumer's until the head does. Payload is written before the tail is stored, and read
 * before the head is: both stores are sequentially consistent, so no slot is seen half written.
 * Each side keeps its own count privately and never believes the other's beyond the ring's size.
 */

const LINE_WORDS = CACHE_LINE_BYTES / 4;
const TAIL = 0;
const HEAD = LINE_WORDS;
const CONTROL_BYTES = 2 * CACHE_LINE_BYTES;

/** Shape of a ring: `slots` is a power of two, `slotBytes` a multiple of four. */
export interface RingShape {
  readonly slots: number;
  readonly slotBytes: number;
}

export function ringBytes({ slots, slotBytes }: RingShape): number {
  return CONTROL_BYTES + roundToLine(slots * slotBytes);
}

class RingEnd {
  readonly shape: RingShape;
  /** Payload as words and bytes; slot `i` starts at word `i * slotBytes / 4`. */
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  protected readonly control: Int32Array;
  protected readonly mask: number;

  constructor(memory: SharedArrayBuffer, offset: number, shape: RingShape) {
    const { slots, slotBytes } = shape;
    assert((slots & (slots - 1)) === 0 && slots > 0, `ring of ${slots} slots: not a power of two`);
    assert(slotBytes % 4 === 0, `ring slot of ${slotBytes} bytes`);
    this.shape = shape;
    this.mask = slots - 1;
    this.control = new Int32Array(memory, offset, CONTROL_BYTES / 4);
    this.words = new Int32Array(memory, offset + CONTROL_BYTES, (slots * slotBytes) / 4);
    this.bytes = new Uint8Array(memory, offset + CONTROL_BYTES, slots * slotBytes);
  }
}

export class RingProducer extends RingEnd {
  #tail = 0;
  #published = 0;
  #headSeen = 0;

  /** Index of the next free slot, or -1 if the ring is full. */
  reserve(): number {
    if (((this.#tail - this.#headSeen) | 0) >= this.shape.slots) {
      const head = Atomics.load(this.control, HEAD);
      // A head outside what was published is a lie; going by it could only hurt its owner.
      const used = (this.#tail - head) | 0;
      if (used < 0 || used >= this.shape.slots) return -1;
      this.#headSeen = head;
    }
    return this.#tail & this.mask;
  }

  /** Ends the writing of the reserved slot; it becomes visible with the next `publish`. */
  commit(): void {
    this.#tail = (this.#tail + 1) | 0;
  }

  /** Hands all committed slots to the consumer; true if there were any. */
  publish(): boolean {
    if (this.#published === this.#tail) return false;
    this.#published = this.#tail;
    Atomics.store(this.control, TAIL, this.#tail);
    return true;
  }
}

export class RingConsumer extends RingEnd {
  #head = 0;
  #tailSeen = 0;
  /** The last tail that made no sense; 0 slots until it changes. */
  #nonsense: number | null = null;

  /**
   * Slots ready to be read; -1, once, if the producer published nonsense (hostile or broken). The
   * nonsense is then ignored until the tail changes: a sane tail goes on where the last one ended.
   */
  available(): number {
    const tail = Atomics.load(this.control, TAIL);
    const ready = (tail - this.#head) | 0;
    if (ready < 0 || ready > this.shape.slots) {
      if (tail === this.#nonsense) return 0;
      this.#nonsense = tail;
      return -1;
    }
    this.#nonsense = null;
    this.#tailSeen = tail;
    return ready;
  }

  /** True if `available` would not be 0. */
  pending(): boolean {
    const tail = Atomics.load(this.control, TAIL);
    return tail !== this.#head && tail !== this.#nonsense;
  }

  /** As `pending`, by a plain read, which may be stale. */
  glance(): boolean {
    const tail = this.control[TAIL];
    return tail !== this.#head && tail !== this.#nonsense;
  }

  /** Index of the oldest ready slot, or -1; call `available` first. */
  front(): number {
    return this.#head === this.#tailSeen ? -1 : this.#head & this.mask;
  }

  /** Ends the reading of the front slot; the producer gets it back with the next `release`. */
  pop(): void {
    this.#head = (this.#head + 1) | 0;
  }

  /** Gives all popped slots back. */
  release(): void {
    Atomics.store(this.control, HEAD, this.#head);
  }
}
