/**
 * The guest's idxd driver as far as interrupts go (drivers/dma/idxd/init.c, device.c, irq.c): all
 * vectors are allocated at probe, but each except vector 0 is requested only when its work queue
 * is enabled (idxd_wq_request_irq), and freed when that is disabled.
 */
import { EBUSY, EINVAL, EIO, ENODEV } from "../../src/base/errno.ts";
import type { IrqKind } from "../../src/measure/rows.ts";
import { type Process, sleep } from "../../src/time/process.ts";
import { type DriverVectors, driverVectors } from "../kernel/driver-vectors.ts";
import type { IrqHandler } from "../kernel/irq-table.ts";
import type { GuestKernel } from "../kernel/kernel.ts";
import { PciDevice } from "../kernel/pci-device.ts";
import { PCI_COMMAND_MEMORY } from "../kernel/pci-regs.ts";
import type { VirtualFunction, VirtualMachine } from "../vmm/types.ts";
import {
  IDXD_BAR,
  IDXD_CMD,
  IDXD_CMD_DRAIN_WQ,
  IDXD_CMD_ENABLE_DEVICE,
  IDXD_CMD_ENABLE_WQ,
  IDXD_CMD_RESET_DEVICE,
  IDXD_CMD_RESET_WQ,
  IDXD_CMD_SHIFT,
  IDXD_CMDSTS,
  IDXD_CMDSTS_ERR,
} from "./idxd-regs.ts";
import type { DriverState, GuestDriver, LateQueues } from "./types.ts";

/** Work queues of a device, a vector each behind the first. */
const WQS_MAX = 8;
/** idxd_wq_drain waits for what was submitted. */
const DRAIN_POLL_NS = 10_000;
const DRAIN_POLLS = 50;

/** One work queue: a closed loop of `depth` descriptors, or whatever the device completes. */
class WorkQueue implements IrqHandler {
  readonly ownsEoi = false;
  readonly index: number;
  readonly #vm: VirtualMachine;
  readonly #fn: VirtualFunction;
  enabled = false;
  completed = 0;
  #depth = 0;
  #tail = 0;
  outstanding = 0;

  constructor(vm: VirtualMachine, fn: VirtualFunction, index: number) {
    this.#vm = vm;
    this.#fn = fn;
    this.index = index;
  }

  start(depth: number): void {
    this.#tail = 0;
    this.outstanding = 0;
    this.#depth = depth;
    this.#submit();
  }

  /** Nothing follows what is under way. */
  stop(): void {
    this.#depth = 0;
  }

  /** idxd_wq_thread. */
  handleIrq(_slot: number): boolean {
    this.completed += Math.max(1, this.outstanding);
    this.outstanding = 0;
    this.#submit();
    return true;
  }

  #submit(): void {
    if (this.#depth === 0) return;
    this.outstanding = this.#depth;
    this.#tail = (this.#tail + this.#depth) >>> 0;
    this.#vm.ringDoorbell(this.#fn, this.index, this.#tail);
  }
}

export class IdxdDriver implements GuestDriver, LateQueues {
  readonly device: string;
  readonly vectors: DriverVectors;
  readonly network = null;
  readonly workQueues: LateQueues = this;
  state: DriverState = "unbound";
  mode: IrqKind = "msix";
  readonly #kernel: GuestKernel;
  readonly #dev: PciDevice;
  readonly #wqs: WorkQueue[] = [];
  /** Queues that are on while there is I/O: one a vCPU, until an administrator says otherwise. */
  readonly #wanted = new Set<number>();
  #running = false;
  #misc = 0;

  constructor(kernel: GuestKernel, fn: VirtualFunction) {
    this.device = fn.spec.name;
    this.#kernel = kernel;
    this.#dev = new PciDevice(kernel.vm, fn);
    this.vectors = driverVectors(this.#dev, kernel);
    const count = Math.min(WQS_MAX, fn.spec.msixVectors - 1);
    for (let index = 0; index < count; index++) {
      this.#wqs.push(new WorkQueue(kernel.vm, fn, index));
      if (index < kernel.vm.vcpus) this.#wanted.add(index);
    }
  }

  /** idxd_pci_probe, idxd_setup_interrupts. */
  *probe(): Process<number> {
    if (this.mode !== "msix") return -ENODEV;
    yield* this.#dev.enable(PCI_COMMAND_MEMORY);
    yield* this.#command(IDXD_CMD_RESET_DEVICE, 0);
    const failed = yield* this.#setUpInterrupts();
    if (failed < 0) {
      yield* this.vectors.freeAll();
      yield* this.#dev.disable();
      this.state = "failed";
      return failed;
    }
    yield* this.#command(IDXD_CMD_ENABLE_DEVICE, 0);
    this.state = "bound";
    return 0;
  }

  *#setUpInterrupts(): Process<number> {
    const entries = yield* this.vectors.msixCount();
    const granted = yield* this.vectors.alloc("msix", new Array<null>(entries).fill(null));
    if (granted < 0) return granted;
    return yield* this.vectors.request(0, {
      ownsEoi: false,
      handleIrq: () => {
        this.#misc++;
        return true;
      },
    });
  }

