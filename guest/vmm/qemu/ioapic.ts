/** The IOAPIC that QEMU emulates where KVM's is not used (hw/intc/ioapic.c, Intel 82093AA). */
import type { MsiMessage } from "./kvm-irqchip.ts";

export const IOAPIC_PINS = 24;

/** Low word of a redirection entry. */
const VECTOR_MASK = 0xff;
const DELIVERY_MODE = 7 << 8;
const DESTINATION_LOGICAL = 1 << 11;
const REMOTE_IRR = 1 << 14;
const TRIGGER_LEVEL = 1 << 15;
export const IOAPIC_MASKED = 1 << 16;
/** Where messages to local APICs go, and the bit for a logical destination (SDM vol. 3, 11.11). */
const APIC_DEFAULT_ADDRESS = 0xfee00000;
const MSI_LOGICAL = 1 << 2;
const READ_ONLY = REMOTE_IRR | (1 << 12);

/** Sends the pin's message. */
export type PinDelivery = (pin: number, vcpu: number, vector: number) => void;

export class IoApic {
  readonly #deliver: PinDelivery;
  readonly #low = new Int32Array(IOAPIC_PINS).fill(IOAPIC_MASKED);
  readonly #high = new Int32Array(IOAPIC_PINS);
  /** Functions that hold the pin high: PCI lines are wired or. */
  readonly #holders = new Int32Array(IOAPIC_PINS);
  /** An edge arrived while the pin was masked. */
  readonly #edge = new Uint8Array(IOAPIC_PINS);

  constructor(deliver: PinDelivery) {
    this.#deliver = deliver;
  }

  /** Power-on and system reset: all pins masked; the wires stay as they are. */
  reset(): void {
    this.#low.fill(IOAPIC_MASKED);
    this.#high.fill(0);
    this.#edge.fill(0);
  }

  /** Writes a redirection entry; unmasking a pin that is high interrupts. */
  write(pin: number, low: number, high: number): void {
    const kept = (low & TRIGGER_LEVEL) === 0 ? 0 : this.#low[pin]! & READ_ONLY;
    this.#low[pin] = (low & ~READ_ONLY) | kept;
    this.#high[pin] = high;
    this.#service(pin);
  }

  /** ioapic_entry_parse: the message that the pin sends; null while it is masked. */
  message(pin: number): MsiMessage | null {
    const low = this.#low[pin]!;
    if ((low & IOAPIC_MASKED) !== 0) return null;
    const logical = (low & DESTINATION_LOGICAL) === 0 ? 0 : MSI_LOGICAL;
    const address = APIC_DEFAULT_ADDRESS + (this.#high[pin]! >>> 24) * 2 ** 12 + logical;
    const data = low & (VECTOR_MASK | DELIVERY_MODE | TRIGGER_LEVEL);
    return { addressLo: address, addressHi: 0, data };
  }

  /** Level-triggered pins that interrupt with `vector`. */
  levelPins(vector: number): number[] {
    const pins: number[] = [];
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      const low = this.#low[pin]!;
      if ((low & (VECTOR_MASK | TRIGGER_LEVEL)) === (vector | TRIGGER_LEVEL)) pins.push(pin);
    }
    return pins;
  }

  /** One more function holds the pin high, or one less. */
  setLevel(pin: number, asserted: boolean): void {
    const holders = this.#holders[pin]! + (asserted ? 1 : -1);
    this.#holders[pin] = holders;
    if (asserted && holders === 1) this.#edge[pin] = 1;
    if (asserted) this.#service(pin);
  }

  /** Pins that an EOI of `vector` concerns: a level interrupt of theirs is in service. */
  pinsInService(vector: number): number[] {
    const pins: number[] = [];
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      const low = this.#low[pin]!;
      if ((low & VECTOR_MASK) === vector && (low & REMOTE_IRR) !== 0) pins.push(pin);
    }
    return pins;
  }

  /** End of the interrupt in service on `pin`; a wire that is still high interrupts again. */
  endOfInterrupt(pin: number): void {
    this.#low[pin]! &= ~REMOTE_IRR;
    this.#service(pin);
  }

  #service(pin: number): void {
    const low = this.#low[pin]!;
    const level = (low & TRIGGER_LEVEL) !== 0;
    if ((low & IOAPIC_MASKED) !== 0) return;
    if (level ? this.#holders[pin] === 0 || (low & REMOTE_IRR) !== 0 : this.#edge[pin] === 0)
      return;
    this.#edge[pin] = 0;
    if (level) this.#low[pin]! |= REMOTE_IRR;
    this.#deliver(pin, this.#vcpu(pin), low & VECTOR_MASK);
  }

  /** Physical destination, or the lowest member of a flat logical one. */
  #vcpu(pin: number): number {
    const destination = this.#high[pin]! >>> 24;
    if ((this.#low[pin]! & DESTINATION_LOGICAL) === 0) return destination;
    return 31 - Math.clz32(destination & -destination);
  }
}
