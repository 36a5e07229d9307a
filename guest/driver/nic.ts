/** The guest's igb driver as far as interrupts go (drivers/net/ethernet/intel/igb/igb_main.c). */
import { EINVAL } from "../../src/base/errno.ts";
import type { IrqKind } from "../../src/measure/rows.ts";
import { type Process, sleep } from "../../src/time/process.ts";
import { type DriverVectors, driverVectors } from "../kernel/driver-vectors.ts";
import type { IrqHandler } from "../kernel/irq-table.ts";
import type { GuestKernel } from "../kernel/kernel.ts";
import { PciDevice } from "../kernel/pci-device.ts";
import { PCI_CAP_ID_EXP, PCI_COMMAND_MEMORY } from "../kernel/pci-regs.ts";
import type { VirtualFunction } from "../vmm/types.ts";
import {
  ALL_CAUSES,
  E1000_CTRL,
  E1000_CTRL_RST,
  E1000_CTRL_SLU,
  E1000_EICS,
  E1000_EIMC,
  E1000_EIMS,
  E1000_GPIE,
  E1000_GPIE_MSIX_MODE,
  E1000_ICR_LSC,
  E1000_ICS,
  E1000_IMC,
  E1000_IMS,
  E1000_IVAR_MISC,
  E1000_IVAR_VALID,
  E1000_IVAR0,
  E1000_RCTL,
  E1000_RCTL_EN,
  E1000_RXDCTL_ENABLE,
  E1000_RXDCTL_STRIDE,
  E1000_RXDCTL0,
  NIC_BAR,
  PCIE_DEVICE_CONTROL2,
  PCIE_DEVICE_CONTROL2_16MS,
} from "./nic-regs.ts";
import type { DriverState, GuestDriver, NetworkActions } from "./types.ts";

/** Receive queues of an 82576. */
const QUEUES_MAX = 8;
/** igb_intr_test waits for the interrupt it has asked for. */
const INTR_TEST_NS = 1_000_000;

/** Counts interrupts; where the cause has to be read to go away, reads it. */
class Counted implements IrqHandler {
  readonly ownsEoi = false;
  count = 0;
  readonly #acknowledge: (() => void) | null;

  constructor(acknowledge: (() => void) | null) {
    this.#acknowledge = acknowledge;
  }

  handleIrq(_slot: number): boolean {
    this.count++;
    this.#acknowledge?.();
    return true;
  }
}

export class NicDriver implements GuestDriver, NetworkActions {
  readonly device: string;
  readonly vectors: DriverVectors;
  readonly network: NetworkActions = this;
  state: DriverState = "unbound";
  mode: IrqKind;
  readonly #kernel: GuestKernel;
  readonly #dev: PciDevice;
  /** rss_queues. */
  #queues: number;
  #isUp = false;
  #received = 0;
  #other = 0;
  #acknowledged = 0;
  /** pci_save_state of probe and resume. */
  #saved = 0;
  #wasUp = false;
  #handlers: Counted[] = [];

  constructor(kernel: GuestKernel, fn: VirtualFunction) {
    const { msixVectors, msiVectors } = fn.spec;
    this.device = fn.spec.name;
    this.mode = msixVectors > 0 ? "msix" : msiVectors > 0 ? "msi" : "intx";
    this.#kernel = kernel;
    this.#dev = new PciDevice(kernel.vm, fn);
    this.vectors = driverVectors(this.#dev, kernel);
    this.#queues = Math.min(QUEUES_MAX, kernel.online.length);
  }

  /** igb_set_flag_queue_pairs: beyond half of the queues, receive and transmit share vectors. */
  #vectorCount(): number {
    const isPaired = this.#queues > QUEUES_MAX / 2;
    return (isPaired ? this.#queues : 2 * this.#queues) + 1;
  }

  /** igb_probe. */
  *probe(): Process<number> {
    yield* this.#dev.enable(PCI_COMMAND_MEMORY);
    this.#saved = yield* this.#dev.save();
    this.#queues = Math.min(QUEUES_MAX, this.#kernel.online.length);
    yield* this.#probeVfs();
    const failed = yield* this.#initScheme();
    if (failed < 0) {
      yield* this.#dev.disable();
      this.state = "failed";
      return failed;
    }
    yield* this.#reset();
    yield* this.#reset();
    this.state = "bound";
    return 0;
  }

  /** igb_probe_vfs: whether there is MSI-X has to be known before queues are counted. */
  *#probeVfs(): Process {
    if (this.mode !== "msix") return;
    yield* this.vectors.alloc("msix", [null]);
    yield* this.vectors.freeAll();
  }

