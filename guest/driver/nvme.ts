/** The guest's nvme driver as far as interrupts go (drivers/nvme/host/pci.c). */
import { EIO, ENODEV } from "../../src/base/errno.ts";
import type { IrqKind } from "../../src/measure/rows.ts";
import { type Process, sleep } from "../../src/time/process.ts";
import { irqCreateAffinityMasks } from "../kernel/affinity.ts";
import { type DriverVectors, driverVectors } from "../kernel/driver-vectors.ts";
import type { GuestKernel } from "../kernel/kernel.ts";
import { PciDevice } from "../kernel/pci-device.ts";
import { PCI_COMMAND_MEMORY } from "../kernel/pci-regs.ts";
import type { VirtualFunction } from "../vmm/types.ts";
import { NvmeQueue } from "./nvme-queue.ts";
import {
  NVME_AQA_LINUX,
  NVME_BAR,
  NVME_CC_ENABLE,
  NVME_CC_LINUX,
  NVME_CSTS_RDY,
  NVME_REG_AQA,
  NVME_REG_CC,
  NVME_REG_CSTS,
  NVME_REG_IOQ,
} from "./nvme-regs.ts";
import type { DriverState, GuestDriver } from "./types.ts";

/** nvme_wait_ready looks this often, and as the controller's CAP.TO says not for ever. */
const READY_POLL_NS = 100_000;
const READY_POLLS = 75;
/** Removal waits for commands under way, for a while: an interrupt may have been lost. */
const DRAIN_POLL_NS = 20_000;
const DRAIN_POLLS = 50;

export class NvmeDriver implements GuestDriver {
  readonly device: string;
  state: DriverState = "unbound";
  mode: IrqKind;
  readonly vectors: DriverVectors;
  readonly network = null;
  readonly #kernel: GuestKernel;
  readonly #dev: PciDevice;
  readonly #queues: NvmeQueue[] = [];
  /** vCPUs that submit to each queue; null for the admin queue. */
  #masks: readonly (readonly number[] | null)[] = [];
  /** I/O queues in use are 1 to this. */
  #ioQueues = 0;
  #running = false;

  constructor(kernel: GuestKernel, fn: VirtualFunction) {
    const { msixVectors, msiVectors } = fn.spec;
    this.device = fn.spec.name;
    this.mode = msixVectors > 0 ? "msix" : msiVectors > 0 ? "msi" : "intx";
    this.#kernel = kernel;
    this.#dev = new PciDevice(kernel.vm, fn);
    this.vectors = driverVectors(this.#dev, kernel);
    const vectors = Math.max(msixVectors, msiVectors);
    const queues = 1 + Math.max(1, Math.min(kernel.vm.vcpus, vectors - 1));
    for (let id = 0; id < queues; id++) this.#queues.push(new NvmeQueue(kernel.vm, fn, id));
  }

  /** nvme_probe: up to the admin queue with one vector, then again with all. */
  *probe(): Process<number> {
    const failed = yield* this.#setUp();
    if (failed === 0) {
      this.state = "bound";
      return 0;
    }
    yield* this.#tearDown();
    this.state = "failed";
    return failed;
  }

  *#setUp(): Process<number> {
    yield* this.#dev.enable(PCI_COMMAND_MEMORY);
    const first = yield* this.vectors.alloc(this.mode, [null]);
    if (first < 0) return first;
    const enabled = yield* this.#enableController();
    if (enabled < 0) return enabled;
    const admin = yield* this.vectors.request(0, this.#queues[0]!);
    if (admin < 0) return admin;
    return yield* this.#setUpIo();
  }

  /** nvme_setup_io_queues. */
  *#setUpIo(): Process<number> {
    const { vcpus } = this.#kernel.vm;
    let wanted = 1;
    if (this.mode === "msix") wanted = Math.min(vcpus + 1, yield* this.vectors.msixCount());
    else if (this.mode === "msi") wanted = Math.min(vcpus + 1, this.#dev.fn.spec.msiVectors);
    yield* this.vectors.free(0);
    yield* this.vectors.freeAll();
    const masks = irqCreateAffinityMasks(vcpus, wanted, 1);
    this.#masks = masks;
    const granted = yield* this.vectors.alloc(this.mode, masks);
    if (granted < 0) return granted;
    // With a single vector the I/O queue shares the admin queue's, which is quiet by then.
    this.#ioQueues = Math.max(1, granted - 1);
    const first = granted === 1 ? this.#queues[1]! : this.#queues[0]!;
    const admin = yield* this.vectors.request(0, first);
    if (admin < 0) return admin;
    for (let id = 1; id < granted; id++) {
      const result = yield* this.vectors.request(id, this.#queues[id]!);
      if (result === 0) continue;
      // nvme_create_io_queues goes on with the queues it has.
      this.#kernel.driverError(this.#dev.fn.rows, `request_irq ${id}`, result);
      this.#ioQueues = id - 1;
      break;
    }
    return this.#ioQueues > 0 ? 0 : -EIO;
  }

  *#register(offset: number, value: number): Process {
    yield* this.#dev.vm.mmioWrite(this.#dev.fn, NVME_BAR, offset, 4, value);
  }

  /** nvme_pci_configure_admin_queue: off, set up, on. */
  *#enableController(): Process<number> {
    yield* this.#register(NVME_REG_CC, NVME_CC_LINUX);
    yield* this.#register(NVME_REG_AQA, NVME_AQA_LINUX);
    yield* this.#register(NVME_REG_CC, NVME_CC_LINUX | NVME_CC_ENABLE);
    for (let polls = 0; polls < READY_POLLS; polls++) {
      const csts = yield* this.#dev.vm.mmioRead(this.#dev.fn, NVME_BAR, NVME_REG_CSTS, 4);
      if ((csts & NVME_CSTS_RDY) !== 0) return 0;
      yield* sleep(READY_POLL_NS);
    }
    return -ENODEV;
  }

