/**
 * Intel's 82576 (igb) as far as its interrupts go, laid out like QEMU's (datasheet, 7.3 and 8.8).
 *
 * With MSI-X, vectors go where the IVAR registers say: receive and transmit queues, and link and
 * other causes; EIMS enables them one by one, and a message clears its cause by itself. With MSI or
 * INTx there is one interrupt, whose causes wait in ICR for the driver to read them. Packets are
 * the load's arrivals: each interrupts, unless `moderationNs` keeps interrupts of a vector apart.
 */
import type { CapabilitySpec } from "../../src/pci/function.ts";
import type { DeviceSpec, WorkloadSpec } from "../../src/scenario/types.ts";
import type { TimedEvent } from "../../src/time/event-heap.ts";
import { Device, type DeviceExtra, FIRMWARE_COMMAND, FIRMWARE_INTERRUPT_LINE } from "./device.ts";
import { type LoadTarget, OpenLoopLoad } from "./load.ts";
import {
  E1000_CTRL,
  E1000_CTRL_RST,
  E1000_CTRL_SLU,
  E1000_EICS,
  E1000_EIMC,
  E1000_EIMS,
  E1000_GPIE,
  E1000_GPIE_MSIX_MODE,
  E1000_ICR,
  E1000_ICR_LSC,
  E1000_ICR_RXDW,
  E1000_ICS,
  E1000_IMC,
  E1000_IMS,
  E1000_IVAR_ENTRY,
  E1000_IVAR_MISC,
  E1000_IVAR_VALID,
  E1000_IVAR0,
  E1000_RCTL,
  E1000_RCTL_EN,
  E1000_RXDCTL_ENABLE,
  E1000_RXDCTL_STRIDE,
  E1000_RXDCTL0,
  E1000_STATUS,
  E1000_STATUS_LU,
} from "./nic-regs.ts";
import type { DeviceEnv } from "./types.ts";

const QUEUES = 8;
const TABLE_BAR = 3;
const PBA_OFFSET = 0x2000;

function capabilities(spec: DeviceSpec, extra: DeviceExtra): CapabilitySpec[] {
  const { msiVectors, msixVectors } = spec;
  const list: CapabilitySpec[] = [{ kind: "pm", offset: 0x40, noSoftReset: false, pme: true }];
  if (msiVectors > 0) {
    list.push({ kind: "msi", offset: 0x50, vectors: msiVectors, a64: true, perVectorMask: true });
  }
  if (msixVectors > 0) {
    const table = { bar: TABLE_BAR, offset: 0 };
    const pba = { bar: TABLE_BAR, offset: PBA_OFFSET };
    list.push({ kind: "msix", offset: 0x70, vectors: msixVectors, table, pba });
  }
  const rootComplexIntegrated = extra.behindRootPort !== true;
  list.push({ kind: "pcie", offset: 0xa0, version: 2, flr: true, rootComplexIntegrated });
  return list;
}

export class Nic extends Device implements LoadTarget {
  readonly #load = new OpenLoopLoad();
  readonly #moderationNs: number;
  readonly #ivar = new Uint32Array(QUEUES);
  readonly #receiving = new Uint8Array(QUEUES);
  /** When a vector may interrupt again, and the interrupt that waits for that. */
  readonly #allowedAt: Float64Array;
  readonly #waiting: (TimedEvent | null)[];
  readonly #waitingSince: Float64Array;
  #ivarMisc = 0;
  #gpie = 0;
  #eims = 0;
  #ims = 0;
  #icr = 0;
  #rctl = 0;
  #ctrl = 0;

