/** Interrupt requests on their way to a guest: a ring of vectors, its newest in its tail word. */
import { CACHE_LINE_BYTES } from "./arena.ts";

/*
 * Moving a cache line between two cores is most of what an interrupt costs here. A request bit that
 * the host sets and the guest clears moves its line three times: to the host, to the guest, and
 * again for the guest to own it. Here the host alone writes the line that the guest watches, and
 * the guest clears nothing: requests are counted, and each is known by its count.
 *
 * The tail word holds a sequence number and the newest request together, so one load tells whether
 * there is anything new, and, if it is one request, which. Older ones are in the ring: written
 * before the tail word is stored, read after it is loaded, and not overwritten before the guest
 * has published that it has read them. A guest that does not keep up finds the ring full: the host
 * then falls back on request bits (virtual-apic.ts), in which equal requests merge.
 */

/** Requests a border's ring holds; rings have a power of two below half the sequence numbers. */
export const QUEUE_ENTRIES = 1024;
/** A request: vCPU << 8 | vector, 13 bits; the other 19 bits of the tail word number it. */
export const REQUEST_BITS = 13;
const REQUEST_MASK = (1 << REQUEST_BITS) - 1;
const SEQUENCE_MASK = (1 << (32 - REQUEST_BITS)) - 1;

export const NOT_SINGLE = -1;
/** The room that requests leave is published once it is this part of the ring. */
const PUBLISHED_PART = 4;

const LINE_WORDS = CACHE_LINE_BYTES / 4;
const TAIL = 0;
const HEAD = LINE_WORDS;
const CONTROL_BYTES = 2 * CACHE_LINE_BYTES;

export function interruptQueueBytes(entries = QUEUE_ENTRIES): number {
  return CONTROL_BYTES + entries * 2;
}

class QueueEnd {
  protected readonly control: Int32Array;
  protected readonly ring: Uint16Array;
  protected readonly entries: number;

  constructor(memory: SharedArrayBuffer, offset: number, entries = QUEUE_ENTRIES) {
    this.control = new Int32Array(memory, offset, CONTROL_BYTES / 4);
    this.ring = new Uint16Array(memory, offset + CONTROL_BYTES, entries);
    this.entries = entries;
  }
}

/** The host's end. */
export class InterruptQueueWriter extends QueueEnd {
  #sequence = 0;
  #headSeen = 0;

  /** Queues `request` (vCPU << 8 | vector); false if there is no room. Hot path. */
  post(request: number): boolean {
    const { entries } = this;
    if (((this.#sequence - this.#headSeen) & SEQUENCE_MASK) >= entries && !this.#room()) {
      return false;
    }
    this.ring[this.#sequence & (entries - 1)] = request;
    this.#sequence = (this.#sequence + 1) & SEQUENCE_MASK;
    Atomics.store(this.control, TAIL, (this.#sequence << REQUEST_BITS) | request);
    return true;
  }

  #room(): boolean {
    const head = Atomics.load(this.control, HEAD) & SEQUENCE_MASK;
    // A head outside what was posted is a lie, and going by it could only hurt its owner.
    if (((this.#sequence - head) & SEQUENCE_MASK) >= this.entries) return false;
    this.#headSeen = head;
    return true;
  }
}

/** The guest's end. */
export class InterruptQueueReader extends QueueEnd {
  #sequence = 0;
  #published = 0;

  /** True if `take` would find something. */
  pending(): boolean {
    return Atomics.load(this.control, TAIL) >>> REQUEST_BITS !== this.#sequence;
  }

  /** As `pending`, by a plain read, which may be stale; or `take` has room to publish. */
  glance(): boolean {
    return this.control[TAIL]! >>> REQUEST_BITS !== this.#sequence || this.#isRoomDue();
  }

  #isRoomDue(): boolean {
    return ((this.#sequence - this.#published) & SEQUENCE_MASK) >= this.entries / PUBLISHED_PART;
  }

  /**
   * Takes the new request if there is exactly one, else -1: the guest that keeps up. All it needs
   * is in the tail word, so that a plain read will do. Hot path.
   */
  takeSingle(): number {
    const tail = this.control[TAIL]!;
    if ((((tail >>> REQUEST_BITS) - this.#sequence) & SEQUENCE_MASK) !== 1) return NOT_SINGLE;
    this.#sequence = tail >>> REQUEST_BITS;
    return tail & REQUEST_MASK;
  }

  /**
   * Copies all requests into `out` (as many as the ring's) in the order in which they were posted,
   * and returns how many. The host learns of the room now and then: in time, not each time.
   */
  take(out: Int32Array): number {
    const { entries } = this;
    if (this.#isRoomDue()) {
      this.#published = this.#sequence;
      Atomics.store(this.control, HEAD, this.#sequence);
    }
    const tail = Atomics.load(this.control, TAIL);
    const count = ((tail >>> REQUEST_BITS) - this.#sequence) & SEQUENCE_MASK;
    if (count === 0) return 0;
    for (let i = 0; i < count - 1; i++) {
      out[i] = this.ring[(this.#sequence + i) & (entries - 1)]!;
    }
    out[count - 1] = tail & REQUEST_MASK;
    this.#sequence = tail >>> REQUEST_BITS;
    return count;
  }
}
