/**
 * An NVMe controller (NVM Express 1.4) as far as its interrupts go, laid out like QEMU's.
 *
 * Queue pair 0 is the admin queue, which exists while the controller is ready; I/O queues come and
 * go with NVME_REG_IOQ. Queue q interrupts on vector q (but see NVME_REG_IOV), or on INTx while no
 * message interrupt is on. No commands are fetched and no completions written: a submission
 * doorbell that moves is work, which ends `serviceNs` later with one interrupt for everything that
 * was submitted when it began.
 */
import type { CapabilitySpec } from "../../src/pci/function.ts";
import type { DeviceSpec, WorkloadSpec } from "../../src/scenario/types.ts";
import { Device, type DeviceExtra, FIRMWARE_COMMAND, FIRMWARE_INTERRUPT_LINE } from "./device.ts";
import { type LoadTarget, OpenLoopLoad } from "./load.ts";
import { NOW } from "./meter.ts";
import { type NvmeQueueOwner, NvmeQueues } from "./nvme-queues.ts";
import {
  NVME_CAP_HI,
  NVME_CAP_LO,
  NVME_CC_ENABLE,
  NVME_CC_SHN_MASK,
  NVME_CSTS_RDY,
  NVME_CSTS_SHST_CMPLT,
  NVME_REG_ACQ,
  NVME_REG_AQA,
  NVME_REG_ASQ,
  NVME_REG_CAP,
  NVME_REG_CC,
  NVME_REG_CSTS,
  NVME_REG_DOORBELLS,
  NVME_REG_END,
  NVME_REG_INTMC,
  NVME_REG_INTMS,
  NVME_REG_IOQ,
  NVME_REG_IOV,
  NVME_REG_VS,
  NVME_VS_1_4,
} from "./nvme-regs.ts";
import type { DeviceEnv } from "./types.ts";

export interface NvmeExtra extends DeviceExtra {
  /** From doorbell to completion; default 10 us, a fast drive's 4 KiB read. */
  readonly serviceNs?: number;
}

const SERVICE_NS = 10_000;
const TABLE_OFFSET = 0x2000;
const PAGE = 0x1000;

/** Queue pairs of an nvme with that many vectors: the admin queue and at least one for I/O. */
export function nvmeQueues({ msixVectors, msiVectors }: DeviceSpec): number {
  return Math.max(2, msixVectors, msiVectors);
}

function capabilities(spec: DeviceSpec, extra: DeviceExtra): CapabilitySpec[] {
  const vectors = spec.msixVectors;
  const list: CapabilitySpec[] = [];
  if (vectors > 0) {
    const pba = { bar: 0, offset: TABLE_OFFSET + Math.ceil((vectors * 16) / PAGE) * PAGE };
    list.push({
      kind: "msix",
      offset: 0x40,
      vectors,
      table: { bar: 0, offset: TABLE_OFFSET },
      pba,
    });
  }
  const rootComplexIntegrated = extra.behindRootPort !== true;
  list.push({ kind: "pcie", offset: 0x80, version: 2, flr: true, rootComplexIntegrated });
  list.push({ kind: "pm", offset: 0x60, noSoftReset: true, pme: false });
  if (spec.msiVectors > 0) {
    const vectors = spec.msiVectors;
    list.push({ kind: "msi", offset: 0x50, vectors, a64: true, perVectorMask: false });
  }
  return list;
}

/** Registers, doorbells, table and PBA in one 64-bit BAR, rounded up to a power of two. */
function barSize(vectors: number): number {
  const pbaEnd = TABLE_OFFSET + Math.ceil((vectors * 16) / PAGE) * PAGE + Math.ceil(vectors / 8);
  return 2 ** Math.ceil(Math.log2(Math.max(pbaEnd, 0x4000)));
}

export class Nvme extends Device implements LoadTarget, NvmeQueueOwner {
  readonly #queues: NvmeQueues;
  readonly #load = new OpenLoopLoad();
  #cc = 0;
  #csts = 0;
  #intms = 0;
  #aqa = 0;
  readonly #queueBases = new Uint32Array(4);
  #ioQueues = 0;
  #firstIoVector = 1;

  constructor(spec: DeviceSpec, extra: NvmeExtra = {}) {
    super(
      spec,
      {
        name: spec.name,
        vendorId: 0x1b36,
        deviceId: 0x0010,
        classCode: 0x010802,
        revisionId: 2,
        subsystemVendorId: 0x1af4,
        subsystemId: 0x1100,
        interruptPin: 1,
        interruptLine: FIRMWARE_INTERRUPT_LINE,
        command: FIRMWARE_COMMAND,
        bars: [{ index: 0, kind: "mem64", size: barSize(spec.msixVectors) }],
        capabilities: capabilities(spec, extra),
      },
      extra,
    );
    const count = nvmeQueues(spec);
    this.#queues = new NvmeQueues(count, extra.serviceNs ?? SERVICE_NS, this);
  }

  override get doorbells(): number {
    return 2 * this.#queues.count;
  }

  /** I/O queue pairs that exist. */
  get ioQueues(): number {
    return this.#ioQueues;
  }

