/** Registers of Intel's 82576 (datasheet, 8.1 and 8.8) that the model has, all in BAR 0. */

export const E1000_CTRL = 0x0000;
export const E1000_CTRL_SLU = 1 << 6;
export const E1000_CTRL_RST = 1 << 26;
export const E1000_STATUS = 0x0008;
export const E1000_STATUS_LU = 1 << 1;
/** Interrupt causes of MSI and INTx: read to clear, set, mask set, mask clear. */
export const E1000_ICR = 0x00c0;
export const E1000_ICS = 0x00c8;
export const E1000_IMS = 0x00d0;
export const E1000_IMC = 0x00d8;
export const E1000_ICR_LSC = 1 << 2;
export const E1000_ICR_RXDW = 1 << 7;
export const E1000_RCTL = 0x0100;
export const E1000_RCTL_EN = 1 << 1;
export const E1000_GPIE = 0x1514;
export const E1000_GPIE_MSIX_MODE = 1 << 4;
/** The same of MSI-X, a bit a vector. */
export const E1000_EICS = 0x1520;
export const E1000_EIMS = 0x1524;
export const E1000_EIMC = 0x1528;
/** A byte for receive and one for transmit; of MISC the second is for other causes. */
export const E1000_IVAR0 = 0x1700;
export const E1000_IVAR_MISC = 0x1740;
export const E1000_IVAR_VALID = 0x80;
export const E1000_IVAR_ENTRY = 0xff;
export const E1000_RXDCTL0 = 0xc028;
export const E1000_RXDCTL_STRIDE = 0x40;
export const E1000_RXDCTL_ENABLE = 1 << 25;