  /** igb_init_interrupt_scheme: MSI-X with all vectors, else one MSI, else the line. */
  *#initScheme(): Process<number> {
    if (this.mode === "msix") {
      const wanted = new Array<null>(this.#vectorCount()).fill(null);
      if ((yield* this.vectors.alloc("msix", wanted)) > 0) return 0;
    }
    this.#queues = 1;
    if (this.mode !== "intx" && (yield* this.vectors.alloc("msi", [null])) > 0) return 0;
    const line = yield* this.vectors.alloc("intx", [null]);
    return Math.min(line, 0);
  }

  *#register(offset: number, value: number): Process {
    yield* this.#dev.vm.mmioWrite(this.#dev.fn, NIC_BAR, offset, 4, value);
  }

  /** igb_reset: the MAC, and the completion timeout that it is careful to set each time. */
  *#reset(): Process {
    yield* this.#register(E1000_CTRL, E1000_CTRL_RST);
    const cap = yield* this.#dev.findCapability(PCI_CAP_ID_EXP);
    if (cap === 0) return;
    const control = yield* this.#dev.read(cap + PCIE_DEVICE_CONTROL2, 2);
    const timeout = control | PCIE_DEVICE_CONTROL2_16MS;
    yield* this.#dev.write(cap + PCIE_DEVICE_CONTROL2, 2, timeout);
  }

  /** `ip link set up`: igb_open. */
  *open(): Process<number> {
    if (this.state !== "bound" || this.#isUp) return 0;
    const failed = yield* this.#requestAll();
    if (failed < 0) return failed;
    this.#isUp = true;
    yield* this.#configure();
    return 0;
  }

  /** igb_request_irq: the other causes' vector first, then the queues'. */
  *#requestAll(): Process<number> {
    const isMsix = this.vectors.mode === "msix";
    const acknowledge = isMsix ? null : () => this.#acknowledge();
    this.#handlers = [];
    for (let vector = 0; vector < this.vectors.count; vector++) {
      const handler = new Counted(acknowledge);
      this.#handlers.push(handler);
      const failed = yield* this.vectors.request(vector, handler);
      if (failed === 0) continue;
      this.#kernel.driverError(this.#dev.fn.rows, `request_irq ${vector}`, failed);
      yield* this.#freeAll(vector);
      return failed;
    }
    return 0;
  }

  /** Reading ICR clears the causes, and with them the line. */
  #acknowledge(): void {
    this.#dev.vm.ringDoorbell(this.#dev.fn, 0, ++this.#acknowledged);
  }

  /** igb_configure and igb_irq_enable: where causes go, queues, and the link. */
  *#configure(): Process {
    const isMsix = this.vectors.mode === "msix";
    if (isMsix) yield* this.#assignVectors();
    else yield* this.#register(E1000_IMS, ALL_CAUSES);
    for (let queue = 0; queue < this.#queues; queue++) {
      yield* this.#register(E1000_RXDCTL0 + queue * E1000_RXDCTL_STRIDE, E1000_RXDCTL_ENABLE);
    }
    yield* this.#register(E1000_RCTL, E1000_RCTL_EN);
    yield* this.#register(E1000_CTRL, E1000_CTRL_SLU);
    yield* this.#register(E1000_ICS, E1000_ICR_LSC);
  }

  /** igb_configure_msix: an IVAR byte for receive and one for transmit of each queue. */
  *#assignVectors(): Process {
    const isPaired = this.#vectorCount() === this.#queues + 1;
    yield* this.#register(E1000_GPIE, E1000_GPIE_MSIX_MODE);
    yield* this.#register(E1000_IVAR_MISC, E1000_IVAR_VALID << 8);
    for (let queue = 0; queue < this.#queues; queue++) {
      const receive = 1 + queue;
      const transmit = isPaired ? receive : 1 + this.#queues + queue;
      const entry = E1000_IVAR_VALID | receive | ((E1000_IVAR_VALID | transmit) << 8);
      yield* this.#register(E1000_IVAR0 + 4 * queue, entry);
    }
    yield* this.#register(E1000_EIMS, 2 ** this.vectors.count - 1);
  }

  /** `ip link set down`: igb_close. */
  *close(): Process {
    if (!this.#isUp) return;
    this.#isUp = false;
    yield* this.#register(E1000_EIMC, ALL_CAUSES);
    yield* this.#register(E1000_IMC, ALL_CAUSES);
    yield* this.#register(E1000_RCTL, 0);
    for (let queue = 0; queue < this.#queues; queue++) {
      yield* this.#register(E1000_RXDCTL0 + queue * E1000_RXDCTL_STRIDE, 0);
    }
    yield* this.#reset();
    yield* this.#freeAll(this.vectors.count);
  }

  /** igb_free_irq: vectors 0 to `end` in rising order. */
  *#freeAll(end: number): Process {
    for (let vector = 0; vector < end; vector++) yield* this.vectors.free(vector);
    this.#count();
  }

  #count(): void {
    for (const [vector, handler] of this.#handlers.entries()) {
      if (vector === 0 && this.#handlers.length > 1) this.#other += handler.count;
      else this.#received += handler.count;
      handler.count = 0;
    }
  }

  /** `ethtool -L combined N`: igb_set_channels and igb_reinit_queues. */
  *setChannels(combined: number): Process<number> {
    if (this.state !== "bound") return 0;
    if (combined < 1 || combined > QUEUES_MAX || this.vectors.mode !== "msix") return -EINVAL;
    if (combined === this.#queues) return 0;
    const wasUp = this.#isUp;
    yield* this.close();
    yield* this.vectors.freeAll();
    this.#queues = combined;
    const failed = yield* this.#initScheme();
    if (failed < 0) return failed;
    return wasUp ? yield* this.open() : 0;
  }

  /** `ethtool -t offline`: igb_diag_test, of which the interrupt test takes vector 0 alone. */
  *selfTest(): Process {
    if (this.state !== "bound") return;
    const wasUp = this.#isUp;
    if (wasUp) yield* this.close();
    else yield* this.#reset();
    // After the register test and the EEPROM test.
    yield* this.#reset();
    yield* this.#reset();
    yield* this.#interruptTest();
    yield* this.#reset();
    // After the loopback test.
    yield* this.#reset();
    if (wasUp) yield* this.open();
  }

  /** igb_intr_test: its own handler, and a cause set by software. */
  *#interruptTest(): Process {
    const isMsix = this.vectors.mode === "msix";
    const handler = new Counted(isMsix ? null : () => this.#acknowledge());
    if ((yield* this.vectors.request(0, handler)) < 0) return;
    yield* this.#register(isMsix ? E1000_EIMS : E1000_IMS, isMsix ? 1 : E1000_ICR_LSC);
    yield* this.#register(isMsix ? E1000_EICS : E1000_ICS, isMsix ? 1 : E1000_ICR_LSC);
    yield* sleep(INTR_TEST_NS);
    yield* this.#register(isMsix ? E1000_EIMC : E1000_IMC, ALL_CAUSES);
    yield* this.vectors.free(0);
    this.#other += handler.count;
  }

  /** The workload of a network function needs its link. */
  *startIo(): Process {
    const failed = yield* this.open();
    if (failed < 0) this.#kernel.driverError(this.#dev.fn.rows, "open", failed);
  }

  *stopIo(): Process {
    yield* this.close();
  }

  /** __igb_shutdown, and igb_resume, which brings back what probe had saved. */
  *suspend(): Process {
    this.#wasUp = this.#isUp;
    yield* this.remove();
  }

  *resume(): Process<number> {
    yield* this.#dev.restore(this.#saved);
    yield* this.#dev.enable(PCI_COMMAND_MEMORY);
    const failed = yield* this.#initScheme();
    if (failed < 0) return failed;
    yield* this.#reset();
    this.state = "bound";
    return this.#wasUp ? yield* this.open() : 0;
  }

  /** It has no reset handlers: the kernel restores what it had. */
  *resetPrepare(): Process {}

  *resetDone(): Process {
    yield* this.vectors.restore();
  }

  /** igb_remove and igb_shutdown. */
  *remove(): Process {
    if (this.state !== "bound") return;
    yield* this.close();
    yield* this.vectors.freeAll();
    yield* this.#dev.disable();
    this.state = "unbound";
  }

  cpuOffline(vcpu: number): Process {
    return this.vectors.cpuOffline(vcpu);
  }

  *cpuOnline(vcpu: number): Process {
    yield* this.vectors.cpuOnline(vcpu);
  }

  halt(): void {
    this.#count();
    this.#isUp = false;
    this.state = "unbound";
  }

  counters(): Readonly<Record<string, number>> {
    this.#count();
    return { queues: this.#queues, received: this.#received, other: this.#other };
  }
}
