/**
 * The guest's iavf driver as far as interrupts go (drivers/net/ethernet/intel/iavf/iavf_main.c),
 * and an RDMA driver on top: vectors for mailbox and queues are allocated at probe; those of RDMA
 * come late, one by one, while the network runs (pci_msix_alloc_irq_at, as ice_irq.c does).
 */
import { EBUSY, EINVAL, ENODEV } from "../../src/base/errno.ts";
import type { IrqKind } from "../../src/measure/rows.ts";
import type { Process } from "../../src/time/process.ts";
import { type DriverVectors, driverVectors } from "../kernel/driver-vectors.ts";
import type { IrqHandler } from "../kernel/irq-table.ts";
import type { GuestKernel } from "../kernel/kernel.ts";
import { PciDevice } from "../kernel/pci-device.ts";
import { PCI_COMMAND_MEMORY } from "../kernel/pci-regs.ts";
import type { VirtualFunction } from "../vmm/types.ts";
import {
  IAVF_BAR,
  ICE_VF_QUEUES,
  ICE_VF_RDMA,
  ICE_VF_RDMA_COUNT_SHIFT,
  VFINT_DYN_CTL_INTENA,
  VFINT_DYN_CTL01,
  VFINT_DYN_CTLN1,
} from "./iavf-regs.ts";
import type { DriverState, GuestDriver, LateQueues, NetworkActions } from "./types.ts";

/** IAVF_MAX_REQ_QUEUES of a VF without large queue groups. */
const QUEUES_MAX = 16;

class Counted implements IrqHandler {
  readonly ownsEoi = false;
  count = 0;

  handleIrq(_slot: number): boolean {
    this.count++;
    return true;
  }
}

export class IavfDriver implements GuestDriver, NetworkActions {
  readonly device: string;
  readonly vectors: DriverVectors;
  readonly network: NetworkActions = this;
  readonly rdma: LateQueues = {
    enable: (vectors) => this.#rdmaUp(vectors),
    disable: () => this.#rdmaDown(),
  };
  state: DriverState = "unbound";
  mode: IrqKind = "msix";
  readonly #kernel: GuestKernel;
  readonly #dev: PciDevice;
  readonly #misc = new Counted();
  readonly #network = new Counted();
  readonly #rdma = new Counted();
  #queues: number;
  #isUp = false;
  /** Vectors that RDMA has. */
  #rdmaVectors = 0;
  /** What was on when the system went to sleep, or the function was reset. */
  #before = { link: false, rdma: false };
  /** Vectors that RDMA was to have, and may have got fewer of; 0: as the queues are. */
  #rdmaWanted = 0;

  constructor(kernel: GuestKernel, fn: VirtualFunction) {
    this.device = fn.spec.name;
    this.#kernel = kernel;
    this.#dev = new PciDevice(kernel.vm, fn);
    this.vectors = driverVectors(this.#dev, kernel);
    this.#queues = this.#queuesFor(kernel.online.length);
  }

  /** Queue pairs: a vCPU each, as far as vectors go. */
  #queuesFor(wanted: number): number {
    const { msixVectors } = this.#dev.fn.spec;
    return Math.max(1, Math.min(wanted, QUEUES_MAX, msixVectors - 1));
  }

  /** iavf_probe up to iavf_init_config_adapter: interrupt scheme, and vector 0. */
  *probe(): Process<number> {
    if (this.mode !== "msix") return -ENODEV;
    yield* this.#dev.enable(PCI_COMMAND_MEMORY);
    const failed = yield* this.#initScheme();
    if (failed < 0) {
      yield* this.vectors.freeAll();
      yield* this.#dev.disable();
      this.state = "failed";
      return failed;
    }
    this.state = "bound";
    return 0;
  }

  /** iavf_init_interrupt_scheme and iavf_request_misc_irq. */
  *#initScheme(): Process<number> {
    const wanted = new Array<null>(1 + this.#queues).fill(null);
    const granted = yield* this.vectors.alloc("msix", wanted);
    if (granted < 0) return granted;
    const requested = yield* this.vectors.request(0, this.#misc);
    if (requested < 0) return requested;
    yield* this.#register(VFINT_DYN_CTL01, VFINT_DYN_CTL_INTENA);
    return 0;
  }

  *#register(offset: number, value: number): Process {
    yield* this.#dev.vm.mmioWrite(this.#dev.fn, IAVF_BAR, offset, 4, value);
  }

