/** Registers of Intel's Data Streaming Accelerator (specification 355205, chapter 9) in BAR 0. */

export const IDXD_VERSION = 0x00;
/** Version 1.0. */
export const IDXD_VERSION_1 = 0x100;
/** Work queues in bits 23:16. */
export const IDXD_WQCAP = 0x20;
export const IDXD_WQCAP_NUM_SHIFT = 16;
export const IDXD_GENSTATS = 0x90;
export const IDXD_GENSTATS_STATE_ENABLED = 1;
/** Causes of vector 0; a bit is cleared by writing 1. */
export const IDXD_INTCAUSE = 0x98;
export const IDXD_INTC_CMD = 1 << 1;
/** Bits 19:0 operand, 24:20 command, 31: interrupt when it is done. */
export const IDXD_CMD = 0xa0;
export const IDXD_CMD_SHIFT = 20;
export const IDXD_CMD_INT_REQ = 2 ** 31;
/** Error code of the last command in bits 7:0. */
export const IDXD_CMDSTS = 0xa8;

export const IDXD_CMD_ENABLE_DEVICE = 1;
export const IDXD_CMD_DISABLE_DEVICE = 2;
export const IDXD_CMD_RESET_DEVICE = 5;
/** The operand is the queue's number. */
export const IDXD_CMD_ENABLE_WQ = 6;
/** The operand is a bit a queue, 16 at a time; bits 19:16 say which 16. */
export const IDXD_CMD_DISABLE_WQ = 7;
export const IDXD_CMD_DRAIN_WQ = 8;
export const IDXD_CMD_RESET_WQ = 10;

export const IDXD_CMDSTS_SUCCESS = 0;
export const IDXD_CMDSTS_ERR_DEV_ENABLED = 0x10;
export const IDXD_CMDSTS_ERR_DEV_NOT_EN = 0x20;
export const IDXD_CMDSTS_INVAL_WQIDX = 0x21;
export const IDXD_CMDSTS_ERR_WQ_ENABLED = 0x24;
