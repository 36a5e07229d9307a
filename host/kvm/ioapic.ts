/** KVM's in-kernel IOAPIC (arch/x86/kvm/ioapic.c): 24 redirection entries, remote IRR, EOI. */
import type { KvmIoapicState } from "../../src/uapi/kvm.ts";
import type { DeviceMeter } from "../device/meter.ts";

export const IOAPIC_NUM_PINS = 24;

/** Bits of a redirection entry's low word (82093AA datasheet, 3.2.4). */
export const IOAPIC_VECTOR_MASK = 0xff;
const DELIVERY_STATUS = 1 << 12;
const REMOTE_IRR = 1 << 14;
export const IOAPIC_TRIGGER_LEVEL = 1 << 15;
export const IOAPIC_MASKED = 1 << 16;
/** Bits that software cannot write. */
const READ_ONLY = DELIVERY_STATUS | REMOTE_IRR;
const DESTINATION_SHIFT = 24;

/** Sends `vector` to the local APIC of `vcpu`, with the token of `row`. */
export type LapicDeliver = (
  vcpu: number,
  vector: number,
  row: number,
  meter: DeviceMeter | null,
) => void;

export class KvmIoapic {
  readonly #deliver: LapicDeliver;
  /** Called when a level-triggered interrupt of a pin was acknowledged: resample. */
  readonly #acked: (pin: number) => void;
  readonly #low = new Uint32Array(IOAPIC_NUM_PINS).fill(IOAPIC_MASKED);
  readonly #high = new Uint32Array(IOAPIC_NUM_PINS);
  /** Level of each pin: bit n is pin n. */
  #irr = 0;
  /** Token waiting at each pin (masked, or in service), or row -1. */
  readonly #waitingRow = new Int32Array(IOAPIC_NUM_PINS).fill(-1);
  readonly #waitingMeter: (DeviceMeter | null)[] = new Array(IOAPIC_NUM_PINS).fill(null);

  constructor(deliver: LapicDeliver, acked: (pin: number) => void) {
    this.#deliver = deliver;
    this.#acked = acked;
  }

  /** ioapic_set_irq(1): an irqfd asserts the pin; a resampling one leaves it asserted. */
  assert(pin: number, row: number, meter: DeviceMeter | null): void {
    const bit = 1 << pin;
    if ((this.#irr & bit) !== 0) {
      meter?.merged(row, "coalesced-line");
      return;
    }
    this.#irr |= bit;
    this.#waitingRow[pin] = row;
    this.#waitingMeter[pin] = meter;
    this.#service(pin);
  }

  /** ioapic_set_irq(0) after an edge: what could not be delivered is lost. */
  deassert(pin: number): void {
    this.#irr &= ~(1 << pin);
    const [row, meter] = this.#takeWaiting(pin);
    meter?.dropped(row, "dropped-no-handler");
  }

  /** ioapic_set_irq(0) by a resampler, which asserts again if its device still does. */
  resample(pin: number): void {
    this.#irr &= ~(1 << pin);
    const [row, meter] = this.#takeWaiting(pin);
    meter?.merged(row, "coalesced-line");
  }

  /**
   * kvm_set_ioapic: what the VMM says replaces all state, remote IRRs too, else a line that was in
   * service at a reset would be blocked for good. Interrupts that waited go with the old state.
   */
  set({ irr, redirtbl }: KvmIoapicState): void {
    for (const [pin, { low, high }] of redirtbl.entries()) {
      this.#low[pin] = low;
      this.#high[pin] = high;
      const [row, meter] = this.#takeWaiting(pin);
      meter?.dropped(row, "dropped-guest-reset");
    }
    this.#irr = irr & (2 ** IOAPIC_NUM_PINS - 1);
    for (let pin = 0; pin < IOAPIC_NUM_PINS; pin++) this.#service(pin);
  }

  /** ioapic_write_indirect: both words of a redirection entry. */
  write(pin: number, low: number, high: number): void {
    if (pin >= IOAPIC_NUM_PINS) return;
    let entry = (low & ~READ_ONLY) | (this.#low[pin]! & READ_ONLY);
    // A switch to edge clears the remote IRR, as on hardware.
    if ((entry & IOAPIC_TRIGGER_LEVEL) === 0) entry &= ~REMOTE_IRR;
    this.#low[pin] = entry >>> 0;
    this.#high[pin] = high >>> 0;
    if ((entry & IOAPIC_TRIGGER_LEVEL) !== 0) this.#service(pin);
  }

  /** EOI of `vector`, broadcast by a local APIC: every level entry with that vector is done. */
  eoi(vector: number): void {
    for (let pin = 0; pin < IOAPIC_NUM_PINS; pin++) {
      const entry = this.#low[pin]!;
      if ((entry & IOAPIC_VECTOR_MASK) !== vector) continue;
      if ((entry & IOAPIC_TRIGGER_LEVEL) === 0) continue;
      // The level falls first; resamplers that still assert raise it again.
      this.#acked(pin);
      this.#low[pin] = (this.#low[pin]! & ~REMOTE_IRR) >>> 0;
      this.#service(pin);
    }
  }

  /** True if an assertion waits: the pin is masked or in service. */
  waiting(pin: number): boolean {
    return this.#waitingMeter[pin] !== null;
  }

  /** Counts what waits at the end of the run. */
  settle(): void {
    for (let pin = 0; pin < IOAPIC_NUM_PINS; pin++) {
      const [row, meter] = this.#takeWaiting(pin);
      meter?.pending(row, "pending-guest");
    }
  }

  #takeWaiting(pin: number): [number, DeviceMeter | null] {
    const taken: [number, DeviceMeter | null] = [
      this.#waitingRow[pin]!,
      this.#waitingMeter[pin] ?? null,
    ];
    this.#waitingRow[pin] = -1;
    this.#waitingMeter[pin] = null;
    return taken;
  }

  /** ioapic_service: delivers if the entry lets it. */
  #service(pin: number): void {
    const entry = this.#low[pin]!;
    if ((this.#irr & (1 << pin)) === 0 || (entry & IOAPIC_MASKED) !== 0) return;
    const level = (entry & IOAPIC_TRIGGER_LEVEL) !== 0;
    if (level) {
      if ((entry & REMOTE_IRR) !== 0) return;
      this.#low[pin] = (entry | REMOTE_IRR) >>> 0;
    }
    const [row, meter] = this.#takeWaiting(pin);
    this.#deliver(this.#high[pin]! >>> DESTINATION_SHIFT, entry & IOAPIC_VECTOR_MASK, row, meter);
  }
}