  override doorbell(index: number, value: number): void {
    const queue = index >>> 1;
    // Doorbells of queues that do not exist are a programming error the controller ignores.
    if (index < 0 || (this.#csts & NVME_CSTS_RDY) === 0 || queue > this.#ioQueues) return;
    if ((index & 1) === 1) {
      // With message interrupts nothing waits for the completion head.
      if (this.#queues.isUnacknowledged(queue)) this.#acknowledge(queue);
      else this.quietDoorbell?.(index, true);
      return;
    }
    this.#queues.submit(queue, value >>> 0, this.env);
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

  /** LoadTarget: the load's queue i is I/O queue i + 1. */
  loadInterrupt(queue: number, atNs: number): void {
    this.#interrupt(queue + 1, atNs);
  }

  /** NvmeQueueOwner. */
  serviceEnded(queue: number): void {
    this.#interrupt(queue, NOW);
  }

  /** A completion is posted to `queue` and interrupts. Hot path. */
  #interrupt(queue: number, atNs: number): void {
    this.#queues.post(queue);
    const { msi, msix } = this.fn;
    const vector = queue === 0 ? 0 : this.#firstIoVector + queue - 1;
    if (msix?.enabled === true) {
      this.raise("msix", vector < msix.vectors ? vector : vector % msix.vectors, atNs);
      return;
    }
    if (msi?.enabled === true) {
      this.raise("msi", vector % msi.allotted, atNs);
      return;
    }
    if (!this.#queues.isUnacknowledged(queue)) this.quietDoorbell?.(2 * queue + 1, false);
    this.#queues.awaitAcknowledge(queue);
    if (!this.#pinMasked) this.raise("intx", 0, atNs);
  }

  /** With INTx every queue is on vector 0, which bit 0 of INTMS masks. */
  get #pinMasked(): boolean {
    return (this.#intms & 1) === 1;
  }

  /** The completion head moved: the driver has seen all that is posted to the queue. */
  #acknowledge(queue: number): void {
    if (this.#queues.acknowledge(queue)) this.fn.deassertIntx();
  }

  #setIntms(mask: number): void {
    const masked = this.#pinMasked;
    this.#intms = mask >>> 0;
    if (masked === this.#pinMasked || !this.#queues.anyUnacknowledged) return;
    if (masked) this.raise("intx", 0, this.now());
    else this.fn.deassertIntx();
  }

  /** Creates I/O queues up to `count` and deletes those behind it. */
  #setIoQueues(count: number): void {
    const before = this.#ioQueues;
    this.#ioQueues = Math.min(count, this.#queues.count - 1);
    for (let queue = this.#ioQueues + 1; queue <= before; queue++) this.#clearQueue(queue);
    this.#load.setQueues(this.#ioQueues);
  }

  #clearQueue(queue: number): void {
    if (this.#queues.clear(queue)) this.fn.deassertIntx();
  }

  /** CC.EN cleared, or a reset: no queues, nothing to acknowledge. */
  #disableController(): void {
    this.#setIoQueues(0);
    this.#clearQueue(0);
    this.#firstIoVector = 1;
    this.#intms = 0;
    this.#csts = 0;
  }

  #setCc(value: number): void {
    const enable = (value & NVME_CC_ENABLE) !== 0;
    if (!enable) this.#disableController();
    this.#cc = value;
    if (enable) this.#csts |= NVME_CSTS_RDY;
    if ((value & NVME_CC_SHN_MASK) !== 0) this.#csts |= NVME_CSTS_SHST_CMPLT;
    else this.#csts &= ~NVME_CSTS_SHST_CMPLT;
  }

  protected override resetRegisters(): void {
    this.#disableController();
    this.#cc = 0;
    this.#aqa = 0;
    this.#queueBases.fill(0);
  }

  protected override readRegister(_bar: number, offset: number, size: number): number {
    const word = this.#readWord(offset & ~3) >>> ((offset & 3) * 8);
    return size === 4 ? word : word & (2 ** (8 * size) - 1);
  }

  #readWord(offset: number): number {
    if (offset >= NVME_REG_DOORBELLS && offset < NVME_REG_END) {
      const doorbell = (offset - NVME_REG_DOORBELLS) >>> 2;
      const queue = doorbell >>> 1;
      return (doorbell & 1) === 0 ? this.#queues.completed(queue) : this.#queues.posted(queue);
    }
    if (offset >= NVME_REG_ASQ && offset < NVME_REG_ACQ + 8) {
      return this.#queueBases[(offset - NVME_REG_ASQ) >>> 2]!;
    }
    switch (offset) {
      case NVME_REG_CAP:
        return NVME_CAP_LO;
      case NVME_REG_CAP + 4:
        return NVME_CAP_HI;
      case NVME_REG_VS:
        return NVME_VS_1_4;
      case NVME_REG_INTMS:
      case NVME_REG_INTMC:
        return this.#intms;
      case NVME_REG_CC:
        return this.#cc;
      case NVME_REG_CSTS:
        return this.#csts;
      case NVME_REG_AQA:
        return this.#aqa;
      case NVME_REG_IOQ:
        return this.#ioQueues;
      case NVME_REG_IOV:
        return this.#firstIoVector;
      default:
        return 0;
    }
  }

  /** The controller takes double words only; what other sizes do is left open by the standard. */
  protected override writeRegister(
    _bar: number,
    offset: number,
    size: number,
    value: number,
  ): void {
    if (size !== 4 || offset % 4 !== 0) return;
    if (offset >= NVME_REG_DOORBELLS && offset < NVME_REG_END) {
      this.doorbell((offset - NVME_REG_DOORBELLS) >>> 2, value);
    } else if (offset >= NVME_REG_ASQ && offset < NVME_REG_ACQ + 8) {
      this.#queueBases[(offset - NVME_REG_ASQ) >>> 2] = value;
    } else if (offset === NVME_REG_CC) this.#setCc(value);
    else if (offset === NVME_REG_AQA) this.#aqa = value;
    else if (offset === NVME_REG_INTMS) this.#setIntms(this.#intms | value);
    else if (offset === NVME_REG_INTMC) this.#setIntms(this.#intms & ~value);
    else if (offset === NVME_REG_IOV) this.#firstIoVector = value & 0x7ff;
    else if (offset === NVME_REG_IOQ && (this.#csts & NVME_CSTS_RDY) !== 0) {
      this.#setIoQueues(value);
    }
  }
}