  constructor(spec: DeviceSpec, extra: DeviceExtra = {}) {
    super(
      spec,
      {
        name: spec.name,
        vendorId: 0x8086,
        deviceId: 0x10c9,
        classCode: 0x020000,
        revisionId: 1,
        interruptPin: 1,
        interruptLine: FIRMWARE_INTERRUPT_LINE,
        command: FIRMWARE_COMMAND,
        bars: [
          { index: 0, kind: "mem32", size: 0x20000 },
          { index: 1, kind: "mem32", size: 0x20000 },
          { index: 2, kind: "io", size: 0x20 },
          { index: TABLE_BAR, kind: "mem64", size: 0x4000 },
        ],
        capabilities: capabilities(spec, extra),
      },
      extra,
    );
    this.#moderationNs = spec.moderationNs ?? 0;
    const vectors = Math.max(1, spec.msixVectors);
    this.#allowedAt = new Float64Array(vectors);
    this.#waiting = new Array<TimedEvent | null>(vectors).fill(null);
    this.#waitingSince = new Float64Array(vectors);
  }

  /** The driver has read ICR: one word that it rings instead. */
  override get doorbells(): number {
    return 1;
  }

  override doorbell(_index: number, _value: number): void {
    this.#clearCauses();
  }

  override startLoad(load: WorkloadSpec, env: DeviceEnv): void {
    super.startLoad(load, env);
    this.#load.start(load, env, this.spec.name);
  }

  override stopLoad(): void {
    this.#load.stop();
  }

  override runLoad(now: number): number {
    return this.#load.run(now, this);
  }

