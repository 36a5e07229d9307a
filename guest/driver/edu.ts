/** Driver of QEMU's edu (docs/specs/edu.rst): raises its own interrupts, and acknowledges. */
import type { IrqKind } from "../../src/measure/rows.ts";
import { type Process, sleep, step, until, WaitQueue } from "../../src/time/process.ts";
import type { Task } from "../../src/time/scheduler.ts";
import { type DriverVectors, driverVectors } from "../kernel/driver-vectors.ts";
import type { IrqHandler } from "../kernel/irq-table.ts";
import type { GuestKernel } from "../kernel/kernel.ts";
import { PciDevice } from "../kernel/pci-device.ts";
import type { VirtualFunction } from "../vmm/types.ts";
import { arrivalGap, type Gap } from "../workload/arrivals.ts";
import type { DriverState, GuestDriver } from "./types.ts";

const EDU_BAR = 0;
/** Interrupt status register, read-only: the values that raised interrupts. */
export const EDU_IRQ_STATUS = 0x24;
/** Interrupt raise register, write-only. */
export const EDU_IRQ_RAISE = 0x60;
/** Interrupt acknowledge register, write-only. */
export const EDU_IRQ_ACK = 0x64;

const RAISE_VALUE = 1;

export class EduDriver implements GuestDriver, IrqHandler {
  readonly device: string;
  /** Register accesses leave the vCPU, so the handler is a thread (request_threaded_irq). */
  readonly ownsEoi = true;
  state: DriverState = "unbound";
  mode: IrqKind;
  readonly vectors: DriverVectors;
  readonly network = null;
  readonly #kernel: GuestKernel;
  readonly #dev: PciDevice;
  #raiser: Task | null = null;
  /** The raiser is inside a register access, which nothing can take back. */
  #accessing = false;
  #stopping = false;
  #handling = false;
  readonly #handled = new WaitQueue("edu.handled");
  #again = false;
  #raised = 0;
  #acknowledged = 0;

  constructor(kernel: GuestKernel, fn: VirtualFunction) {
    this.device = fn.spec.name;
    this.mode = fn.spec.msiVectors > 0 ? "msi" : "intx";
    this.#kernel = kernel;
    this.#dev = new PciDevice(kernel.vm, fn);
    this.vectors = driverVectors(this.#dev, kernel);
  }

  *probe(): Process<number> {
    yield* this.#dev.enable();
    const count = yield* this.vectors.alloc(this.mode, [null]);
    const failed = count < 0 ? count : yield* this.vectors.request(0, this);
    if (failed < 0) {
      yield* this.vectors.freeAll();
      yield* this.#dev.disable();
      this.state = "failed";
      return failed;
    }
    this.state = "bound";
    return 0;
  }

  *startIo(): Process {
    yield* step();
    const { env, plan } = this.#kernel;
    if (this.state !== "bound" || this.#raiser !== null) return;
    const gap = arrivalGap(plan.spec.workload, env.random(`${plan.spec.name}.${this.device}.edu`));
    if (gap !== null) {
      const { name } = plan.spec;
      this.#stopping = false;
      this.#raiser = env.scheduler.spawn(`${name}.${this.device}.raise`, this.#raise(gap), name);
    }
  }

  /** Raises at its times; a late raise does not move the ones after it. */
  *#raise(gap: Gap): Process {
    const { clock } = this.#kernel.env;
    let at = clock.now();
    while (!this.#stopping) {
      at += gap();
      yield* sleep(Math.max(0, at - clock.now()));
      this.#raised++;
      this.#accessing = true;
      yield* this.#dev.vm.mmioWrite(this.#dev.fn, EDU_BAR, EDU_IRQ_RAISE, 4, RAISE_VALUE);
      this.#accessing = false;
    }
  }

  *stopIo(): Process {
    const raiser = this.#raiser;
    this.#stop();
    if (raiser !== null) yield* until(raiser.finished, () => raiser.done);
  }

  /** Ends the raiser where it sleeps, or lets it end its access. */
  #stop(): void {
    const raiser = this.#raiser;
    this.#raiser = null;
    this.#stopping = true;
    if (raiser !== null && !this.#accessing) this.#kernel.env.scheduler.kill(raiser);
  }

  *remove(): Process {
    if (this.state !== "bound") return;
    yield* this.stopIo();
    // free_irq waits for the handler's thread.
    yield* until(this.#handled, () => !this.#handling);
    yield* this.vectors.free(0);
    yield* this.vectors.freeAll();
    yield* this.#dev.disable();
    this.state = "unbound";
  }

  suspend(): Process {
    return this.remove();
  }

  resume(): Process<number> {
    return this.probe();
  }

  /** It has no reset handlers: the kernel restores what it had. */
  *resetPrepare(): Process {}

  *resetDone(): Process {
    yield* this.vectors.restore();
  }

  cpuOffline(vcpu: number): Process {
    return this.vectors.cpuOffline(vcpu);
  }

  *cpuOnline(vcpu: number): Process {
    yield* this.vectors.cpuOnline(vcpu);
  }

  halt(): void {
    this.#stop();
    this.state = "unbound";
  }

  handleIrq(slot: number): boolean {
    if (this.#handling) {
      this.#again = true;
      return true;
    }
    const { env, plan } = this.#kernel;
    const { name } = plan.spec;
    this.#handling = true;
    env.scheduler.spawn(`${name}.${this.device}.irq`, this.#acknowledge(slot), name);
    return true;
  }

  *#acknowledge(slot: number): Process {
    const { vm, fn } = this.#dev;
    do {
      this.#again = false;
      const status = yield* vm.mmioRead(fn, EDU_BAR, EDU_IRQ_STATUS, 4);
      if (this.state !== "bound") return;
      yield* vm.mmioWrite(fn, EDU_BAR, EDU_IRQ_ACK, 4, status);
      this.#acknowledged++;
    } while (this.#again && this.state === "bound");
    this.#handling = false;
    this.#handled.wakeAll();
    if (this.#kernel.table.level[slot] !== 0) this.#kernel.interrupts.eoi(slot);
  }

  counters(): Readonly<Record<string, number>> {
    return { raised: this.#raised, acknowledged: this.#acknowledged };
  }
}
