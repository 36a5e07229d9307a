/**
 * The whole protocol between a VM process (guest worker) and the host kernel (host worker).
 *
 * The border is the system call: arguments are the caller's bytes, laid out as src/uapi says, and
 * memory the caller cannot read is simply not there, so that reading past it is -EFAULT. Every
 * request gets exactly one response with the same `id`; a guest may have several under way.
 * Interrupts, eventfd counters and doorbells do not come this way: they are words in shared memory.
 */

/** Identifies a request within its guest; the response repeats it. */
export type RequestId = number;

/** open(2): `/dev/vfio/NAME` (group, container, device in one), `/dev/kvm` (a VM), other files. */
export interface OpenRequest {
  id: RequestId;
  op: "open";
  path: string;
}

/** close(2). */
export interface CloseRequest {
  id: RequestId;
  op: "close";
  fd: number;
}

/** eventfd2(2); `initval` is a u32. The response's `slot` is the counter in shared memory. */
export interface EventfdRequest {
  id: RequestId;
  op: "eventfd2";
  initval: number;
  flags: number;
}

/** ioctl(2): VFIO_DEVICE_* and KVM_* of src/uapi; `arg` is the memory behind the pointer. */
export interface IoctlRequest {
  id: RequestId;
  op: "ioctl";
  fd: number;
  cmd: number;
  arg: Uint8Array;
}

/** pread(2) on a vfio device: config space and BARs, at region index * 2^40 + offset. */
export interface PreadRequest {
  id: RequestId;
  op: "pread";
  fd: number;
  offset: number;
  count: number;
}

/** pwrite(2) on a vfio device. */
export interface PwriteRequest {
  id: RequestId;
  op: "pwrite";
  fd: number;
  offset: number;
  data: Uint8Array;
}

/**
 * What a vCPU does that the in-kernel irqchip emulates: a write of an IOAPIC redirection entry, or
 * the EOI of a level-triggered vector.
 */
export type VmExit =
  | { reason: "ioapic-write"; pin: number; low: number; high: number }
  | { reason: "eoi"; vcpu: number; vector: number };

/** A VM exit that KVM handles in the kernel, on the VM's fd. */
export interface VmExitRequest {
  id: RequestId;
  op: "vmexit";
  fd: number;
  exit: VmExit;
}

export type Request =
  | OpenRequest
  | CloseRequest
  | EventfdRequest
  | IoctlRequest
  | PreadRequest
  | PwriteRequest
  | VmExitRequest;

/** `ret` as the system call returns it, negative errno for errors; `data` what it wrote back. */
export interface Response {
  id: RequestId;
  ret: number;
  data?: Uint8Array;
  slot?: number;
}

/** Largest encoded request or response, in bytes: a SET_IRQS of 2,048 fds is 8.2 KB. */
export const MESSAGE_BYTES_MAX = 256 * 1024;
