/**
 * Intel's Data Streaming Accelerator (specification 355205) as far as its interrupts go: eight work
 * queues that are enabled and disabled one by one, an interrupt vector for each, and vector 0 for
 * commands and errors. It has no INTx and no MSI. A portal is a doorbell: what was submitted to a
 * queue when its engine began completes `serviceNs` later, with one interrupt.
 */
import type { DeviceSpec, WorkloadSpec } from "../../src/scenario/types.ts";
import type { TimedEvent } from "../../src/time/event-heap.ts";
import { Device, type DeviceExtra, FIRMWARE_COMMAND } from "./device.ts";
import {
  IDXD_CMD,
  IDXD_CMD_DISABLE_DEVICE,
  IDXD_CMD_DISABLE_WQ,
  IDXD_CMD_DRAIN_WQ,
  IDXD_CMD_ENABLE_DEVICE,
  IDXD_CMD_ENABLE_WQ,
  IDXD_CMD_INT_REQ,
  IDXD_CMD_RESET_DEVICE,
  IDXD_CMD_RESET_WQ,
  IDXD_CMD_SHIFT,
  IDXD_CMDSTS,
  IDXD_CMDSTS_ERR_DEV_ENABLED,
  IDXD_CMDSTS_ERR_DEV_NOT_EN,
  IDXD_CMDSTS_ERR_WQ_ENABLED,
  IDXD_CMDSTS_INVAL_WQIDX,
  IDXD_CMDSTS_SUCCESS,
  IDXD_GENSTATS,
  IDXD_GENSTATS_STATE_ENABLED,
  IDXD_INTC_CMD,
  IDXD_INTCAUSE,
  IDXD_VERSION,
  IDXD_VERSION_1,
  IDXD_WQCAP,
  IDXD_WQCAP_NUM_SHIFT,
} from "./idxd-regs.ts";
import { type LoadTarget, OpenLoopLoad } from "./load.ts";
import type { DeviceEnv } from "./types.ts";

export interface IdxdExtra extends DeviceExtra {
  /** From submission to completion; default 2 us, a copy of some 4 KiB. */
  readonly serviceNs?: number;
}

/** Work queues: a portal each. */
export const IDXD_WQS = 8;
const SERVICE_NS = 2_000;
const TABLE_OFFSET = 0x2000;
const PBA_OFFSET = 0x3000;
const OPERAND = 0xfffff;
const WQS_A_WORD = 16;

/** One work queue: portal tail, what the engine works on, and the event that ends it. */
interface WorkQueue {
  enabled: boolean;
  submitted: number;
  completed: number;
  service: TimedEvent | null;
}

export class Idxd extends Device implements LoadTarget {
  readonly #load = new OpenLoopLoad();
  readonly #serviceNs: number;
  readonly #wqs: readonly WorkQueue[];
  #enabled = false;
  #intCause = 0;
  #status = IDXD_CMDSTS_SUCCESS;

