/** Bytes for ring slots: messages as they are, damaged ones, and no messages at all. */
import { Packr } from "msgpackr";
import type { Prng } from "../../src/base/prng.ts";
import { MESSAGE_BYTES_MAX } from "../../src/wire/messages.ts";
import type { HostileRequests } from "./hostile-requests.ts";

const plain = new Packr({ useRecords: false });
/** Knows records and shared structures: its bytes are what the host must never decode. */
const fancy = new Packr({ structuredClone: true, moreTypes: true });

/** Codes of MessagePack that announce something: lengths, nesting, extensions. */
const CODES = [
  0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb,
  0xcf, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0x72, 0x62,
  0xff,
];
const NOISE_BYTES = 1 << 16;

export class HostileBytes {
  readonly #random: Prng;
  readonly #requests: HostileRequests;
  readonly #noise = new Uint8Array(NOISE_BYTES);

  constructor(random: Prng, requests: HostileRequests) {
    this.#random = random;
    this.#requests = requests;
    for (let i = 0; i < NOISE_BYTES; i++) this.#noise[i] = random.nextBelow(256);
  }

  /** The next message, in whatever shape. Valid until the next call. */
  next(): Uint8Array {
    const kind = this.#random.nextBelow(16);
    if (kind < 2) return this.#noiseOf(this.#random.nextBelow(200));
    if (kind === 2) return this.#big();
    const message = this.#message();
    // Most of them as they are: what is wrong with those is what they say.
    return kind < 12 ? message : this.#damage(message);
  }

  #noiseOf(length: number): Uint8Array {
    const at = this.#random.nextBelow(NOISE_BYTES - length);
    return this.#noise.subarray(at, at + length);
  }

  #message(): Uint8Array {
    const packer = this.#random.nextBelow(64) === 0 ? fancy : plain;
    return packer.pack(this.#requests.next());
  }

  /** Nesting bombs, huge counts, and messages of many slots. */
  #big(): Uint8Array {
    const random = this.#random;
    if (random.nextBelow(1000) === 0) return new Uint8Array(MESSAGE_BYTES_MAX + 1);
    const length = random.nextBelow(random.nextBelow(32) === 0 ? 60_000 : 600);
    switch (random.nextBelow(4)) {
      case 0:
        return new Uint8Array(length).fill(CODES[random.nextBelow(CODES.length)]!);
      case 1:
        return plain.pack({ id: 1, op: "pwrite", fd: 3, offset: 0, data: new Uint8Array(length) });
      case 2: {
        const bytes = this.#noiseOf(length).slice();
        bytes.set([0xdd, 0xff, 0xff, 0xff, 0xff].slice(0, length));
        return bytes;
      }
      default:
        return plain.pack({ id: 2, op: "open", path: "x".repeat(length) });
    }
  }

  #damage(message: Uint8Array): Uint8Array {
    const random = this.#random;
    const bytes = message.slice();
    switch (random.nextBelow(6)) {
      case 0:
        for (let flips = 1 + random.nextBelow(8); flips > 0; flips--) {
          bytes[random.nextBelow(bytes.length)]! ^= 1 << random.nextBelow(8);
        }
        return bytes;
      case 1:
        return bytes.subarray(0, random.nextBelow(bytes.length));
      case 2:
        bytes[random.nextBelow(bytes.length)] = CODES[random.nextBelow(CODES.length)]!;
        return bytes;
      case 3:
        return concat(bytes, this.#noiseOf(random.nextBelow(20)));
      case 4: {
        const other = this.#message();
        const cut = random.nextBelow(bytes.length);
        return concat(bytes.subarray(0, cut), other.subarray(random.nextBelow(other.length)));
      }
      default: {
        const from = random.nextBelow(bytes.length);
        bytes.copyWithin(random.nextBelow(bytes.length), from, from + random.nextBelow(16));
        return bytes;
      }
    }
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
