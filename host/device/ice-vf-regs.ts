/** BAR 0 of an E810 virtual function (drivers/net/ethernet/intel/iavf/iavf_register.h). */

/** Vector n + 1 may interrupt: bit 0. */
export const VFINT_DYN_CTLN1 = 0x3800;
export const VFINT_DYN_CTLN1_STRIDE = 4;
/** The same of vector 0, for everything that is not a queue. */
export const VFINT_DYN_CTL01 = 0x5c00;
export const VFINT_DYN_CTL_INTENA = 1;
/** Reset state: 2 is active. */
export const VFGEN_RSTAT = 0x8800;
export const VFGEN_RSTAT_VFACTIVE = 2;

/*
 * What the physical function is asked by messages of a queue in memory
 * (include/linux/avf/virtchnl.h) is written to registers of the model's own.
 */

/** VIRTCHNL_OP_ENABLE_QUEUES and DISABLE_QUEUES: queue pairs in use, vector 1 and up. */
export const ICE_VF_QUEUES = 0x10000;
/** VIRTCHNL_OP_CONFIG_RDMA_IRQ_MAP: bits 15:0 the first vector, 31:16 how many; 0: released. */
export const ICE_VF_RDMA = 0x10004;
export const ICE_VF_RDMA_COUNT_SHIFT = 16;
