/** What the parts of one open vfio-pci device share (struct vfio_pci_core_device). */
import type { PciFunction } from "../../src/pci/function.ts";
import type { MachineEnv } from "../../src/run/contract.ts";
import type { PatchBug } from "../../src/scenario/types.ts";
import {
  type LockTicket,
  lock,
  type Mutex,
  type Process,
  withLock,
} from "../../src/time/process.ts";
import { PCI_COMMAND, PCI_COMMAND_MEMORY } from "../../src/uapi/pci-regs.ts";
import type { DeviceMeter } from "../device/meter.ts";
import type { IrqClient, IrqPool } from "../irq/types.ts";
import type { KernelProfile } from "../kernel-profile.ts";
import type { IrqBypass } from "../kvm/bypass.ts";
import type { EventfdLookup } from "../process/fd-table.ts";
import type { Retention } from "./retention/retention.ts";

/** What a vfio-pci device is built on; the same for all devices of a machine. */
export interface VfioHost {
  readonly env: MachineEnv;
  readonly pool: IrqPool;
  readonly profile: KernelProfile;
  readonly retention: Retention;
  /** Bugs of patches and of older kernels that this one has. */
  readonly bugs: readonly PatchBug[];
  /** The kernel has followed a null pointer, in this function. */
  oops(where: string): void;
  readonly bypass: IrqBypass;
  /** Module parameter nointxmask. */
  readonly nointxmask: boolean;
}

export interface VfioCoreDevice {
  readonly host: VfioHost;
  readonly client: IrqClient;
  readonly fn: PciFunction;
  /** Covers every SET_IRQS and the config write of INTx disable. */
  readonly igate: Mutex;
  /** Held by a reset, and by interrupt set-up where it touches the function; inside of igate. */
  readonly memoryLock: Mutex;
  /** Descriptors of the process that has the device open. */
  readonly fds: EventfdLookup;
  readonly meter: DeviceMeter;
  /** VFIO_PCI_*_IRQ_INDEX of the enabled mode, or VFIO_PCI_NUM_IRQS for none. */
  irqType: number;
  /** The guest has set INTx disable in the virtual command register. */
  virqDisabled: boolean;
  /** DisINTx works and may be used (pci_2_3). */
  readonly pci23: boolean;
  readonly hasDynMsix: boolean;
  /** log2 of the granted MSI vectors, for the virtual MSI capability. */
  msiQmax: number;
}

/**
 * vfio_pci_memory_lock_and_enable and vfio_pci_memory_unlock_and_restore: interrupt set-up touches
 * the MSI-X table, which needs memory decoding, and no reset in between. The whole command register
 * is written back, so that a DisINTx which the PCI core changed is as before: recordings show it
 * clear while MSI-X is on.
 */
export function* withMemoryEnabled<T>(dev: VfioCoreDevice, body: () => Process<T>): Process<T> {
  const { memoryLock, fn } = dev;
  const ticket: LockTicket = { task: null };
  try {
    yield* lock(memoryLock, ticket);
    const command = fn.configRead(PCI_COMMAND, 2);
    if ((command & PCI_COMMAND_MEMORY) === 0) {
      fn.configWrite(PCI_COMMAND, 2, command | PCI_COMMAND_MEMORY);
    }
    try {
      return yield* body();
    } finally {
      if (fn.configRead(PCI_COMMAND, 2) !== command) fn.configWrite(PCI_COMMAND, 2, command);
    }
  } finally {
    memoryLock.leave(ticket);
  }
}

/**
 * Accesses of userspace wait while the function is being reset: those to BARs for the memory lock,
 * those to configuration space for the PCI core's lock, which is held in the same places.
 */
export function* untilUnlocked(lock: Mutex): Process {
  if (lock.locked) yield* withLock(lock, nothing);
}

function* nothing(): Process {}
