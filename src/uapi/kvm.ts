/** Numbers and layouts of include/uapi/linux/kvm.h that interrupt delivery needs. */

/** _IOW(KVMIO, 0x6a, struct kvm_irq_routing), _IOW(KVMIO, 0x76, struct kvm_irqfd). */
export const KVM_SET_GSI_ROUTING = 0x4008ae6a;
export const KVM_IRQFD = 0x4020ae76;
/** _IOR(KVMIO, 0x63, struct kvm_irqchip): the argument is read, in spite of its name. */
export const KVM_SET_IRQCHIP = 0x8208ae63;
/** _IO(KVMIO, 0x03), _IO(KVMIO, 0x60), _IOW(KVMIO, 0xa3, struct kvm_enable_cap). */
export const KVM_CHECK_EXTENSION = 0xae03;
export const KVM_CREATE_IRQCHIP = 0xae60;
export const KVM_ENABLE_CAP = 0x4068aea3;
/** struct kvm_enable_cap {cap, flags, args[4], pad[64]}. */
export const KVM_ENABLE_CAP_SIZE = 104;

export const KVM_CAP_IRQCHIP = 0;
export const KVM_CAP_IRQ_ROUTING = 25;
export const KVM_CAP_IRQFD = 32;
export const KVM_CAP_IRQFD_RESAMPLE = 82;
export const KVM_CAP_SPLIT_IRQCHIP = 121;

export const KVM_IRQFD_FLAG_DEASSIGN = 1 << 0;
export const KVM_IRQFD_FLAG_RESAMPLE = 1 << 1;
export const KVM_IRQFD_SIZE = 32;

export const KVM_IRQ_ROUTING_IRQCHIP = 1;
export const KVM_IRQ_ROUTING_MSI = 2;
/** Flag of an MSI route: its devid field holds the requester. */
export const KVM_MSI_VALID_DEVID = 1 << 0;
/** struct kvm_irq_routing_entry: gsi, type, flags, pad, then 32 bytes of union. */
export const KVM_IRQ_ROUTING_ENTRY_SIZE = 48;
export const KVM_IRQ_ROUTING_HEADER_SIZE = 8;
export const KVM_MAX_IRQ_ROUTES = 4096;

export const KVM_IRQCHIP_IOAPIC = 2;
/** struct kvm_irqchip {chip_id, pad, chip[512]}. */
export const KVM_IRQCHIP_SIZE = 520;
/** struct kvm_ioapic_state {base_address, ioregsel, id, irr, pad, redirtbl[24]} in `chip`. */
const IOAPIC_IRR_OFFSET = 8 + 16;
const IOAPIC_REDIRTBL_OFFSET = 8 + 24;

/** What KVM_SET_IRQCHIP sets of an IOAPIC: the levels, and both words of each entry. */
export interface KvmIoapicState {
  readonly irr: number;
  readonly redirtbl: readonly { readonly low: number; readonly high: number }[];
}

/** struct kvm_irqfd {fd, gsi, flags, resamplefd, pad[16]}. */
export interface KvmIrqfd {
  fd: number;
  gsi: number;
  flags: number;
  resamplefd: number;
}

/** One route: an MSI message, or a pin of the in-kernel irqchip. */
export type KvmRoute =
  | { gsi: number; type: "msi"; addressLo: number; addressHi: number; data: number }
  | { gsi: number; type: "irqchip"; irqchip: number; pin: number };

/** KVM_CHECK_EXTENSION's argument, which is the number itself. */
export function encodeCapability(cap: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, cap, true);
  return bytes;
}

/** struct kvm_enable_cap with one argument. */
export function encodeEnableCap(cap: number, arg: number): Uint8Array {
  const bytes = new Uint8Array(KVM_ENABLE_CAP_SIZE);
  const out = new DataView(bytes.buffer);
  out.setUint32(0, cap, true);
  out.setUint32(8, arg, true);
  return bytes;
}

export function encodeIrqfd(irqfd: KvmIrqfd): Uint8Array {
  const bytes = new Uint8Array(KVM_IRQFD_SIZE);
  const out = new DataView(bytes.buffer);
  out.setUint32(0, irqfd.fd >>> 0, true);
  out.setUint32(4, irqfd.gsi, true);
  out.setUint32(8, irqfd.flags, true);
  out.setUint32(12, irqfd.resamplefd >>> 0, true);
  return bytes;
}

/** The struct in an argument of at least KVM_IRQFD_SIZE bytes. */
export function decodeIrqfd(arg: Uint8Array): KvmIrqfd {
  const words = new DataView(arg.buffer, arg.byteOffset, arg.byteLength);
  return {
    fd: words.getInt32(0, true),
    gsi: words.getUint32(4, true),
    flags: words.getUint32(8, true),
    resamplefd: words.getInt32(12, true),
  };
}

