/** NVMe controller registers the driver uses (NVM Express 1.4, 3.1), all in BAR0. */

export const NVME_BAR = 0;
export const NVME_REG_CC = 0x14;
export const NVME_REG_CSTS = 0x1c;
export const NVME_REG_AQA = 0x24;
/**
 * The modelled controller's own: number of I/O queue pairs. It stands for the admin commands that
 * create and delete them.
 */
export const NVME_REG_IOQ = 0xf00;

/** EN; CSS NVM, MPS 4 KiB, 64-byte submission and 16-byte completion entries as Linux sets them. */
export const NVME_CC_ENABLE = 0x1;
export const NVME_CC_LINUX = 0x00460000;
export const NVME_CSTS_RDY = 0x1;
/** Admin queues of 32 entries, both sizes counted from 0. */
export const NVME_AQA_LINUX = 0x001f001f;
