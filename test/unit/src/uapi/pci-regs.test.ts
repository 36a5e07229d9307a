/** include/uapi/linux/pci_regs.h, retyped from the PCI specifications that it follows. */
import { describe, expect, it } from "vitest";
import * as pci from "../../../../src/uapi/pci-regs.ts";

const bit = (n: number): number => 2 ** n;

describe("include/uapi/linux/pci_regs.h", () => {
  it("has the type 0 header of PCI 3.0, 6.1: 64 bytes, six BARs from 16 on", () => {
    expect(pci).toMatchObject({
      PCI_CFG_SPACE_SIZE: 256,
      PCI_CFG_SPACE_EXP_SIZE: 4096,
      PCI_STD_HEADER_SIZEOF: 64,
      PCI_STD_NUM_BARS: 6,
      PCI_VENDOR_ID: 0,
      PCI_DEVICE_ID: 2,
      PCI_COMMAND: 4,
      PCI_STATUS: 6,
      PCI_REVISION_ID: 8,
      PCI_CLASS_REVISION: 8,
      PCI_CLASS_DEVICE: 10,
      PCI_CACHE_LINE_SIZE: 12,
      PCI_HEADER_TYPE: 14,
      PCI_BASE_ADDRESS_0: 16,
      PCI_SUBSYSTEM_VENDOR_ID: 44,
      PCI_SUBSYSTEM_ID: 46,
      PCI_CAPABILITY_LIST: 52,
      PCI_INTERRUPT_LINE: 60,
      PCI_INTERRUPT_PIN: 61,
    });
  });

  it("has the bits of command and status (6.2.2, 6.2.3) and of BARs (6.2.5.1)", () => {
    expect(pci).toMatchObject({
      PCI_COMMAND_IO: bit(0),
      PCI_COMMAND_MEMORY: bit(1),
      PCI_COMMAND_MASTER: bit(2),
      PCI_COMMAND_SERR: bit(8),
      PCI_COMMAND_INTX_DISABLE: bit(10),
      PCI_STATUS_INTERRUPT: bit(3),
      PCI_STATUS_CAP_LIST: bit(4),
      PCI_BASE_ADDRESS_SPACE_IO: bit(0),
      PCI_BASE_ADDRESS_MEM_TYPE_64: bit(2),
      PCI_BASE_ADDRESS_MEM_PREFETCH: bit(3),
    });
  });

  it("has these capability IDs, an ID and a pointer to the next at their begin", () => {
    const { PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX } = pci;
    expect([PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_EXP, PCI_CAP_ID_MSIX]).toEqual([
      1, 5, 16, 17,
    ]);
    expect([pci.PCI_CAP_LIST_ID, pci.PCI_CAP_LIST_NEXT]).toEqual([0, 1]);
  });

  it("power management (PM 1.2, 3.2): 8 bytes, PMC at 2, PMCSR at 4", () => {
    expect(pci).toMatchObject({
      PCI_PM_SIZEOF: 8,
      PCI_PM_PMC: 2,
      PCI_PM_CAP_VER_MASK: 7,
      PCI_PM_CTRL: 4,
      PCI_PM_CTRL_STATE_MASK: bit(0) + bit(1),
      PCI_PM_CTRL_NO_SOFT_RESET: bit(3),
      PCI_PM_CTRL_PME_ENABLE: bit(8),
      PCI_PM_CTRL_PME_STATUS: bit(15),
    });
  });

  it("MSI (PCI 3.0, 6.8.1): control at 2, address at 4; data at 8, or 12 behind 64 bits", () => {
    expect(pci).toMatchObject({
      PCI_MSI_FLAGS: 2,
      PCI_MSI_FLAGS_ENABLE: bit(0),
      PCI_MSI_FLAGS_QMASK: bit(1) + bit(2) + bit(3),
      PCI_MSI_FLAGS_QSIZE: bit(4) + bit(5) + bit(6),
      PCI_MSI_FLAGS_64BIT: bit(7),
      PCI_MSI_FLAGS_MASKBIT: bit(8),
      PCI_MSI_ADDRESS_LO: 4,
      PCI_MSI_ADDRESS_HI: 8,
      PCI_MSI_DATA_32: 8,
      PCI_MSI_MASK_32: 12,
      PCI_MSI_PENDING_32: 16,
      PCI_MSI_DATA_64: 12,
      PCI_MSI_MASK_64: 16,
      PCI_MSI_PENDING_64: 20,
    });
  });

  it("MSI-X (6.8.2): 12 bytes; entries of 16 bytes, their mask in bit 0 of the last word", () => {
    expect(pci).toMatchObject({
      PCI_CAP_MSIX_SIZEOF: 12,
      PCI_MSIX_FLAGS: 2,
      PCI_MSIX_FLAGS_QSIZE: bit(11) - 1,
      PCI_MSIX_FLAGS_MASKALL: bit(14),
      PCI_MSIX_FLAGS_ENABLE: bit(15),
      PCI_MSIX_TABLE: 4,
      PCI_MSIX_PBA: 8,
      PCI_MSIX_TABLE_BIR: 7,
      PCI_MSIX_ENTRY_SIZE: 16,
      PCI_MSIX_ENTRY_LOWER_ADDR: 0,
      PCI_MSIX_ENTRY_UPPER_ADDR: 4,
      PCI_MSIX_ENTRY_DATA: 8,
      PCI_MSIX_ENTRY_VECTOR_CTRL: 12,
      PCI_MSIX_ENTRY_CTRL_MASKBIT: bit(0),
    });
  });

  it("PCI Express (PCIe 4.0, 7.5.3): an endpoint has 20 bytes, in version 2 60", () => {
    expect(pci).toMatchObject({
      PCI_EXP_FLAGS: 2,
      PCI_EXP_TYPE_ENDPOINT: 0,
      PCI_EXP_TYPE_RC_END: 9,
      PCI_EXP_DEVCAP: 4,
      PCI_EXP_DEVCAP_RBER: bit(15),
      PCI_EXP_DEVCAP_FLR: bit(28),
      PCI_EXP_DEVCTL: 8,
      PCI_EXP_DEVCTL_BCR_FLR: bit(15),
      PCI_EXP_DEVSTA: 10,
      PCI_EXP_LNKCAP: 12,
      PCI_EXP_LNKCTL: 16,
      PCI_EXP_LNKSTA: 18,
      PCI_CAP_EXP_ENDPOINT_SIZEOF_V1: 20,
      PCI_CAP_EXP_ENDPOINT_SIZEOF_V2: 60,
    });
  });
});