export function encodeIoapic({ irr, redirtbl }: KvmIoapicState): Uint8Array {
  const bytes = new Uint8Array(KVM_IRQCHIP_SIZE);
  const out = new DataView(bytes.buffer);
  out.setUint32(0, KVM_IRQCHIP_IOAPIC, true);
  out.setUint32(IOAPIC_IRR_OFFSET, irr, true);
  for (const [pin, { low, high }] of redirtbl.entries()) {
    out.setUint32(IOAPIC_REDIRTBL_OFFSET + 8 * pin, low, true);
    out.setUint32(IOAPIC_REDIRTBL_OFFSET + 8 * pin + 4, high, true);
  }
  return bytes;
}

/** The state of `pins` entries in an argument of KVM_IRQCHIP_SIZE bytes; null: another chip's. */
export function decodeIoapic(arg: Uint8Array, pins: number): KvmIoapicState | null {
  const words = new DataView(arg.buffer, arg.byteOffset, arg.byteLength);
  if (words.getUint32(0, true) !== KVM_IRQCHIP_IOAPIC) return null;
  const redirtbl = Array.from({ length: pins }, (_, pin) => ({
    low: words.getUint32(IOAPIC_REDIRTBL_OFFSET + 8 * pin, true),
    high: words.getUint32(IOAPIC_REDIRTBL_OFFSET + 8 * pin + 4, true),
  }));
  return { irr: words.getUint32(IOAPIC_IRR_OFFSET, true), redirtbl };
}

/** struct kvm_irq_routing {nr, flags, entries[nr]}: the whole table, each time. */
export function encodeRouting(routes: readonly KvmRoute[]): Uint8Array {
  const size = KVM_IRQ_ROUTING_HEADER_SIZE + routes.length * KVM_IRQ_ROUTING_ENTRY_SIZE;
  const bytes = new Uint8Array(size);
  const out = new DataView(bytes.buffer);
  out.setUint32(0, routes.length, true);
  for (let i = 0; i < routes.length; i++) {
    const route = routes[i]!;
    const at = KVM_IRQ_ROUTING_HEADER_SIZE + i * KVM_IRQ_ROUTING_ENTRY_SIZE;
    out.setUint32(at, route.gsi, true);
    if (route.type === "msi") {
      out.setUint32(at + 4, KVM_IRQ_ROUTING_MSI, true);
      out.setUint32(at + 16, route.addressLo >>> 0, true);
      out.setUint32(at + 20, route.addressHi >>> 0, true);
      out.setUint32(at + 24, route.data >>> 0, true);
    } else {
      out.setUint32(at + 4, KVM_IRQ_ROUTING_IRQCHIP, true);
      out.setUint32(at + 16, route.irqchip, true);
      out.setUint32(at + 20, route.pin, true);
    }
  }
  return bytes;
}

/**
 * The routes of a KVM_SET_GSI_ROUTING argument, or null if KVM refuses them (-EINVAL): more than
 * 4096, flags, GSIs out of range, types it does not have. Bytes that are missing make null too:
 * that is the caller's -EFAULT to find first.
 */
export function decodeRouting(arg: Uint8Array): KvmRoute[] | null {
  if (arg.byteLength < KVM_IRQ_ROUTING_HEADER_SIZE) return null;
  const words = new DataView(arg.buffer, arg.byteOffset, arg.byteLength);
  const nr = words.getUint32(0, true);
  if (nr > KVM_MAX_IRQ_ROUTES || words.getUint32(4, true) !== 0) return null;
  const size = KVM_IRQ_ROUTING_HEADER_SIZE + nr * KVM_IRQ_ROUTING_ENTRY_SIZE;
  if (arg.byteLength < size) return null;
  const routes: KvmRoute[] = [];
  for (let i = 0; i < nr; i++) {
    const at = KVM_IRQ_ROUTING_HEADER_SIZE + i * KVM_IRQ_ROUTING_ENTRY_SIZE;
    const gsi = words.getUint32(at, true);
    const type = words.getUint32(at + 4, true);
    const flags = words.getUint32(at + 8, true);
    if (gsi >= KVM_MAX_IRQ_ROUTES) return null;
    if ((flags & ~(type === KVM_IRQ_ROUTING_MSI ? KVM_MSI_VALID_DEVID : 0)) !== 0) return null;
    const first = words.getUint32(at + 16, true);
    const second = words.getUint32(at + 20, true);
    if (type === KVM_IRQ_ROUTING_MSI) {
      const data = words.getUint32(at + 24, true);
      routes.push({ gsi, type: "msi", addressLo: first, addressHi: second, data });
    } else if (type === KVM_IRQ_ROUTING_IRQCHIP) {
      routes.push({ gsi, type: "irqchip", irqchip: first, pin: second });
    } else {
      return null;
    }
  }
  return routes;
}