  /** LoadTarget: a packet arrives at the n-th queue that receives. Hot path. */
  loadInterrupt(nth: number, atNs: number): void {
    let queue = 0;
    for (let left = nth; queue < QUEUES; queue++) {
      if (this.#receiving[queue] === 1 && left-- === 0) break;
    }
    if (this.#isMsix) this.#vectorCause(this.#ivar[queue]! & E1000_IVAR_ENTRY, atNs);
    else this.#cause(E1000_ICR_RXDW, atNs);
  }

  get #isMsix(): boolean {
    return this.fn.msix?.enabled === true && (this.#gpie & E1000_GPIE_MSIX_MODE) !== 0;
  }

  /** A cause of MSI-X, by its byte of IVAR. */
  #vectorCause(entry: number, atNs: number): void {
    if ((entry & E1000_IVAR_VALID) !== 0) this.#vectorInterrupt(entry & ~E1000_IVAR_VALID, atNs);
  }

  #vectorInterrupt(vector: number, atNs: number): void {
    if (vector >= this.fn.msix!.vectors || ((this.#eims >>> vector) & 1) === 0) return;
    this.#moderate(vector, atNs);
  }

  /** EITR: what comes too early waits, and what comes meanwhile goes with it. */
  #moderate(vector: number, atNs: number): void {
    const now = this.now();
    if (this.#moderationNs === 0 || this.env === null) this.#send(vector, atNs);
    else if (this.#waiting[vector] !== null) return;
    else if (now >= this.#allowedAt[vector]!) {
      this.#allowedAt[vector] = now + this.#moderationNs;
      this.#send(vector, atNs);
    } else {
      this.#waitingSince[vector] = atNs;
      const due = this.#allowedAt[vector]!;
      this.#waiting[vector] = this.env.scheduler.at(due, () => this.#endWait(vector));
    }
  }

  #endWait(vector: number): void {
    this.#waiting[vector] = null;
    this.#allowedAt[vector] = this.now() + this.#moderationNs;
    this.#send(vector, this.#waitingSince[vector]!);
  }

  /** Interrupts in the way that is on at present. */
  #send(vector: number, atNs: number): void {
    if (this.fn.msix?.enabled === true) this.raise("msix", vector, atNs);
    else if (this.fn.msi?.enabled === true) this.raise("msi", 0, atNs);
    else this.raise("intx", 0, atNs);
  }

  /** A cause of MSI and INTx. */
  #cause(cause: number, atNs: number): void {
    this.#icr |= cause;
    if ((this.#icr & this.#ims) !== 0) this.#moderate(0, atNs);
  }

  #clearCauses(): void {
    this.#icr = 0;
    this.fn.deassertIntx();
  }

  /** Causes set by software. */
  #setCauses(causes: number): void {
    if (!this.#isMsix) this.#cause(causes, this.now());
    else if ((causes & E1000_ICR_LSC) !== 0) this.#vectorCause(this.#ivarMisc >>> 8, this.now());
  }

  #setVectors(vectors: number): void {
    for (let vector = 0; vector < this.#allowedAt.length && this.#isMsix; vector++) {
      if (((vectors >>> vector) & 1) === 1) this.#vectorInterrupt(vector, this.now());
    }
  }

  /** Packets arrive while the link is up and the receiver on, at the queues that are enabled. */
  #plan(): void {
    const isUp = (this.#ctrl & E1000_CTRL_SLU) !== 0 && (this.#rctl & E1000_RCTL_EN) !== 0;
    const queues = this.#receiving.reduce((sum, enabled) => sum + enabled, 0);
    this.#load.setQueues(isUp ? queues : 0);
  }

  protected override resetRegisters(): void {
    for (const event of this.#waiting) if (event !== null) event.cancelled = true;
    this.#waiting.fill(null);
    this.#allowedAt.fill(0);
    this.#ivar.fill(0);
    this.#receiving.fill(0);
    this.#ivarMisc = 0;
    this.#gpie = 0;
    this.#eims = 0;
    this.#ims = 0;
    this.#rctl = 0;
    this.#ctrl = 0;
    this.#clearCauses();
    this.#plan();
  }

  protected override readRegister(bar: number, offset: number, size: number): number {
    if (bar !== 0 || size !== 4) return 0;
    switch (offset) {
      case E1000_CTRL:
        return this.#ctrl;
      case E1000_STATUS:
        return (this.#ctrl & E1000_CTRL_SLU) === 0 ? 0 : E1000_STATUS_LU;
      case E1000_RCTL:
        return this.#rctl;
      case E1000_ICR: {
        const icr = this.#icr;
        this.#clearCauses();
        return icr;
      }
      case E1000_IMS:
        return this.#ims;
      case E1000_EIMS:
        return this.#eims;
      case E1000_GPIE:
        return this.#gpie;
      case E1000_IVAR_MISC:
        return this.#ivarMisc;
      default:
        return this.#readQueueRegister(offset);
    }
  }

  #readQueueRegister(offset: number): number {
    const ivar = (offset - E1000_IVAR0) / 4;
    if (ivar in this.#ivar) return this.#ivar[ivar]!;
    const queue = (offset - E1000_RXDCTL0) / E1000_RXDCTL_STRIDE;
    return this.#receiving[queue] === 1 ? E1000_RXDCTL_ENABLE : 0;
  }

  protected override writeRegister(bar: number, offset: number, size: number, value: number): void {
    if (bar !== 0 || size !== 4) return;
    if (offset === E1000_ICS) this.#setCauses(value);
    else if (offset === E1000_EICS) this.#setVectors(value);
    else if (offset === E1000_IMS) this.#ims |= value;
    else if (offset === E1000_IMC) this.#maskCauses(value);
    else if (offset === E1000_EIMS) this.#eims |= value;
    else if (offset === E1000_EIMC) this.#eims &= ~value;
    else if (offset === E1000_GPIE) this.#gpie = value;
    else if (offset === E1000_IVAR_MISC) this.#ivarMisc = value;
    else if (offset === E1000_CTRL) this.#setControl(value);
    else this.#writeQueueRegister(offset, value);
    this.#plan();
  }

  #setControl(value: number): void {
    if ((value & E1000_CTRL_RST) !== 0) this.resetRegisters();
    else this.#ctrl = value;
  }

  #maskCauses(causes: number): void {
    this.#ims &= ~causes;
    if (this.#ims === 0) this.#clearCauses();
  }

  #writeQueueRegister(offset: number, value: number): void {
    const ivar = (offset - E1000_IVAR0) / 4;
    if (ivar in this.#ivar) this.#ivar[ivar] = value;
    if (offset === E1000_RCTL) this.#rctl = value;
    const queue = (offset - E1000_RXDCTL0) / E1000_RXDCTL_STRIDE;
    if (!(queue in this.#receiving)) return;
    this.#receiving[queue] = (value & E1000_RXDCTL_ENABLE) === 0 ? 0 : 1;
  }
}
