/**
 * Intel 82574L (e1000e): its interrupt registers only (82574 datasheet, 10.2.4), raised by writes
 * of ICS. Follows QEMU's model, whose register values the recording h90-e1000e-real holds; the
 * interrupt throttling timers are left out, since they only delay.
 */
import type { DeviceSpec } from "../../src/scenario/types.ts";
import { Device, type DeviceExtra, FIRMWARE_COMMAND, FIRMWARE_INTERRUPT_LINE } from "./device.ts";

/** Interrupt cause read, throttle, cause set, mask set, mask clear, vector allocation. */
export const E1000_ICR = 0xc0;
export const E1000_ICS = 0xc8;
export const E1000_IMS = 0xd0;
export const E1000_IMC = 0xd8;
/** Causes cleared by themselves when their MSI-X message is sent. */
export const E1000_EIAC = 0xdc;
export const E1000_IVAR = 0xe4;

export const E1000_ICR_INT_ASSERTED = 0x80000000;
export const E1000_ICR_OTHER = 0x01000000;
export const E1000_ICR_LSC = 0x4;
/** Causes that MSI-X reports as "other": LSC, RXO, MDAC, SRPD, ACK, MNG. */
const OTHER_CAUSES = 0x00070244;
/** RXQ0, RXQ1, TXQ0, TXQ1 and OTHER: bits 20 to 24, each with four bits of IVAR. */
const FIRST_QUEUE_BIT = 20;
const MSIX_CAUSES = 5;
const IMS_VALID = 0x01f782d7;
const IVAR_ENTRY_VALID = 0x8;
const IVAR_ENTRY_VECTOR = 0x7;

export class E1000e extends Device {
  #icr = 0;
  #ims = 0;
  #eiac = 0;
  #ivar = 0;
  /** Causes that were sent as a message and have not gone away since: they are not sent again. */
  #sent = 0;

  constructor(spec: DeviceSpec, extra: DeviceExtra = {}) {
    const { msiVectors, msixVectors } = spec;
    super(
      spec,
      {
        name: spec.name,
        vendorId: 0x8086,
        deviceId: 0x10d3,
        classCode: 0x020000,
        interruptPin: 1,
        interruptLine: FIRMWARE_INTERRUPT_LINE,
        command: FIRMWARE_COMMAND,
        bars: [
          { index: 0, kind: "mem32", size: 0x20000 },
          { index: 1, kind: "mem32", size: 0x20000 },
          { index: 2, kind: "io", size: 0x20 },
          { index: 3, kind: "mem32", size: 0x4000 },
        ],
        capabilities: [
          { kind: "pm", offset: 0xc8, noSoftReset: false, pme: true },
          ...(msiVectors === 0
            ? []
            : [
                {
                  kind: "msi" as const,
                  offset: 0xd0,
                  vectors: msiVectors,
                  a64: true,
                  perVectorMask: false,
                },
              ]),
          {
            kind: "pcie",
            offset: 0xe0,
            version: 1,
            flr: false,
            rootComplexIntegrated: extra.behindRootPort !== true,
          },
          ...(msixVectors === 0
            ? []
            : [
                {
                  kind: "msix" as const,
                  offset: 0xa0,
                  vectors: msixVectors,
                  table: { bar: 3, offset: 0 },
                  pba: { bar: 3, offset: 0x2000 },
                },
              ]),
        ],
      },
      extra,
    );
  }

  /** A PM reset: this device keeps configuration and registers over it (h90, lines 12 to 23). */
  override reset(): void {
    this.fn.setPowerState(0);
  }

  protected override resetRegisters(): void {
    this.#icr = 0;
    this.#ims = 0;
    this.#eiac = 0;
    this.#ivar = 0;
    this.#sent = 0;
  }

  /** The causes or their mask changed: keeps wire and messages in step with them. */
  #update(): void {
    const { msi, msix } = this.fn;
    const isMsix = msix?.enabled === true;
    if (isMsix && (this.#icr & OTHER_CAUSES) !== 0) this.#icr |= E1000_ICR_OTHER;
    this.#icr &= ~E1000_ICR_INT_ASSERTED;
    if (this.#icr !== 0) this.#icr |= E1000_ICR_INT_ASSERTED;
    const causes = this.#icr & this.#ims;
    if (causes === 0) this.#sent = 0;
    if (isMsix || msi?.enabled === true) this.#sendMessages(causes, isMsix);
    else if (causes === 0) this.fn.deassertIntx();
    else if (!this.fn.intxAsserted) this.raise("intx", 0, this.now());
  }

  #sendMessages(causes: number, isMsix: boolean): void {
    this.#sent &= causes;
    const fresh = causes ^ this.#sent;
    if (fresh === 0) return;
    this.#sent |= fresh;
    if (!isMsix) {
      this.raise("msi", 0, this.now());
      return;
    }
    for (let i = 0; i < MSIX_CAUSES; i++) {
      if (((fresh >>> (FIRST_QUEUE_BIT + i)) & 1) === 1) this.#sendCause(i);
    }
  }

  #sendCause(i: number): void {
    const entry = (this.#ivar >>> (4 * i)) & 0xf;
    const vector = entry & IVAR_ENTRY_VECTOR;
    if ((entry & IVAR_ENTRY_VALID) !== 0 && vector < this.fn.msix!.vectors) {
      this.raise("msix", vector, this.now());
    }
    const autoClear = this.#eiac & (1 << (FIRST_QUEUE_BIT + i));
    this.#icr &= ~autoClear;
    this.#ims &= ~autoClear;
    this.#sent &= ~autoClear;
  }

  /** Reading ICR clears it, but with MSI-X on only while every cause is masked. */
  #readIcr(): number {
    const icr = this.#icr;
    if (this.#ims === 0 || this.fn.msix?.enabled !== true) this.#icr = 0;
    this.#update();
    return icr >>> 0;
  }

  /** Writing ones clears causes; clearing OTHER clears what it stands for. */
  #clearCauses(causes: number): void {
    this.#icr &= ~causes;
    if ((causes & E1000_ICR_OTHER) !== 0) this.#icr &= ~OTHER_CAUSES;
    this.#update();
  }

  protected override readRegister(bar: number, offset: number, size: number): number {
    if (bar !== 0 || size !== 4) return 0;
    switch (offset) {
      case E1000_ICR:
        return this.#readIcr();
      case E1000_ICS:
        return this.#icr;
      case E1000_IMS:
        return this.#ims;
      case E1000_EIAC:
        return this.#eiac;
      case E1000_IVAR:
        return this.#ivar;
      default:
        return 0;
    }
  }

  protected override writeRegister(bar: number, offset: number, size: number, value: number): void {
    if (bar !== 0 || size !== 4) return;
    switch (offset) {
      case E1000_ICR:
        this.#clearCauses(value);
        break;
      case E1000_ICS:
        this.#icr |= value;
        this.#update();
        break;
      case E1000_IMS:
        this.#ims |= value & IMS_VALID;
        this.#update();
        break;
      case E1000_IMC:
        this.#ims &= ~value;
        this.#update();
        break;
      case E1000_EIAC:
        this.#eiac = value & 0x01f00000;
        break;
      case E1000_IVAR:
        this.#ivar = value;
        break;
    }
  }
}
