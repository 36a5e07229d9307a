/** Numbers of include/uapi/linux/pci_regs.h: configuration space, MSI, MSI-X, PM, PCI Express. */

/** Sizes of configuration space: conventional PCI, and PCI Express with its extended part. */
export const PCI_CFG_SPACE_SIZE = 256;
export const PCI_CFG_SPACE_EXP_SIZE = 4096;
/** The standardised header; capabilities live behind it. */
export const PCI_STD_HEADER_SIZEOF = 64;
export const PCI_STD_NUM_BARS = 6;

export const PCI_VENDOR_ID = 0x00;
export const PCI_DEVICE_ID = 0x02;

export const PCI_COMMAND = 0x04;
/** Responds to I/O space. */
export const PCI_COMMAND_IO = 0x1;
/** Responds to memory space. */
export const PCI_COMMAND_MEMORY = 0x2;
/** May write to memory, so also: may send MSI and MSI-X. */
export const PCI_COMMAND_MASTER = 0x4;
export const PCI_COMMAND_SERR = 0x100;
/** DisINTx: the function keeps its INTx wire low. */
export const PCI_COMMAND_INTX_DISABLE = 0x400;

export const PCI_STATUS = 0x06;
/** The function wants its INTx wire high, whatever DisINTx says. */
export const PCI_STATUS_INTERRUPT = 0x08;
export const PCI_STATUS_CAP_LIST = 0x10;

/** Built-in self test: result, start (which clears itself), and whether there is one. */
export const PCI_BIST = 0x0f;
export const PCI_BIST_START = 0x40;
export const PCI_BIST_CAPABLE = 0x80;

export const PCI_CLASS_REVISION = 0x08;
/** Base class and subclass. */
export const PCI_CLASS_DEVICE = 0x0a;
export const PCI_REVISION_ID = 0x08;
export const PCI_CACHE_LINE_SIZE = 0x0c;
export const PCI_HEADER_TYPE = 0x0e;

export const PCI_BASE_ADDRESS_0 = 0x10;
export const PCI_BASE_ADDRESS_SPACE_IO = 0x01;
export const PCI_BASE_ADDRESS_MEM_TYPE_64 = 0x04;
export const PCI_BASE_ADDRESS_MEM_PREFETCH = 0x08;

export const PCI_SUBSYSTEM_VENDOR_ID = 0x2c;
export const PCI_SUBSYSTEM_ID = 0x2e;
/** Offset of the first capability. */
export const PCI_CAPABILITY_LIST = 0x34;
export const PCI_INTERRUPT_LINE = 0x3c;
/** 0: no INTx, 1 to 4: INTA to INTD. */
export const PCI_INTERRUPT_PIN = 0x3d;

export const PCI_CAP_LIST_ID = 0;
export const PCI_CAP_LIST_NEXT = 1;
export const PCI_CAP_ID_PM = 0x01;
export const PCI_CAP_ID_MSI = 0x05;
export const PCI_CAP_ID_EXP = 0x10;
export const PCI_CAP_ID_MSIX = 0x11;

export const PCI_PM_SIZEOF = 8;
export const PCI_PM_PMC = 2;
export const PCI_PM_CAP_VER_MASK = 0x7;
export const PCI_PM_CTRL = 4;
/** 0 is D0, 3 is D3hot. */
export const PCI_PM_CTRL_STATE_MASK = 0x3;
/** D3hot to D0 does not reset the function. */
export const PCI_PM_CTRL_NO_SOFT_RESET = 0x8;
export const PCI_PM_CTRL_PME_ENABLE = 0x100;
export const PCI_PM_CTRL_PME_STATUS = 0x8000;

export const PCI_MSI_FLAGS = 2;
export const PCI_MSI_FLAGS_ENABLE = 0x1;
/** Multiple message capable: log2 of what the function offers. */
export const PCI_MSI_FLAGS_QMASK = 0xe;
/** Multiple message enable: log2 of what software granted. */
export const PCI_MSI_FLAGS_QSIZE = 0x70;
export const PCI_MSI_FLAGS_64BIT = 0x80;
/** Per-vector masking. */
export const PCI_MSI_FLAGS_MASKBIT = 0x100;
export const PCI_MSI_ADDRESS_LO = 0x4;
export const PCI_MSI_ADDRESS_HI = 0x8;
/** Data, mask and pending registers follow the address, whose width varies. */
export const PCI_MSI_DATA_32 = 0x8;
export const PCI_MSI_MASK_32 = 0xc;
export const PCI_MSI_PENDING_32 = 0x10;
export const PCI_MSI_DATA_64 = 0xc;
export const PCI_MSI_MASK_64 = 0x10;
export const PCI_MSI_PENDING_64 = 0x14;

export const PCI_CAP_MSIX_SIZEOF = 12;
export const PCI_MSIX_FLAGS = 2;
/** Table size minus one. */
export const PCI_MSIX_FLAGS_QSIZE = 0x07ff;
/** Function mask. */
export const PCI_MSIX_FLAGS_MASKALL = 0x4000;
export const PCI_MSIX_FLAGS_ENABLE = 0x8000;
export const PCI_MSIX_TABLE = 4;
export const PCI_MSIX_PBA = 8;
/** Which BAR table or PBA are in; the rest of the word is the offset. */
export const PCI_MSIX_TABLE_BIR = 0x7;

export const PCI_MSIX_ENTRY_SIZE = 16;
export const PCI_MSIX_ENTRY_LOWER_ADDR = 0;
export const PCI_MSIX_ENTRY_UPPER_ADDR = 4;
export const PCI_MSIX_ENTRY_DATA = 8;
export const PCI_MSIX_ENTRY_VECTOR_CTRL = 12;
export const PCI_MSIX_ENTRY_CTRL_MASKBIT = 0x1;

export const PCI_EXP_FLAGS = 2;
export const PCI_EXP_TYPE_ENDPOINT = 0x0;
export const PCI_EXP_TYPE_RC_END = 0x9;
export const PCI_EXP_DEVCAP = 4;
export const PCI_EXP_DEVCAP_RBER = 0x8000;
/** Function level reset. */
export const PCI_EXP_DEVCAP_FLR = 0x10000000;
export const PCI_EXP_DEVCTL = 8;
export const PCI_EXP_DEVCTL_BCR_FLR = 0x8000;
export const PCI_EXP_DEVSTA = 10;
export const PCI_EXP_LNKCAP = 12;
export const PCI_EXP_LNKCTL = 16;
export const PCI_EXP_LNKSTA = 18;
/** Length of an endpoint's capability in versions 1 and 2. */
export const PCI_CAP_EXP_ENDPOINT_SIZEOF_V1 = 0x14;
export const PCI_CAP_EXP_ENDPOINT_SIZEOF_V2 = 0x3c;
