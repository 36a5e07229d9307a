/** The MSI capability: enable, granted vectors, masks, pending bits (PCI 3.0, 6.8.1). */
import { assert } from "../base/assert.ts";
import {
  PCI_CAP_ID_MSI,
  PCI_MSI_ADDRESS_HI,
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_DATA_32,
  PCI_MSI_DATA_64,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_64BIT,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_MASKBIT,
  PCI_MSI_FLAGS_QSIZE,
  PCI_MSI_MASK_32,
  PCI_MSI_MASK_64,
  PCI_MSI_PENDING_32,
  PCI_MSI_PENDING_64,
} from "../uapi/pci-regs.ts";
import type { ConfigSpace } from "./config-space.ts";
import type { MessageBus } from "./types.ts";

export interface MsiSpec {
  readonly kind: "msi";
  readonly offset: number;
  /** Vectors it offers: 1, 2, 4, 8, 16 or 32. */
  readonly vectors: number;
  readonly a64: boolean;
  readonly perVectorMask: boolean;
}

export class MsiCapability {
  readonly offset: number;
  /** Vectors the function offers. */
  readonly vectors: number;
  readonly a64: boolean;
  readonly maskable: boolean;
  readonly #config: ConfigSpace;
  readonly #bus: MessageBus;
  /** Decoded from the registers after every write, so that raising reads no registers. */
  #enabled = false;
  #allotted = 1;
  #mask = 0;
  #pending = 0;

  constructor(spec: MsiSpec, config: ConfigSpace, bus: MessageBus) {
    const { offset, vectors, a64, perVectorMask } = spec;
    const order = Math.log2(vectors);
    assert(Number.isInteger(order) && vectors <= 32, `MSI with ${vectors} vectors`);
    this.offset = offset;
    this.vectors = vectors;
    this.a64 = a64;
    this.maskable = perVectorMask;
    this.#config = config;
    this.#bus = bus;
    config.addCapability(PCI_CAP_ID_MSI, offset, 10 + (a64 ? 4 : 0) + (perVectorMask ? 10 : 0));
    const flags = (a64 ? PCI_MSI_FLAGS_64BIT : 0) | (perVectorMask ? PCI_MSI_FLAGS_MASKBIT : 0);
    config.set(offset + PCI_MSI_FLAGS, 2, flags | (order << 1));
    config.allow(offset + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
    config.allow(offset + PCI_MSI_ADDRESS_LO, 4, 0xfffffffc);
    if (a64) config.allow(offset + PCI_MSI_ADDRESS_HI, 4, 0xffffffff);
    config.allow(this.#dataAt, 2, 0xffff);
    if (perVectorMask) config.allow(this.#maskAt, 4, 0xffffffff >>> (32 - vectors));
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** Vectors software granted (2^MME, at most what is offered). */
  get allotted(): number {
    return this.#allotted;
  }

  get addressLo(): number {
    return this.#config.read(this.offset + PCI_MSI_ADDRESS_LO, 4);
  }

  get addressHi(): number {
    return this.a64 ? this.#config.read(this.offset + PCI_MSI_ADDRESS_HI, 4) : 0;
  }

  /** Data of vector 0; vector v has v in the low bits (6.8.1.6). */
  get data(): number {
    return this.#config.read(this.#dataAt, 2);
  }

  get #dataAt(): number {
    return this.offset + (this.a64 ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32);
  }

  get #maskAt(): number {
    return this.offset + (this.a64 ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32);
  }

  get #pendingAt(): number {
    return this.offset + (this.a64 ? PCI_MSI_PENDING_64 : PCI_MSI_PENDING_32);
  }

  isMasked(vector: number): boolean {
    return ((this.#mask >>> vector) & 1) === 1;
  }

  isPending(vector: number): boolean {
    return ((this.#pending >>> vector) & 1) === 1;
  }

  /** The function wants to send `vector`. Hot path. */
  raise(vector: number): void {
    if (!this.#enabled || vector >= this.#allotted) {
      this.#bus.ended("msi", vector, "dropped-disabled");
      return;
    }
    if (((this.#mask >>> vector) & 1) === 0) {
      this.#bus.send("msi", vector);
      return;
    }
    if (((this.#pending >>> vector) & 1) === 1) this.#bus.ended("msi", vector, "coalesced-pba");
    this.#setPending(this.#pending | (1 << vector));
  }

  /** Host side: enable bit and number of granted vectors (a power of two); undefined: as it is. */
  setControl(enable: boolean | undefined, granted?: number): void {
    const at = this.offset + PCI_MSI_FLAGS;
    if (granted !== undefined) {
      this.#config.setBits(at, 2, PCI_MSI_FLAGS_QSIZE, false);
      this.#config.setBits(at, 2, Math.ceil(Math.log2(granted)) << 4, true);
    }
    if (enable !== undefined) this.#config.setBits(at, 2, PCI_MSI_FLAGS_ENABLE, enable);
    this.sync();
  }

  /** Host side: the message of vector 0. */
  writeMessage(addressLo: number, addressHi: number, data: number): void {
    this.#config.write(this.offset + PCI_MSI_ADDRESS_LO, 4, addressLo);
    if (this.a64) this.#config.write(this.offset + PCI_MSI_ADDRESS_HI, 4, addressHi);
    this.#config.write(this.#dataAt, 2, data);
  }

  /** Host side: masks or unmasks one vector; nothing without per-vector masking. */
  setVectorMask(vector: number, masked: boolean): void {
    if (!this.maskable) return;
    this.#config.setBits(this.#maskAt, 4, 1 << vector, masked);
    this.sync();
  }

  /** The registers were written: takes them over and sends what waited behind a mask. */
  sync(): void {
    const flags = this.#config.read(this.offset + PCI_MSI_FLAGS, 2);
    this.#enabled = (flags & PCI_MSI_FLAGS_ENABLE) !== 0;
    this.#allotted = Math.min(this.vectors, 1 << ((flags & PCI_MSI_FLAGS_QSIZE) >> 4));
    this.#mask = this.maskable ? this.#config.read(this.#maskAt, 4) : 0;
    this.#setPending(this.#pending);
    if (!this.#enabled) return;
    for (let vector = 0; vector < this.#allotted; vector++) {
      if (!this.isPending(vector) || this.isMasked(vector)) continue;
      this.#setPending(this.#pending & ~(1 << vector));
      this.#bus.send("msi", vector);
    }
  }

  /** Reset: off, one vector, nothing masked or pending. */
  reset(): void {
    for (let vector = 0; vector < this.vectors; vector++) {
      if (this.isPending(vector)) this.#bus.ended("msi", vector, "dropped-withdrawn");
    }
    this.#setPending(0);
    this.setControl(false, 1);
    this.writeMessage(0, 0, 0);
    if (this.maskable) this.#config.set(this.#maskAt, 4, 0);
    this.sync();
  }

  #setPending(pending: number): void {
    this.#pending = pending >>> 0;
    if (this.maskable) this.#config.set(this.#pendingAt, 4, this.#pending);
  }
}