  constructor(spec: DeviceSpec, extra: IdxdExtra = {}) {
    super(
      spec,
      {
        name: spec.name,
        vendorId: 0x8086,
        deviceId: 0x0b25,
        classCode: 0x088000,
        revisionId: 0,
        interruptPin: 0,
        command: FIRMWARE_COMMAND,
        bars: [
          { index: 0, kind: "mem64", size: 0x10000 },
          { index: 2, kind: "mem64", size: 0x20000 },
        ],
        capabilities: [
          { kind: "pcie", offset: 0x40, version: 2, flr: true, rootComplexIntegrated: true },
          {
            kind: "msix",
            offset: 0x80,
            vectors: spec.msixVectors,
            table: { bar: 0, offset: TABLE_OFFSET },
            pba: { bar: 0, offset: PBA_OFFSET },
          },
          { kind: "pm", offset: 0x90, noSoftReset: true, pme: false },
        ],
      },
      extra,
    );
    this.#serviceNs = extra.serviceNs ?? SERVICE_NS;
    this.#wqs = Array.from({ length: IDXD_WQS }, () => ({
      enabled: false,
      submitted: 0,
      completed: 0,
      service: null,
    }));
  }

  override get doorbells(): number {
    return IDXD_WQS;
  }

  /** A write to a portal of a queue that is off is dropped. */
  override doorbell(index: number, value: number): void {
    const wq = this.#wqs[index];
    if (wq?.enabled !== true) return;
    wq.submitted = value >>> 0;
    if (wq.service === null) this.#serve(index, wq);
  }

  #serve(index: number, wq: WorkQueue): void {
    if (wq.submitted === wq.completed) return;
    const tail = wq.submitted;
    const end = (): void => {
      wq.service = null;
      wq.completed = tail;
      this.#interrupt(1 + index, this.now());
      if (wq.service === null) this.#serve(index, wq);
    };
    if (this.env === null) end();
    else wq.service = this.env.scheduler.at(this.env.clock.now() + this.#serviceNs, end);
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

  /** LoadTarget: the n-th queue that is on has completed something. Hot path. */
  loadInterrupt(nth: number, atNs: number): void {
    let index = 0;
    for (let left = nth; index < IDXD_WQS; index++) {
      if (this.#wqs[index]!.enabled && left-- === 0) break;
    }
    this.#interrupt(1 + index, atNs);
  }

  /** Hot path. */
  #interrupt(vector: number, atNs: number): void {
    if (vector < this.fn.msix!.vectors) this.raiseMsix(vector, atNs);
  }

  #plan(): void {
    this.#load.setQueues(this.#wqs.reduce((sum, { enabled }) => sum + (enabled ? 1 : 0), 0));
  }

  /** CMD: commands are done at once, drains too. */
  #command(value: number): void {
    const operand = value & OPERAND;
    this.#status = this.#execute((value >>> IDXD_CMD_SHIFT) & 0x1f, operand);
    this.#plan();
    if (value >>> 0 < IDXD_CMD_INT_REQ) return;
    this.#intCause |= IDXD_INTC_CMD;
    this.#interrupt(0, this.now());
  }

  #execute(command: number, operand: number): number {
    switch (command) {
      case IDXD_CMD_ENABLE_DEVICE:
        if (this.#enabled) return IDXD_CMDSTS_ERR_DEV_ENABLED;
        this.#enabled = true;
        return IDXD_CMDSTS_SUCCESS;
      case IDXD_CMD_DISABLE_DEVICE:
      case IDXD_CMD_RESET_DEVICE:
        this.#disable();
        return IDXD_CMDSTS_SUCCESS;
      case IDXD_CMD_ENABLE_WQ:
        return this.#enableWq(operand);
      case IDXD_CMD_DISABLE_WQ:
      case IDXD_CMD_RESET_WQ:
        for (const wq of this.#named(operand)) disableWq(wq);
        return IDXD_CMDSTS_SUCCESS;
      case IDXD_CMD_DRAIN_WQ:
        return IDXD_CMDSTS_SUCCESS;
      default:
        return IDXD_CMDSTS_INVAL_WQIDX;
    }
  }

  #enableWq(index: number): number {
    const wq = this.#wqs[index];
    if (!this.#enabled) return IDXD_CMDSTS_ERR_DEV_NOT_EN;
    if (wq === undefined) return IDXD_CMDSTS_INVAL_WQIDX;
    if (wq.enabled) return IDXD_CMDSTS_ERR_WQ_ENABLED;
    wq.enabled = true;
    return IDXD_CMDSTS_SUCCESS;
  }

  /** The queues that a mask of 16 names. */
  #named(operand: number): WorkQueue[] {
    const first = (operand >>> WQS_A_WORD) * WQS_A_WORD;
    return this.#wqs.filter((_, i) => i >= first && ((operand >>> (i - first)) & 1) === 1);
  }

  #disable(): void {
    this.#enabled = false;
    for (const wq of this.#wqs) disableWq(wq);
  }

  protected override resetRegisters(): void {
    this.#disable();
    this.#intCause = 0;
    this.#status = IDXD_CMDSTS_SUCCESS;
    this.#plan();
  }

  protected override readRegister(bar: number, offset: number, size: number): number {
    if (bar !== 0 || size !== 4) return 0;
    switch (offset) {
      case IDXD_VERSION:
        return IDXD_VERSION_1;
      case IDXD_WQCAP:
        return IDXD_WQS << IDXD_WQCAP_NUM_SHIFT;
      case IDXD_GENSTATS:
        return this.#enabled ? IDXD_GENSTATS_STATE_ENABLED : 0;
      case IDXD_INTCAUSE:
        return this.#intCause;
      case IDXD_CMDSTS:
        return this.#status;
      default:
        return 0;
    }
  }

  protected override writeRegister(bar: number, offset: number, size: number, value: number): void {
    if (bar !== 0 || size !== 4) return;
    if (offset === IDXD_CMD) this.#command(value);
    else if (offset === IDXD_INTCAUSE) this.#intCause &= ~value;
  }
}

/** What was submitted and has not been done never will be. */
function disableWq(wq: WorkQueue): void {
  if (wq.service !== null) wq.service.cancelled = true;
  wq.enabled = false;
  wq.submitted = 0;
  wq.completed = 0;
  wq.service = null;
}