  *#enableVector(vector: number, isOn: boolean): Process {
    const value = isOn ? VFINT_DYN_CTL_INTENA : 0;
    yield* this.#register(VFINT_DYN_CTLN1 + 4 * (vector - 1), value);
  }

  /** iavf_open: the queues' interrupts, then the queues. */
  *open(): Process<number> {
    if (this.state !== "bound" || this.#isUp) return 0;
    for (let vector = 1; vector <= this.#queues; vector++) {
      const failed = yield* this.vectors.request(vector, this.#network);
      if (failed === 0) continue;
      for (let taken = vector - 1; taken > 0; taken--) yield* this.vectors.free(taken);
      return failed;
    }
    this.#isUp = true;
    for (let vector = 1; vector <= this.#queues; vector++) yield* this.#enableVector(vector, true);
    yield* this.#register(ICE_VF_QUEUES, this.#queues);
    return 0;
  }

  /** iavf_close. */
  *close(): Process {
    if (!this.#isUp) return;
    this.#isUp = false;
    for (let vector = 1; vector <= this.#queues; vector++) yield* this.#enableVector(vector, false);
    yield* this.#register(ICE_VF_QUEUES, 0);
    for (let vector = 1; vector <= this.#queues; vector++) yield* this.vectors.free(vector);
  }

  /** iavf_set_channels: a reset with a new interrupt scheme, which RDMA does not live through. */
  *setChannels(combined: number): Process<number> {
    if (this.state !== "bound") return 0;
    if (combined < 1 || combined !== this.#queuesFor(combined)) return -EINVAL;
    if (combined === this.#queues) return 0;
    yield* this.#pause();
    yield* this.#freeScheme();
    this.#queues = combined;
    const failed = yield* this.#initScheme();
    return failed < 0 ? failed : yield* this.#goOn();
  }

  /** It has no such test. */
  *selfTest(): Process {}

  /**
   * An RDMA driver binds to the auxiliary device: a vector for asynchronous events, and one for
   * each completion queue, `wanted` together; 0: as many of those as the network has queues.
   */
  *#rdmaUp(wanted: number): Process<number> {
    if (this.state !== "bound") return 0;
    if (this.#rdmaVectors > 0) return -EBUSY;
    this.#rdmaWanted = wanted;
    const first = this.vectors.count;
    const most = wanted === 0 ? 1 + this.#queues : wanted;
    for (let n = 0; n < most; n++) {
      const vector = yield* this.vectors.allocLate();
      // The table is full: with two vectors it can work, events and one completion queue.
      if (vector < 0 && n >= 2) break;
      const failed = vector < 0 ? vector : yield* this.vectors.request(vector, this.#rdma);
      if (vector >= 0) this.#rdmaVectors++;
      if (failed === 0) continue;
      yield* this.#freeRdma();
      return failed;
    }
    for (let n = 0; n < this.#rdmaVectors; n++) yield* this.#enableVector(first + n, true);
    const queues = this.#rdmaVectors - 1;
    yield* this.#register(ICE_VF_RDMA, first + 1 + queues * 2 ** ICE_VF_RDMA_COUNT_SHIFT);
    return 0;
  }

  *#rdmaDown(): Process<number> {
    if (this.#rdmaVectors === 0) return 0;
    const end = this.vectors.count;
    yield* this.#register(ICE_VF_RDMA, 0);
    for (let vector = end - this.#rdmaVectors; vector < end; vector++) {
      yield* this.#enableVector(vector, false);
    }
    yield* this.#freeRdma();
    return 0;
  }

  *#freeRdma(): Process {
    for (; this.#rdmaVectors > 0; this.#rdmaVectors--) {
      const vector = this.vectors.count - 1;
      yield* this.vectors.free(vector);
      yield* this.vectors.freeLate(vector);
    }
  }

  *startIo(): Process {
    const failed = yield* this.open();
    if (failed < 0) this.#kernel.driverError(this.#dev.fn.rows, "open", failed);
  }

  *stopIo(): Process {
    yield* this.#rdmaDown();
    yield* this.close();
  }

  *#pause(): Process {
    this.#before = { link: this.#isUp, rdma: this.#rdmaVectors > 0 };
    yield* this.stopIo();
  }

  *#goOn(): Process<number> {
    const failed = this.#before.link ? yield* this.open() : 0;
    if (failed < 0 || !this.#before.rdma) return failed;
    return yield* this.#rdmaUp(this.#rdmaWanted);
  }

  *#freeScheme(): Process {
    yield* this.#register(VFINT_DYN_CTL01, 0);
    yield* this.vectors.free(0);
    yield* this.vectors.freeAll();
  }

  /** iavf_remove and iavf_shutdown. */
  *remove(): Process {
    if (this.state !== "bound") return;
    yield* this.stopIo();
    yield* this.#freeScheme();
    yield* this.#dev.disable();
    this.state = "unbound";
  }

  /** iavf_suspend and iavf_resume: the interrupt scheme is made anew. */
  *suspend(): Process {
    yield* this.#pause();
    yield* this.remove();
  }

  *resume(): Process<number> {
    const failed = yield* this.probe();
    return failed < 0 ? failed : yield* this.#goOn();
  }

  resetPrepare(): Process {
    return this.suspend();
  }

  *resetDone(): Process {
    yield* this.resume();
  }

  cpuOffline(vcpu: number): Process {
    return this.vectors.cpuOffline(vcpu);
  }

  *cpuOnline(vcpu: number): Process {
    yield* this.vectors.cpuOnline(vcpu);
  }

  halt(): void {
    this.#isUp = false;
    this.#rdmaVectors = 0;
    this.state = "unbound";
  }

  counters(): Readonly<Record<string, number>> {
    return {
      queues: this.#queues,
      received: this.#network.count,
      rdmaVectors: this.#rdmaVectors,
      rdma: this.#rdma.count,
    };
  }
}
