/** The type 0 header of a PCI function (PCI 3.0, 6.1 and 6.2). */
import {
  PCI_BIST,
  PCI_BIST_CAPABLE,
  PCI_BIST_START,
  PCI_CACHE_LINE_SIZE,
  PCI_CLASS_REVISION,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_COMMAND_SERR,
  PCI_DEVICE_ID,
  PCI_INTERRUPT_LINE,
  PCI_INTERRUPT_PIN,
  PCI_SUBSYSTEM_ID,
  PCI_SUBSYSTEM_VENDOR_ID,
  PCI_VENDOR_ID,
} from "../uapi/pci-regs.ts";
import type { BarSpec, ConfigSpace } from "./config-space.ts";

export interface FunctionIdentity {
  readonly vendorId: number;
  readonly deviceId: number;
  /** Base class, subclass, interface: 0x010802 is an NVMe controller. */
  readonly classCode: number;
  readonly revisionId?: number;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
  /** 0: no INTx; 1 is INTA. */
  readonly interruptPin: number;
  /** What firmware wrote there; a reset clears it. */
  readonly interruptLine?: number;
  /** Command register as firmware left it; a reset clears it. */
  readonly command?: number;
  readonly bars: readonly BarSpec[];
  /** It has a built-in self test. */
  readonly bist?: boolean;
}

const COMMAND_WRITABLE =
  PCI_COMMAND_IO |
  PCI_COMMAND_MEMORY |
  PCI_COMMAND_MASTER |
  PCI_COMMAND_SERR |
  PCI_COMMAND_INTX_DISABLE;

/** Writes the header's read-only fields and lets software write the others. */
export function buildHeader(config: ConfigSpace, identity: FunctionIdentity): void {
  config.set(PCI_VENDOR_ID, 2, identity.vendorId);
  config.set(PCI_DEVICE_ID, 2, identity.deviceId);
  config.set(PCI_CLASS_REVISION, 4, identity.classCode * 256 + (identity.revisionId ?? 0));
  config.set(PCI_SUBSYSTEM_VENDOR_ID, 2, identity.subsystemVendorId ?? identity.vendorId);
  config.set(PCI_SUBSYSTEM_ID, 2, identity.subsystemId ?? 0);
  config.set(PCI_INTERRUPT_PIN, 1, identity.interruptPin);
  config.allow(PCI_COMMAND, 2, COMMAND_WRITABLE);
  config.allow(PCI_CACHE_LINE_SIZE, 1, 0xff);
  config.allow(PCI_INTERRUPT_LINE, 1, 0xff);
  if (identity.bist === true) {
    config.set(PCI_BIST, 1, PCI_BIST_CAPABLE);
    config.allow(PCI_BIST, 1, PCI_BIST_START);
  }
  for (const bar of identity.bars) config.addBar(bar);
}
