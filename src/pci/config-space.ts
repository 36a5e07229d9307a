/** Configuration space of a function: masked registers, BARs, capability list (PCI 3.0, 6). */
import { assert } from "../base/assert.ts";
import {
  PCI_BASE_ADDRESS_0,
  PCI_BASE_ADDRESS_MEM_PREFETCH,
  PCI_BASE_ADDRESS_MEM_TYPE_64,
  PCI_BASE_ADDRESS_SPACE_IO,
  PCI_CAP_LIST_ID,
  PCI_CAP_LIST_NEXT,
  PCI_CAPABILITY_LIST,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
  PCI_STD_HEADER_SIZEOF,
  PCI_STD_NUM_BARS,
} from "../uapi/pci-regs.ts";

/** A base address register; `size` is a power of two. A 64-bit one takes the next index too. */
export interface BarSpec {
  readonly index: number;
  readonly kind: "mem32" | "mem64" | "io";
  readonly size: number;
  readonly prefetchable?: boolean;
}

export class ConfigSpace {
  readonly size: number;
  /** The registers' values, little endian. */
  readonly bytes: Uint8Array;
  /** Bits software can write. */
  readonly #writable: Uint8Array;
  /** Bits that a written 1 clears. */
  readonly #clearable: Uint8Array;
  readonly #bars: (BarSpec | null)[] = new Array(PCI_STD_NUM_BARS).fill(null);
  #lastCapability = 0;

  /** `size` is 256, or 4096 for a PCI Express function. */
  constructor(size: number) {
    this.size = size;
    this.bytes = new Uint8Array(size);
    this.#writable = new Uint8Array(size);
    this.#clearable = new Uint8Array(size);
  }

  /** Software reads 1, 2 or 4 bytes; outside of the space: all ones, as from an absent device. */
  read(offset: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.bytes[offset + i] ?? 0xff);
    return value;
  }

  /** Software writes 1, 2 or 4 bytes; bits it may not write keep their value. */
  write(offset: number, size: number, value: number): void {
    for (let i = 0; i < size && offset + i < this.size; i++) {
      const at = offset + i;
      const written = (value >>> (8 * i)) & 0xff;
      const mask = this.#writable[at]!;
      const kept = this.bytes[at]! & ~mask & ~(written & this.#clearable[at]!);
      this.bytes[at] = kept | (written & mask);
    }
  }

  /** The device sets a register, whatever software may write. */
  set(offset: number, size: number, value: number): void {
    for (let i = 0; i < size; i++) this.bytes[offset + i] = (value >>> (8 * i)) & 0xff;
  }

  /** Sets `bits` of a register, or clears them, for the device. */
  setBits(offset: number, size: number, bits: number, on: boolean): void {
    const value = this.read(offset, size);
    this.set(offset, size, on ? value | bits : value & ~bits);
  }

  /** Lets software write `bits` of a register. */
  allow(offset: number, size: number, bits: number): void {
    for (let i = 0; i < size; i++) this.#writable[offset + i]! |= (bits >>> (8 * i)) & 0xff;
  }

  /** Makes `bits` of a register "write 1 to clear". */
  allowClear(offset: number, size: number, bits: number): void {
    for (let i = 0; i < size; i++) this.#clearable[offset + i]! |= (bits >>> (8 * i)) & 0xff;
  }

  addBar(bar: BarSpec): void {
    const { index, kind, size } = bar;
    assert(Number.isInteger(Math.log2(size)) && size >= 4, `BAR ${index} of size ${size}`);
    assert(index < PCI_STD_NUM_BARS && this.#bars[index] === null, `BAR ${index} twice`);
    this.#bars[index] = bar;
    const at = PCI_BASE_ADDRESS_0 + 4 * index;
    const prefetch = bar.prefetchable === true ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0;
    if (kind === "io") this.set(at, 4, PCI_BASE_ADDRESS_SPACE_IO);
    else this.set(at, 4, prefetch | (kind === "mem64" ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0));
    // Address bits below the size stay zero: writing all ones reads back the size (6.2.5.1).
    this.allow(at, 4, size >= 2 ** 32 ? 0 : ~(size - 1) & (kind === "io" ? ~3 : ~15));
    if (kind === "mem64") this.allow(at + 4, 4, ~(Math.ceil(size / 2 ** 32) - 1));
  }

  /** The BAR that starts at `index`, or null. */
  bar(index: number): BarSpec | null {
    return this.#bars[index] ?? null;
  }

  /** Appends a capability of `length` bytes to the list; its place is the device's choice. */
  addCapability(id: number, offset: number, length: number): void {
    assert(
      offset >= PCI_STD_HEADER_SIZEOF && offset % 4 === 0 && offset + length <= 256,
      `capability ${id} at ${offset}`,
    );
    const link =
      this.#lastCapability === 0 ? PCI_CAPABILITY_LIST : this.#lastCapability + PCI_CAP_LIST_NEXT;
    this.bytes[link] = offset;
    this.bytes[offset + PCI_CAP_LIST_ID] = id;
    this.bytes[offset + PCI_CAP_LIST_NEXT] = 0;
    this.#lastCapability = offset;
    this.setBits(PCI_STATUS, 2, PCI_STATUS_CAP_LIST, true);
  }

  /** Offset of the capability `id`, or 0. */
  findCapability(id: number): number {
    let at = this.bytes[PCI_CAPABILITY_LIST]!;
    while (at !== 0 && this.bytes[at + PCI_CAP_LIST_ID] !== id) {
      at = this.bytes[at + PCI_CAP_LIST_NEXT]!;
    }
    return at;
  }
}
