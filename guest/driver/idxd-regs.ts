/** Registers of a Data Streaming Accelerator that the driver uses (355205, chapter 9), BAR 0. */

export const IDXD_BAR = 0;
export const IDXD_INTCAUSE = 0x98;
/** Operand, command from bit 20 on, and whether vector 0 is to tell when it is done. */
export const IDXD_CMD = 0xa0;
export const IDXD_CMD_SHIFT = 20;
/** Error code in bits 7:0. */
export const IDXD_CMDSTS = 0xa8;
export const IDXD_CMDSTS_ERR = 0xff;

export const IDXD_CMD_ENABLE_DEVICE = 1;
export const IDXD_CMD_RESET_DEVICE = 5;
export const IDXD_CMD_ENABLE_WQ = 6;
export const IDXD_CMD_DRAIN_WQ = 8;
export const IDXD_CMD_RESET_WQ = 10;
