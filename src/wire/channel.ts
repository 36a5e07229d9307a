/** Messages through rings: msgpackr bytes, cut into slots on one side and joined on the other. */
// Not from "msgpackr": that loads Node's streams and looks for a native addon, in every worker.
import { Packr } from "msgpackr/pack";
import { Unpackr } from "msgpackr/unpack";
import type { RingConsumer, RingProducer } from "../shm/ring.ts";
import { MESSAGE_BYTES_MAX } from "./messages.ts";
import { isPlainMsgpack } from "./plain-msgpack.ts";

/*
 * A slot is one word, length in bytes | MORE, and that many payload bytes. msgpackr packs into
 * memory of its own and the bytes are copied: its useBuffer() would make the shared memory the
 * target of every packer in the process. Received bytes are copied out before they are parsed, so
 * the peer cannot change them between check and use.
 *
 * The outbox has no limit of its own: who answers a peer that may not read its answers stops taking
 * its requests while `backlog` or `backlogBytes` is large.
 */

const HEADER_BYTES = 4;
const MORE = 1 << 30;
const LENGTH_MASK = MORE - 1;

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, copyBuffers: true });

/** Sends messages; what the ring cannot take yet waits in order, nothing is refused or lost. */
export class MessageSender {
  readonly #ring: RingProducer;
  readonly #outbox: Uint8Array[] = [];
  #sentOfFirst = 0;
  #backlogBytes = 0;

  constructor(ring: RingProducer) {
    this.#ring = ring;
  }

  /** Messages and parts not yet in the ring. */
  get backlog(): number {
    return this.#outbox.length;
  }

  /** Bytes of those messages. */
  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** Queues a message and moves what fits; true if the receiver has something new to read. */
  send(message: object): boolean {
    const packed = packr.pack(message);
    if (packed.length > MESSAGE_BYTES_MAX) {
      throw new RangeError(`message of ${packed.length} bytes, at most ${MESSAGE_BYTES_MAX}`);
    }
    this.#outbox.push(packed);
    this.#backlogBytes += packed.length;
    return this.pump();
  }

  /** Moves queued bytes into free slots; true if any went. */
  pump(): boolean {
    const ring = this.#ring;
    const room = ring.shape.slotBytes - HEADER_BYTES;
    while (this.#outbox.length > 0) {
      const message = this.#outbox[0]!;
      const slot = ring.reserve();
      if (slot < 0) break;
      const at = slot * ring.shape.slotBytes;
      const end = Math.min(message.length, this.#sentOfFirst + room);
      ring.bytes.set(message.subarray(this.#sentOfFirst, end), at + HEADER_BYTES);
      const more = end < message.length;
      ring.words[at >>> 2] = (end - this.#sentOfFirst) | (more ? MORE : 0);
      ring.commit();
      this.#sentOfFirst = more ? end : 0;
      if (more) continue;
      this.#outbox.shift();
      this.#backlogBytes -= message.length;
    }
    return ring.publish();
  }
}

/** Why bytes from the other side were thrown away. */
export type BadBytes = "ring-counts" | "slot-length" | "message-too-long" | "not-msgpack";

/** Receives messages from a peer that may be hostile. */
export class MessageReceiver {
  readonly #ring: RingConsumer;
  readonly #onBad: (reason: BadBytes) => void;
  #partial: Uint8Array = new Uint8Array(4096);
  #length = 0;
  #skipping = false;

  /** `onBad` is told of every message that is dropped, with the reason. */
  constructor(ring: RingConsumer, onBad: (reason: BadBytes) => void) {
    this.#ring = ring;
    this.#onBad = onBad;
  }

  /** Takes up to `limit` slots, calls `deliver` for each whole message; returns slots taken. */
  receive(deliver: (message: unknown) => void, limit = 256): number {
    const ring = this.#ring;
    const ready = ring.available();
    if (ready < 0) {
      this.#onBad("ring-counts");
      return 0;
    }
    const take = Math.min(ready, limit);
    for (let i = 0; i < take; i++) {
      const message = this.#takeSlot(ring.front());
      ring.pop();
      if (message !== null) deliver(message.value);
    }
    if (take > 0) ring.release();
    return take;
  }

  #takeSlot(slot: number): { value: unknown } | null {
    const ring = this.#ring;
    const at = slot * ring.shape.slotBytes;
    const header = ring.words[at >>> 2]!;
    const length = header & LENGTH_MASK;
    if (header < 0 || length > ring.shape.slotBytes - HEADER_BYTES)
      return this.#drop("slot-length");
    const more = (header & MORE) !== 0;
    if (this.#skipping) {
      this.#skipping = more;
      return null;
    }
    if (this.#length + length > MESSAGE_BYTES_MAX) {
      this.#skipping = more;
      return this.#drop("message-too-long");
    }
    this.#append(ring.bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length));
    return more ? null : this.#parse();
  }

  #append(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#partial.length) {
      const grown = new Uint8Array(Math.max(this.#length + bytes.length, this.#partial.length * 2));
      grown.set(this.#partial.subarray(0, this.#length));
      this.#partial = grown;
    }
    this.#partial.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #parse(): { value: unknown } | null {
    const bytes = this.#partial.subarray(0, this.#length);
    this.#length = 0;
    if (!isPlainMsgpack(bytes)) return this.#drop("not-msgpack");
    try {
      return { value: unpackr.unpack(bytes) as unknown };
    } catch {
      return this.#drop("not-msgpack");
    }
  }

  #drop(reason: BadBytes): null {
    this.#length = 0;
    this.#onBad(reason);
    return null;
  }
}
