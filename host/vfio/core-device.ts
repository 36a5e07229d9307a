/** What the parts of one open vfio-pci device share (struct vfio_pci_core_device). */
import type { PciFunction } from "../../src/pci/function.ts";
import type { MachineEnv } from "../../src/run/contract.ts";
import type { Mutex } from "../../src/time/process.ts";
import { PCI_COMMAND, PCI_COMMAND_MEMORY } from "../../src/uapi/pci-regs.ts";
import type { DeviceMeter } from "../device/meter.ts";
import type { IrqClient, IrqPool } from "../irq/types.ts";
import type { KernelProfile } from "../kernel-profile.ts";
import type { EventfdLookup } from "../process/fd-table.ts";
import type { BypassProducers } from "./bypass-producers.ts";
import type { RetentionPolicy } from "./retention/policy.ts";

/** What a vfio-pci device is built on; the same for all devices of a machine. */
export interface VfioHost {
  readonly env: MachineEnv;
  readonly pool: IrqPool;
  readonly profile: KernelProfile;
  readonly retention: RetentionPolicy;
  readonly producers: BypassProducers;
  /** Module parameter nointxmask. */
  readonly nointxmask: boolean;
}

export interface VfioCoreDevice {
  readonly host: VfioHost;
  readonly client: IrqClient;
  readonly fn: PciFunction;
  /** Covers every SET_IRQS and the config write of INTx disable. */
  readonly igate: Mutex;
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
 * vfio_pci_memory_lock_and_enable: interrupt set-up touches the MSI-X table, which needs memory
 * decoding. Returns the command register to restore.
 */
export function memoryLockAndEnable(fn: PciFunction): number {
  const command = fn.configRead(PCI_COMMAND, 2);
  if ((command & PCI_COMMAND_MEMORY) === 0) {
    fn.configWrite(PCI_COMMAND, 2, command | PCI_COMMAND_MEMORY);
  }
  return command;
}

/**
 * vfio_pci_memory_unlock_and_restore. The whole register is written back, so that a DisINTx which
 * the PCI core changed in between is as before: recordings show it clear while MSI-X is on.
 */
export function memoryUnlockAndRestore(fn: PciFunction, command: number): void {
  fn.configWrite(PCI_COMMAND, 2, command);
}
