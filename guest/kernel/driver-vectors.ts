/** What a driver asks of its device's interrupts, whoever provides them (include/linux/pci.h). */
import type { IrqKind } from "../../src/measure/rows.ts";
import type { Process } from "../../src/time/process.ts";
import type { IrqCore } from "./guest-irq.ts";
import type { GuestInterrupts } from "./interrupts.ts";
import type { IrqHandler } from "./irq-table.ts";
import { IrqVectors } from "./irq-vectors.ts";
import type { PciDevice } from "./pci-device.ts";
import { UserVectors } from "./user-vectors.ts";

/** A mask of vCPUs for each managed vector, null for one that may go anywhere. */
export type Affinity = readonly (readonly number[] | null)[];

export interface DriverVectors {
  readonly mode: IrqKind | null;
  readonly count: number;
  /** Entries of the MSI-X table, or 0 without the capability. */
  msixCount(): Process<number>;
  /** pci_alloc_irq_vectors of one kind: how many there are now, or a negative errno. */
  alloc(mode: IrqKind, affinity: Affinity): Process<number>;
  /**
   * pci_msix_alloc_irq_at(MSI_ANY_INDEX): one more vector while MSI-X is on, the lowest that is
   * free: its index, or a negative errno.
   */
  allocLate(): Process<number>;
  /** pci_msix_free_irq of the vector that was allocated last; its handler is gone. */
  freeLate(vector: number): Process;
  /** request_irq: 0 or a negative errno. */
  request(vector: number, handler: IrqHandler): Process<number>;
  /** free_irq. */
  free(vector: number): Process;
  /** pci_free_irq_vectors. */
  freeAll(): Process;
  cpuOffline(vcpu: number): Process;
  cpuOnline(vcpu: number): Process<number>;
  /** /proc/irq/N/smp_affinity of a vector: 0 or a negative errno. */
  setAffinity(vector: number, vcpus: readonly number[]): Process<number>;
  /** The vector with this number in /proc/irq, or -1. */
  vectorOf(number: number): number;
  /** True if the vector's next interrupt moves it. */
  isMovePending(vector: number): boolean;
  /** An interrupt of `vector` is acknowledged: what moves with it moves. */
  acknowledge(vector: number): Process;
  /** Registers are written again after the function was reset. */
  restore(): Process;
}

/** What drivers find of the kernel they run in, or of what stands in its place. */
export interface VectorHome extends IrqCore {
  readonly interrupts: GuestInterrupts;
}

/** The guest kernel's interrupts, or the process's own where there is no guest kernel. */
export function driverVectors(dev: PciDevice, home: VectorHome): DriverVectors {
  const user = dev.vm.userInterrupts?.(dev.fn);
  return user === undefined
    ? new IrqVectors(dev, home)
    : new UserVectors(dev, user, home.interrupts);
}
