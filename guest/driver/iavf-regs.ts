/** Registers of an E810 virtual function that the driver uses (iavf_register.h), all in BAR 0. */

export const IAVF_BAR = 0;
/** Interrupt enables: bit 0 of the word of each vector. */
export const VFINT_DYN_CTLN1 = 0x3800;
export const VFINT_DYN_CTL01 = 0x5c00;
export const VFINT_DYN_CTL_INTENA = 1;
/** In place of virtchnl messages: queue pairs in use, and RDMA's first vector and their number. */
export const ICE_VF_QUEUES = 0x10000;
export const ICE_VF_RDMA = 0x10004;
export const ICE_VF_RDMA_COUNT_SHIFT = 16;
