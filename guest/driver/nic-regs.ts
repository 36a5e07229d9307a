/** Registers of Intel's 82576 that the driver uses (82576 datasheet, 8.1 and 8.8), all in BAR 0. */

export const NIC_BAR = 0;
export const E1000_CTRL = 0x0000;
export const E1000_CTRL_RST = 1 << 26;
/** Set link up. */
export const E1000_CTRL_SLU = 1 << 6;
export const E1000_RCTL = 0x0100;
export const E1000_RCTL_EN = 1 << 1;
/** Causes of MSI and INTx: cleared by reading, set by software, mask set and clear. */
export const E1000_ICR = 0x00c0;
export const E1000_ICS = 0x00c8;
export const E1000_IMS = 0x00d0;
export const E1000_IMC = 0x00d8;
export const E1000_ICR_LSC = 1 << 2;
/** Vectors of MSI-X: cause set, mask set, mask clear. */
export const E1000_EICS = 0x1520;
export const E1000_EIMS = 0x1524;
export const E1000_EIMC = 0x1528;
/** How vectors are used; where receive, transmit and other causes go. */
export const E1000_GPIE = 0x1514;
export const E1000_GPIE_MSIX_MODE = 1 << 4;
export const E1000_IVAR0 = 0x1700;
export const E1000_IVAR_MISC = 0x1740;
export const E1000_IVAR_VALID = 0x80;
/** Receive queue n: control, and the interrupt throttle of vector n, in units of 1/4 µs. */
export const E1000_RXDCTL0 = 0xc028;
export const E1000_RXDCTL_STRIDE = 0x40;
export const E1000_RXDCTL_ENABLE = 1 << 25;
export const E1000_EITR0 = 0x1680;

/** Device Control 2 in the PCI Express capability, and its completion timeout of 16 to 55 ms. */
export const PCIE_DEVICE_CONTROL2 = 0x28;
export const PCIE_DEVICE_CONTROL2_16MS = 0x5;

/** Every cause of every vector. */
export const ALL_CAUSES = 0xffffffff;
