/** Flags of eventfd2(2) (include/uapi/linux/eventfd.h). */

export const EFD_SEMAPHORE = 1 << 0;
export const EFD_NONBLOCK = 0o4000;
export const EFD_CLOEXEC = 0o2000000;