  *startIo(): Process {
    if (this.state !== "bound" || this.#running) return;
    this.#running = true;
    const { arrivals, depth } = this.#kernel.plan.spec.workload;
    for (let id = 1; id <= this.#ioQueues; id++) this.#queues[id]!.reset();
    yield* this.#register(NVME_REG_IOQ, this.#ioQueues);
    if (arrivals !== "closed") return;
    const { online } = this.#kernel;
    for (let id = 1; id <= this.#ioQueues; id++) {
      const mask = this.#masks[id] ?? online;
      if (mask.some((vcpu) => online.includes(vcpu))) this.#queues[id]!.start(depth);
    }
  }

  *stopIo(): Process {
    if (!this.#running) return;
    this.#running = false;
    yield* this.#drain(this.#queues);
    yield* this.#register(NVME_REG_IOQ, 0);
  }

  /** Nothing new is submitted to `queues`, and what is under way is waited for. */
  *#drain(queues: readonly NvmeQueue[]): Process {
    for (const queue of queues) queue.stop();
    for (let polls = 0; polls < DRAIN_POLLS && outstandingOn(queues) > 0; polls++) {
      yield* sleep(DRAIN_POLL_NS);
    }
    const lost = outstandingOn(queues);
    if (lost > 0) this.#kernel.driverError(this.#dev.fn.rows, `${lost} commands timed out`, -EIO);
  }

  /** nvme_remove and nvme_shutdown: I/O queues from the last to the first, then the admin queue. */
  *remove(): Process {
    if (this.state !== "bound") return;
    yield* this.stopIo();
    yield* this.#tearDown();
    this.state = "unbound";
  }

  /** nvme_suspend without the power states of a laptop's drive, and nvme_resume. */
  suspend(): Process {
    return this.remove();
  }

  resume(): Process<number> {
    return this.probe();
  }

  /** nvme_reset_prepare. */
  resetPrepare(): Process {
    return this.remove();
  }

  /** nvme_reset_done: the reset work sets the controller up again. */
  *resetDone(): Process {
    yield* this.probe();
  }

  *#tearDown(): Process {
    for (let vector = this.vectors.count - 1; vector > 0; vector--) {
      yield* this.vectors.free(vector);
    }
    if (this.vectors.count > 0) {
      yield* this.#register(NVME_REG_CC, NVME_CC_LINUX);
      yield* this.vectors.free(0);
    }
    yield* this.vectors.freeAll();
    yield* this.#dev.disable();
  }

  /** blk_mq_hctx_notify_offline comes before the interrupts move: such queues are empty by then. */
  *cpuOffline(vcpu: number): Process {
    const { online } = this.#kernel;
    const idle = this.#queuesOf(vcpu).filter(
      (queue) => !this.#masks[queue.id]!.some((other) => online.includes(other)),
    );
    yield* this.#drain(idle);
    yield* this.vectors.cpuOffline(vcpu);
  }

  *cpuOnline(vcpu: number): Process {
    const result = yield* this.vectors.cpuOnline(vcpu);
    if (result < 0) {
      this.#kernel.driverError(this.#dev.fn.rows, "irq_startup", result);
      return;
    }
    const { arrivals, depth } = this.#kernel.plan.spec.workload;
    if (!this.#running || arrivals !== "closed") return;
    for (const queue of this.#queuesOf(vcpu)) queue.start(depth);
  }

  /** I/O queues that `vcpu` submits to. */
  #queuesOf(vcpu: number): NvmeQueue[] {
    return this.#queues.filter(
      ({ id }) => id <= this.#ioQueues && this.#masks[id]?.includes(vcpu) === true,
    );
  }

  halt(): void {
    for (const queue of this.#queues) queue.stop();
    this.#running = false;
    this.state = "unbound";
  }

  counters(): Readonly<Record<string, number>> {
    const completed = this.#queues.reduce((sum, queue) => sum + queue.completed, 0);
    return { ioQueues: this.#ioQueues, completed, outstanding: outstandingOn(this.#queues) };
  }
}

function outstandingOn(queues: readonly NvmeQueue[]): number {
  return queues.reduce((sum, queue) => sum + queue.outstanding, 0);
}
