/** Interrupt vectors of a driver that runs in the process itself, with no kernel between. */
import { assert } from "../../src/base/assert.ts";
import { EINVAL } from "../../src/base/errno.ts";
import { type IrqKind, rowOf } from "../../src/measure/rows.ts";
import type { Process } from "../../src/time/process.ts";
import type { UserInterrupts } from "../vmm/types.ts";
import type { Affinity, DriverVectors } from "./driver-vectors.ts";
import type { GuestInterrupts } from "./interrupts.ts";
import type { IrqHandler } from "./irq-table.ts";
import type { PciDevice } from "./pci-device.ts";
import { PCI_CAP_ID_MSIX, PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_QSIZE } from "./pci-regs.ts";

/** Affinity means nothing here: one thread hears every eventfd. */
export class UserVectors implements DriverVectors {
  readonly #dev: PciDevice;
  readonly #user: UserInterrupts;
  readonly #interrupts: GuestInterrupts;
  #mode: IrqKind | null = null;
  #count = 0;

  constructor(dev: PciDevice, user: UserInterrupts, interrupts: GuestInterrupts) {
    this.#dev = dev;
    this.#user = user;
    this.#interrupts = interrupts;
  }

  get mode(): IrqKind | null {
    return this.#mode;
  }

  get count(): number {
    return this.#count;
  }

  *msixCount(): Process<number> {
    const cap = yield* this.#dev.findCapability(PCI_CAP_ID_MSIX);
    if (cap === 0) return 0;
    return ((yield* this.#dev.read(cap + PCI_MSIX_FLAGS, 2)) & PCI_MSIX_FLAGS_QSIZE) + 1;
  }

  *alloc(mode: IrqKind, affinity: Affinity): Process<number> {
    assert(this.#mode === null, "interrupt vectors are freed before others are allocated");
    const granted = yield* this.#user.alloc(mode, affinity.length);
    if (granted <= 0) return granted;
    this.#mode = mode;
    this.#count = granted;
    return granted;
  }

  /** The range was prepared as a whole: there is nothing to ask for. */
  *allocLate(): Process<number> {
    const entries = yield* this.msixCount();
    if (this.#mode !== "msix" || this.#count >= entries) return -EINVAL;
    return this.#count++;
  }

  *freeLate(vector: number): Process {
    assert(vector === this.#count - 1, "vectors that came late go in reverse order");
    yield* this.free(vector);
    this.#count--;
  }

  *request(vector: number, handler: IrqHandler): Process<number> {
    const row = rowOf(this.#dev.fn.rows, this.#mode!, vector);
    const interrupts = this.#interrupts;
    return yield* this.#user.request(vector, () => interrupts.direct(row, handler));
  }

  *free(vector: number): Process {
    yield* this.#user.free(vector);
  }

  *freeAll(): Process {
    if (this.#mode === null) return;
    yield* this.#user.freeAll();
    this.#mode = null;
    this.#count = 0;
  }

  /** The thread that hears the eventfds is pinned to no processor of these. */
  *cpuOffline(_vcpu: number): Process {}

  *cpuOnline(vcpu: number): Process<number> {
    yield* this.cpuOffline(vcpu);
    return 0;
  }

  /** Nobody writes /proc/irq of a thread that polls. */
  *setAffinity(vector: number, _vcpus: readonly number[]): Process<number> {
    yield* this.acknowledge(vector);
    return -EINVAL;
  }

  vectorOf(_number: number): number {
    return -1;
  }

  isMovePending(_vector: number): boolean {
    return false;
  }

  *acknowledge(_vector: number): Process {}

  /** vfio restores what it reset. */
  *restore(): Process {}
}
