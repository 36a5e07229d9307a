/** Registers of an NVMe controller in BAR0 (NVM Express 1.4, 3.1), with their reset values. */

export const NVME_REG_CAP = 0x00;
export const NVME_REG_VS = 0x08;
export const NVME_REG_INTMS = 0x0c;
export const NVME_REG_INTMC = 0x10;
export const NVME_REG_CC = 0x14;
export const NVME_REG_CSTS = 0x1c;
export const NVME_REG_AQA = 0x24;
export const NVME_REG_ASQ = 0x28;
export const NVME_REG_ACQ = 0x30;
/**
 * Ours, in the area left to command sets: the number of I/O queue pairs, each with its completion
 * queue. Writing n creates pairs 1 to n, or as many as there are, and deletes the others; reading
 * tells how many exist. It stands for Set Features (Number of Queues), Create I/O Completion Queue
 * and Create I/O Submission Queue, which a real driver submits through the admin queue by DMA.
 */
export const NVME_REG_IOQ = 0xf00;
/**
 * Ours: interrupt vector of I/O queue 1, which queue q shares or follows (vector + q - 1), as a
 * driver says it with each Create I/O Completion Queue. 1 after a controller reset; a driver that
 * was granted one vector only writes 0.
 */
export const NVME_REG_IOV = 0xf04;
/**
 * Doorbells, stride 0: queue q's submission tail is doorbell 2q, its completion head 2q + 1.
 * Reads, which the specification leaves open, give the device's own end of that queue: the last
 * tail it has completed, and how many completions it has posted.
 */
export const NVME_REG_DOORBELLS = 0x1000;
/** First byte behind the doorbells' page. */
export const NVME_REG_END = 0x2000;

/** MQES 2047, CQR, TO 7.5 s, DSTRD 0, CSS NVM. */
export const NVME_CAP_LO = 0x0f0107ff;
export const NVME_CAP_HI = 0x00000020;
export const NVME_VS_1_4 = 0x00010400;

export const NVME_CC_ENABLE = 0x1;
export const NVME_CC_SHN_MASK = 0xc000;
export const NVME_CSTS_RDY = 0x1;
export const NVME_CSTS_SHST_CMPLT = 0x8;
