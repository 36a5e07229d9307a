/** MSI-X of a function: capability, table, pending bits and both kinds of mask (PCI 3.0, 6.8.2). */
import { assert } from "../base/assert.ts";
import {
  PCI_CAP_ID_MSIX,
  PCI_CAP_MSIX_SIZEOF,
  PCI_MSIX_ENTRY_CTRL_MASKBIT,
  PCI_MSIX_ENTRY_SIZE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
  PCI_MSIX_PBA,
  PCI_MSIX_TABLE,
} from "../uapi/pci-regs.ts";
import type { ConfigSpace } from "./config-space.ts";
import type { MessageBus } from "./types.ts";

/** Where a structure lies: BAR and offset in it, a multiple of 8. */
export interface BarPlace {
  readonly bar: number;
  readonly offset: number;
}

export interface MsixSpec {
  readonly kind: "msix";
  readonly offset: number;
  /** Table size, 1 to 2048. */
  readonly vectors: number;
  readonly table: BarPlace;
  readonly pba: BarPlace;
}

const ENTRY_WORDS = PCI_MSIX_ENTRY_SIZE / 4;
const CTRL_WORD = 3;

export class MsixCapability {
  readonly offset: number;
  readonly vectors: number;
  readonly table: BarPlace;
  readonly pba: BarPlace;
  readonly tableBytes: number;
  readonly pbaBytes: number;
  readonly #config: ConfigSpace;
  readonly #bus: MessageBus;
  readonly #entries: Uint32Array;
  readonly #pending: Uint32Array;
  #pendingCount = 0;
  /** Enabled and not masked as a whole; decoded from the control word after every write. */
  #open = false;
  #enabled = false;
  #maskAll = false;

