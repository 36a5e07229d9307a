/**
 * A virtual function of Intel's E810 (iavf) as far as its interrupts go: MSI-X only, vector 0 for
 * mailbox and errors, one for each queue pair, and those that RDMA is given later. The load's
 * packets come to the queue pairs, and to RDMA's completion queues while there are any.
 */
import type { DeviceSpec, WorkloadSpec } from "../../src/scenario/types.ts";
import { Device, type DeviceExtra, FIRMWARE_COMMAND } from "./device.ts";
import {
  ICE_VF_QUEUES,
  ICE_VF_RDMA,
  ICE_VF_RDMA_COUNT_SHIFT,
  VFGEN_RSTAT,
  VFGEN_RSTAT_VFACTIVE,
  VFINT_DYN_CTL_INTENA,
  VFINT_DYN_CTL01,
  VFINT_DYN_CTLN1,
  VFINT_DYN_CTLN1_STRIDE,
} from "./ice-vf-regs.ts";
import { type LoadTarget, OpenLoopLoad } from "./load.ts";
import type { DeviceEnv } from "./types.ts";

const TABLE_BAR = 3;
const PAGE = 0x1000;

export class IceVf extends Device implements LoadTarget {
  readonly #load = new OpenLoopLoad();
  /** VFINT_DYN_CTL, a word a vector. */
  readonly #control: Uint32Array;
  #queues = 0;
  #rdmaFirst = 0;
  #rdmaCount = 0;

  constructor(spec: DeviceSpec, extra: DeviceExtra = {}) {
    const tableBytes = Math.ceil((spec.msixVectors * 16) / PAGE) * PAGE;
    const pba = { bar: TABLE_BAR, offset: tableBytes };
    const rootComplexIntegrated = extra.behindRootPort !== true;
    super(
      spec,
      {
        name: spec.name,
        vendorId: 0x8086,
        deviceId: 0x1889,
        classCode: 0x020000,
        revisionId: 2,
        interruptPin: 0,
        command: FIRMWARE_COMMAND,
        bars: [
          { index: 0, kind: "mem64", size: 0x20000 },
          { index: TABLE_BAR, kind: "mem64", size: 2 ** Math.ceil(Math.log2(tableBytes + PAGE)) },
        ],
        capabilities: [
          {
            kind: "msix",
            offset: 0x70,
            vectors: spec.msixVectors,
            table: { bar: TABLE_BAR, offset: 0 },
            pba,
          },
          { kind: "pcie", offset: 0xa0, version: 2, flr: true, rootComplexIntegrated },
        ],
      },
      extra,
    );
    this.#control = new Uint32Array(spec.msixVectors);
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

  /** LoadTarget: queue pairs come first, then RDMA's. Hot path. */
  loadInterrupt(nth: number, atNs: number): void {
    const vector = nth < this.#queues ? 1 + nth : this.#rdmaFirst + nth - this.#queues;
    if (((this.#control[vector] ?? 0) & VFINT_DYN_CTL_INTENA) === 0) return;
    this.raiseMsix(vector, atNs);
  }

  #plan(): void {
    this.#load.setQueues(this.#queues + this.#rdmaCount);
  }

  protected override resetRegisters(): void {
    this.#control.fill(0);
    this.#queues = 0;
    this.#setRdma(0);
    this.#plan();
  }

  /** Vectors that the table has not are left out. */
  #setRdma(value: number): void {
    this.#rdmaFirst = value & 0xffff;
    const count = value >>> ICE_VF_RDMA_COUNT_SHIFT;
    this.#rdmaCount = Math.max(0, Math.min(count, this.#control.length - this.#rdmaFirst));
  }

  /** The vector whose VFINT_DYN_CTL is at `offset`, or -1. */
  #vectorAt(offset: number): number {
    if (offset === VFINT_DYN_CTL01) return 0;
    const nth = (offset - VFINT_DYN_CTLN1) / VFINT_DYN_CTLN1_STRIDE;
    return nth >= 0 && nth + 1 < this.#control.length && Number.isInteger(nth) ? nth + 1 : -1;
  }

  protected override readRegister(bar: number, offset: number, size: number): number {
    if (bar !== 0 || size !== 4) return 0;
    switch (offset) {
      case VFGEN_RSTAT:
        return VFGEN_RSTAT_VFACTIVE;
      case ICE_VF_QUEUES:
        return this.#queues;
      case ICE_VF_RDMA:
        return (this.#rdmaFirst | (this.#rdmaCount << ICE_VF_RDMA_COUNT_SHIFT)) >>> 0;
      default:
        return this.#control[this.#vectorAt(offset)] ?? 0;
    }
  }

  protected override writeRegister(bar: number, offset: number, size: number, value: number): void {
    if (bar !== 0 || size !== 4) return;
    const vector = this.#vectorAt(offset);
    if (vector >= 0) this.#control[vector] = value;
    else if (offset === ICE_VF_QUEUES) {
      this.#queues = Math.min(value, Math.max(0, this.#control.length - 1));
    } else if (offset === ICE_VF_RDMA) this.#setRdma(value);
    this.#plan();
  }
}
