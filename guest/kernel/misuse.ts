/** What no driver would write, but a guest's root can: config space by hand (setpci). */
import { type Process, step } from "../../src/time/process.ts";
import type { PciDevice } from "./pci-device.ts";
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

/** Actions of the timeline that no driver knows of. */
export function* byHand(
  action: "msi-over-msix" | "bist" | "intx-swap",
  devices: readonly PciDevice[],
): Process {
  for (const dev of devices) {
    if (action === "msi-over-msix") yield* bothOn(dev);
    else if (action === "bist") yield* selfTest(dev);
    else yield* dev.vm.swapIntx?.(dev.fn) ?? step();
  }
}

/**
 * BIST, where there is one, and the command register back as it was. The driver hears nothing of
 * it: messages that the host has set up in the device are off, and INTx is not.
 */
function* selfTest(dev: PciDevice): Process {
  const bist = yield* dev.read(PCI_BIST, 1);
  if ((bist & PCI_BIST_CAPABLE) === 0) return;
  const saved = yield* dev.save();
  yield* dev.write(PCI_BIST, 1, PCI_BIST_START);
  yield* dev.write(PCI_COMMAND, 4, saved);
}

/**
 * Where MSI-X is on, and MSI offered: MSI on as well, MSI off, MSI-X off. QEMU does not outlive
 * that: msix_unset_vector_notifiers fails an assertion.
 */
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