  constructor(spec: MsixSpec, config: ConfigSpace, bus: MessageBus) {
    const { offset, vectors, table, pba } = spec;
    assert(vectors >= 1 && vectors <= 2048, `MSI-X table of ${vectors}`);
    assert(table.offset % 8 === 0 && pba.offset % 8 === 0, "MSI-X table and PBA are 8-aligned");
    this.offset = offset;
    this.vectors = vectors;
    this.table = table;
    this.pba = pba;
    this.tableBytes = vectors * PCI_MSIX_ENTRY_SIZE;
    this.pbaBytes = Math.ceil(vectors / 64) * 8;
    this.#config = config;
    this.#bus = bus;
    this.#entries = new Uint32Array(vectors * ENTRY_WORDS);
    this.#pending = new Uint32Array(this.pbaBytes / 4);
    config.addCapability(PCI_CAP_ID_MSIX, offset, PCI_CAP_MSIX_SIZEOF);
    config.set(offset + PCI_MSIX_FLAGS, 2, vectors - 1);
    config.allow(offset + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    config.set(offset + PCI_MSIX_TABLE, 4, table.offset | table.bar);
    config.set(offset + PCI_MSIX_PBA, 4, pba.offset | pba.bar);
    this.#maskEntries();
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  get functionMasked(): boolean {
    return this.#maskAll;
  }

  /** The entry's own mask bit. */
  isVectorMasked(vector: number): boolean {
    return (this.#control(vector) & PCI_MSIX_ENTRY_CTRL_MASKBIT) !== 0;
  }

  /** True if a message could leave now: MSI-X on, neither function nor vector masked. */
  isLive(vector: number): boolean {
    return this.#open && !this.isVectorMasked(vector);
  }

  isPending(vector: number): boolean {
    return ((this.#pending[vector >>> 5]! >>> (vector & 31)) & 1) === 1;
  }

  /** True if any pending bit is set. */
  get anyPending(): boolean {
    return this.#pendingCount > 0;
  }

  addressLo(vector: number): number {
    return this.#entries[vector * ENTRY_WORDS]!;
  }

  addressHi(vector: number): number {
    return this.#entries[vector * ENTRY_WORDS + 1]!;
  }

  data(vector: number): number {
    return this.#entries[vector * ENTRY_WORDS + 2]!;
  }

  /**
   * The function wants to send `vector`. Hot path. With MSI-X off the recorded devices keep the
   * interrupt pending and send it after the next enable (recording h17-msix-real).
   */
  raise(vector: number): void {
    if (this.#open && (this.#control(vector) & PCI_MSIX_ENTRY_CTRL_MASKBIT) === 0) {
      this.#bus.send("msix", vector);
      return;
    }
    if (this.isPending(vector)) this.#bus.ended("msix", vector, "coalesced-pba");
    else this.#setPending(vector);
  }

  /** Host side: ENABLE and MASKALL of the control word; undefined: as it is. */
  setControl(enable: boolean | undefined, maskAll?: boolean): void {
    const at = this.offset + PCI_MSIX_FLAGS;
    if (enable !== undefined) this.#config.setBits(at, 2, PCI_MSIX_FLAGS_ENABLE, enable);
    if (maskAll !== undefined) this.#config.setBits(at, 2, PCI_MSIX_FLAGS_MASKALL, maskAll);
    this.sync();
  }

  /** Host side: address and data of an entry. */
  writeMessage(vector: number, addressLo: number, addressHi: number, data: number): void {
    const at = vector * ENTRY_WORDS;
    this.#entries[at] = addressLo;
    this.#entries[at + 1] = addressHi;
    this.#entries[at + 2] = data;
  }

  /** Host side: the mask bit of an entry; unmasking sends what is pending. */
  setVectorMask(vector: number, masked: boolean): void {
    const control = this.#control(vector) & ~PCI_MSIX_ENTRY_CTRL_MASKBIT;
    this.#setControl(vector, masked ? control | PCI_MSIX_ENTRY_CTRL_MASKBIT : control);
  }

  /** Reads 1, 2 or 4 bytes of the table; 0 behind its end. */
  tableRead(offset: number, size: number): number {
    return readBytes(this.#entries, offset, size);
  }

  /** Writes 1, 2 or 4 bytes of the table, as software does; nothing behind its end. */
  tableWrite(offset: number, size: number, value: number): void {
    const word = offset >>> 2;
    if (word >= this.#entries.length) return;
    const shift = (offset & 3) * 8;
    const mask = size === 4 ? 0xffffffff : (2 ** (8 * size) - 1) << shift;
    const written = ((this.#entries[word]! & ~mask) | ((value << shift) & mask)) >>> 0;
    if (word % ENTRY_WORDS === CTRL_WORD)
      this.#setControl((word - CTRL_WORD) / ENTRY_WORDS, written);
    else this.#entries[word] = written;
  }

  /** Reads 1, 2 or 4 bytes of the pending bit array, which is read-only. */
  pbaRead(offset: number, size: number): number {
    return readBytes(this.#pending, offset, size);
  }

  /** The control word was written: takes it over and sends what may leave now. */
  sync(): void {
    const flags = this.#config.read(this.offset + PCI_MSIX_FLAGS, 2);
    this.#enabled = (flags & PCI_MSIX_FLAGS_ENABLE) !== 0;
    this.#maskAll = (flags & PCI_MSIX_FLAGS_MASKALL) !== 0;
    const wasOpen = this.#open;
    this.#open = this.#enabled && !this.#maskAll;
    // While it is open nothing waits but behind the mask of an entry, which is still there.
    if (!wasOpen) this.#replayAll();
  }

  /** Takes a pending interrupt back, as a device may whose cause is gone (6.8.3.4). */
  clearPending(vector: number): boolean {
    if (!this.isPending(vector)) return false;
    this.#pending[vector >>> 5]! &= ~(1 << (vector & 31));
    this.#pendingCount--;
    return true;
  }

  /** Reset: off, every entry masked, nothing pending. */
  reset(): void {
    for (let vector = 0; vector < this.vectors; vector++) {
      if (this.clearPending(vector)) this.#bus.ended("msix", vector, "dropped-withdrawn");
    }
    this.#entries.fill(0);
    this.#maskEntries();
    this.setControl(false, false);
  }

  /** A copy of the table, for `restoreTable`. */
  saveTable(): Uint32Array {
    return this.#entries.slice();
  }

  /** Writes a saved table back, masks included; sends what that unmasks. */
  restoreTable(saved: Uint32Array): void {
    this.#entries.set(saved);
    this.sync();
    this.#replayAll();
  }

  #control(vector: number): number {
    return this.#entries[vector * ENTRY_WORDS + CTRL_WORD]!;
  }

  #setControl(vector: number, control: number): void {
    this.#entries[vector * ENTRY_WORDS + CTRL_WORD] = control;
    if (this.#open && this.#pendingCount > 0) this.#replay(vector);
  }

  #replayAll(): void {
    if (!this.#open || this.#pendingCount === 0) return;
    for (let vector = 0; vector < this.vectors && this.#open; vector++) this.#replay(vector);
  }

  #replay(vector: number): void {
    // The bit goes first: what the message triggers may raise or mask this vector again.
    if (!this.isVectorMasked(vector) && this.clearPending(vector)) this.#bus.send("msix", vector);
  }

  #setPending(vector: number): void {
    this.#pending[vector >>> 5]! |= 1 << (vector & 31);
    this.#pendingCount++;
  }

  #maskEntries(): void {
    for (let at = CTRL_WORD; at < this.#entries.length; at += ENTRY_WORDS) {
      this.#entries[at] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
    }
  }
}

function readBytes(words: Uint32Array, offset: number, size: number): number {
  const word = (words[offset >>> 2] ?? 0) >>> ((offset & 3) * 8);
  return size === 4 ? word : word & (2 ** (8 * size) - 1);
}
