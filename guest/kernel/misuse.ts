/** What no driver would write, but a guest's root can: config space by hand (setpci). */
import type { Process } from "../../src/time/process.ts";
import type { VirtualFunction, VirtualMachine } from "../vmm/types.ts";
import { PciDevice } from "./pci-device.ts";
import {
  MSI_ADDRESS_BASE,
  PCI_BIST,
  PCI_BIST_CAPABLE,
  PCI_BIST_START,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_COMMAND,
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
} from "./pci-regs.ts";

/**
 * On each function that has MSI-X on, and MSI: MSI on as well, MSI off, MSI-X off. QEMU does not
 * outlive that: msix_unset_vector_notifiers fails an assertion.
 */
export function* msiOverMsix(vm: VirtualMachine, ejected: ReadonlySet<VirtualFunction>): Process {
  for (const fn of vm.functions) {
    if (!ejected.has(fn)) yield* bothOn(new PciDevice(vm, fn));
  }
}

/**
 * BIST of each function that has one, and the command register back as it was. Drivers hear nothing
 * of it: messages that the host has set up in the device are off, and INTx is not.
 */
export function* selfTests(devices: readonly PciDevice[]): Process {
  for (const dev of devices) {
    const bist = yield* dev.read(PCI_BIST, 1);
    if ((bist & PCI_BIST_CAPABLE) === 0) continue;
    const saved = yield* dev.save();
    yield* dev.write(PCI_BIST, 1, PCI_BIST_START);
    yield* dev.write(PCI_COMMAND, 4, saved);
  }
}

function* bothOn(dev: PciDevice): Process {
  const msi = yield* dev.findCapability(PCI_CAP_ID_MSI);
  const msix = yield* dev.findCapability(PCI_CAP_ID_MSIX);
  if (msi === 0 || msix === 0) return;
  const control = yield* dev.read(msix + PCI_MSIX_FLAGS, 2);
  if ((control & PCI_MSIX_FLAGS_ENABLE) === 0) return;
  const flags = yield* dev.read(msi + PCI_MSI_FLAGS, 2);
  yield* dev.write(msi + PCI_MSI_ADDRESS_LO, 4, MSI_ADDRESS_BASE);
  yield* dev.write(msi + PCI_MSI_FLAGS, 2, flags | PCI_MSI_FLAGS_ENABLE);
  yield* dev.write(msi + PCI_MSI_FLAGS, 2, flags & ~PCI_MSI_FLAGS_ENABLE);
  yield* dev.write(msix + PCI_MSIX_FLAGS, 2, control & ~PCI_MSIX_FLAGS_ENABLE);
}