  /** idxd_cmd_exec without an interrupt for its end: the status is read. 0 or -EIO. */
  *#command(code: number, operand: number): Process<number> {
    const { vm, fn } = this.#dev;
    yield* vm.mmioWrite(fn, IDXD_BAR, IDXD_CMD, 4, code * 2 ** IDXD_CMD_SHIFT + operand);
    const status = yield* vm.mmioRead(fn, IDXD_BAR, IDXD_CMDSTS, 4);
    return (status & IDXD_CMDSTS_ERR) === 0 ? 0 : -EIO;
  }

  /** LateQueues: idxd_drv_enable_wq; without I/O it waits for that. */
  *enable(queue: number): Process<number> {
    const wq = this.#wqs[queue];
    if (wq === undefined) return -EINVAL;
    this.#wanted.add(queue);
    if (!this.#running) return 0;
    return wq.enabled ? -EBUSY : yield* this.#enableWq(wq);
  }

  *#enableWq(wq: WorkQueue): Process<number> {
    const failed = yield* this.#command(IDXD_CMD_ENABLE_WQ, wq.index);
    if (failed < 0) return failed;
    const requested = yield* this.vectors.request(1 + wq.index, wq);
    if (requested < 0) {
      yield* this.#command(IDXD_CMD_RESET_WQ, 1 << wq.index);
      return requested;
    }
    wq.enabled = true;
    const { arrivals, depth } = this.#kernel.plan.spec.workload;
    if (arrivals === "closed") wq.start(depth);
    return 0;
  }

  /** LateQueues: idxd_drv_disable_wq. */
  *disable(queue: number): Process<number> {
    const wq = this.#wqs[queue];
    if (wq === undefined) return -EINVAL;
    this.#wanted.delete(queue);
    if (wq.enabled) yield* this.#disableWq(wq);
    return 0;
  }

  *#disableWq(wq: WorkQueue): Process {
    wq.stop();
    for (let polls = 0; polls < DRAIN_POLLS && wq.outstanding > 0; polls++) {
      yield* sleep(DRAIN_POLL_NS);
    }
    yield* this.#command(IDXD_CMD_DRAIN_WQ, 1 << wq.index);
    wq.enabled = false;
    yield* this.vectors.free(1 + wq.index);
    yield* this.#command(IDXD_CMD_RESET_WQ, 1 << wq.index);
  }

  *startIo(): Process {
    if (this.state !== "bound" || this.#running) return;
    this.#running = true;
    for (const wq of this.#wqs) {
      if (!this.#wanted.has(wq.index)) continue;
      const result = yield* this.#enableWq(wq);
      if (result < 0) this.#kernel.driverError(this.#dev.fn.rows, `wq ${wq.index}`, result);
    }
  }

  *stopIo(): Process {
    if (!this.#running) return;
    this.#running = false;
    for (const wq of this.#wqs) if (wq.enabled) yield* this.#disableWq(wq);
  }

  /** idxd_remove and idxd_shutdown. */
  *remove(): Process {
    if (this.state !== "bound") return;
    yield* this.stopIo();
    yield* this.#command(IDXD_CMD_RESET_DEVICE, 0);
    yield* this.vectors.free(0);
    yield* this.vectors.freeAll();
    yield* this.#dev.disable();
    this.state = "unbound";
  }

  /** It knows no power management: what it has is taken away and found again. */
  suspend(): Process {
    return this.remove();
  }

  resume(): Process<number> {
    return this.probe();
  }

  /** idxd_reset_prepare, and what comes back is configured anew. */
  resetPrepare(): Process {
    return this.remove();
  }

  *resetDone(): Process {
    yield* this.probe();
  }

  cpuOffline(vcpu: number): Process {
    return this.vectors.cpuOffline(vcpu);
  }

  *cpuOnline(vcpu: number): Process {
    yield* this.vectors.cpuOnline(vcpu);
  }

  halt(): void {
    for (const wq of this.#wqs) wq.stop();
    this.#running = false;
    this.state = "unbound";
  }

  counters(): Readonly<Record<string, number>> {
    const enabled = this.#wqs.filter((wq) => wq.enabled).length;
    const completed = this.#wqs.reduce((sum, wq) => sum + wq.completed, 0);
    return { workQueues: enabled, completed, misc: this.#misc };
  }
}
