/** Tells whether bytes are plain MessagePack, before the decoder sees them (msgpack spec.md). */

/*
 * The decoder knows much more than our messages use: extensions that define records for messages
 * to come, share strings between values or build other types, nesting as deep as the message is
 * long. It keeps some of that from one message to the next, and one decoder serves all guests. So
 * what reaches it is checked to be one value of nothing but nil, undefined, booleans, numbers,
 * strings, bytes, and arrays and string-keyed maps nested a few deep, with all its bytes there.
 */

/** A request nests two deep. */
const DEPTH_MAX = 8;

/** Bytes of the fixed-size codes 0xca to 0xd3: floats, unsigned, signed. */
const FIXED_BYTES = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8];

/** True if `bytes` are exactly one plain value. */
export function isPlainMsgpack(bytes: Uint8Array): boolean {
  return new PlainScanner(bytes).value(0, false) === bytes.length;
}

const REFUSED = -1;

class PlainScanner {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Offset behind the value at `at`, or REFUSED. Reads past the end are 0xc1, which nothing is. */
  value(at: number, asKey: boolean, depth = 0): number {
    const code = this.#bytes[at] ?? 0xc1;
    if (code >= 0xa0 && code < 0xc0) return this.#skip(at + 1, code & 0x1f);
    if (code >= 0xd9 && code <= 0xdb) return this.#sized(at + 1, 2 ** (code - 0xd9));
    if (asKey) return REFUSED;
    if (code < 0x80 || code >= 0xe0) return at + 1;
    if (code < 0x90) return this.#many(at + 1, code & 0x0f, true, depth);
    if (code < 0xa0) return this.#many(at + 1, code & 0x0f, false, depth);
    if (code === 0xc0 || code === 0xc2 || code === 0xc3) return at + 1;
    if (code >= 0xc4 && code <= 0xc6) return this.#sized(at + 1, 2 ** (code - 0xc4));
    if (code >= 0xca && code <= 0xd3) return this.#skip(at + 1, FIXED_BYTES[code - 0xca]!);
    if (code === 0xd4) return this.#undefined(at + 1);
    if (code === 0xdc || code === 0xde) return this.#counted(at + 1, 2, code === 0xde, depth);
    if (code === 0xdd || code === 0xdf) return this.#counted(at + 1, 4, code === 0xdf, depth);
    return REFUSED;
  }

  #skip(at: number, length: number): number {
    return at + length <= this.#bytes.length ? at + length : REFUSED;
  }

  #number(at: number, size: number): number {
    let number = 0;
    for (let i = 0; i < size; i++) number = number * 256 + (this.#bytes[at + i] ?? 0);
    return number;
  }

  #sized(at: number, size: number): number {
    return this.#skip(at + size, this.#number(at, size));
  }

  /** msgpackr writes undefined as extension type 0 with one zero byte. */
  #undefined(at: number): number {
    return this.#bytes[at] === 0 && this.#bytes[at + 1] === 0 ? at + 2 : REFUSED;
  }

  #counted(at: number, size: number, isMap: boolean, depth: number): number {
    return this.#many(at + size, this.#number(at, size), isMap, depth);
  }

  /** `count` elements, or pairs. Each takes a byte at least, so a huge count is refused at once. */
  #many(at: number, count: number, isMap: boolean, depth: number): number {
    if (depth >= DEPTH_MAX || count > this.#bytes.length - at) return REFUSED;
    for (let i = 0; i < count && at !== REFUSED; i++) {
      if (isMap) at = this.value(at, true);
      if (at !== REFUSED) at = this.value(at, false, depth + 1);
    }
    return at;
  }
}
