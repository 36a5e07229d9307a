/** A driver that is not modelled: it is bound, and somebody else says what it calls. */
import type { IrqKind } from "../../src/measure/rows.ts";
import { type Process, step } from "../../src/time/process.ts";
import type { DriverState, GuestDriver } from "../driver/types.ts";
import type { VirtualFunction } from "../vmm/types.ts";
import { type DriverVectors, driverVectors } from "./driver-vectors.ts";
import type { IrqHandler } from "./irq-table.ts";
import type { GuestKernel } from "./kernel.ts";
import { PciDevice } from "./pci-device.ts";

const HANDLER: IrqHandler = { ownsEoi: false, handleIrq: () => true };

/** The kernel's part of what such a driver does is the kernel's own. */
export class FollowedDriver implements GuestDriver {
  readonly device: string;
  readonly vectors: DriverVectors;
  readonly network = null;
  state: DriverState = "unbound";
  mode: IrqKind = "msix";
  readonly #dev: PciDevice;
  readonly #leaving: () => Process;
  readonly #requested = new Set<number>();

  /** `leaving` is what it does when its device is taken from it. */
  constructor(kernel: GuestKernel, fn: VirtualFunction, leaving: () => Process) {
    this.#leaving = leaving;
    this.device = fn.spec.name;
    this.#dev = new PciDevice(kernel.vm, fn);
    this.vectors = driverVectors(this.#dev, kernel);
  }

  *probe(): Process<number> {
    yield* step();
    this.state = "bound";
    return 0;
  }

  /** pci_alloc_irq_vectors of `count`. */
  *alloc(kind: "msi" | "msix", count: number): Process {
    yield* this.vectors.alloc(kind, new Array<null>(count).fill(null));
  }

  *request(vector: number): Process {
    this.#requested.add(vector);
    yield* this.vectors.request(vector, HANDLER);
  }

  isRequested(vector: number): boolean {
    return this.#requested.has(vector);
  }

  *free(vector: number): Process {
    this.#requested.delete(vector);
    yield* this.vectors.free(vector);
  }

  *freeAll(): Process {
    this.#requested.clear();
    yield* this.vectors.freeAll();
  }

  /** It writes its own configuration space. */
  *writeConfig(offset: number, size: number, value: number): Process {
    yield* this.#dev.write(offset, size, value);
  }

  *startIo(): Process {}

  *stopIo(): Process {}

  remove(): Process {
    return this.#leaving();
  }

  suspend(): Process {
    return this.#leaving();
  }

  *resume(): Process<number> {
    yield* step();
    return 0;
  }

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
    this.state = "unbound";
  }

  counters(): Readonly<Record<string, number>> {
    return {};
  }
}
