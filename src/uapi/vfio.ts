/** Numbers and layouts of include/uapi/linux/vfio.h (Linux 6.1 to 6.12; same in all of them). */

/** ioctl request numbers: _IO(';', 100 + n). */
export const VFIO_DEVICE_GET_INFO = 0x3b6b;
export const VFIO_DEVICE_GET_REGION_INFO = 0x3b6c;
export const VFIO_DEVICE_GET_IRQ_INFO = 0x3b6d;
export const VFIO_DEVICE_SET_IRQS = 0x3b6e;
export const VFIO_DEVICE_RESET = 0x3b6f;
export const VFIO_DEVICE_GET_PCI_HOT_RESET_INFO = 0x3b70;
export const VFIO_DEVICE_PCI_HOT_RESET = 0x3b71;
/** struct vfio_pci_hot_reset_info {argsz, flags, count}, struct vfio_pci_hot_reset the same. */
export const HOT_RESET_MINSZ = 12;
/** struct vfio_pci_dependent_device {group_id, segment (u16), bus (u8), devfn (u8)}. */
export const HOT_RESET_DEVICE_SIZE = 8;

export const VFIO_DEVICE_FLAGS_RESET = 1 << 0;
export const VFIO_DEVICE_FLAGS_PCI = 1 << 1;

export const VFIO_REGION_INFO_FLAG_READ = 1 << 0;
export const VFIO_REGION_INFO_FLAG_WRITE = 1 << 1;
export const VFIO_REGION_INFO_FLAG_MMAP = 1 << 2;
export const VFIO_REGION_INFO_FLAG_CAPS = 1 << 3;

export const VFIO_PCI_BAR0_REGION_INDEX = 0;
export const VFIO_PCI_ROM_REGION_INDEX = 6;
export const VFIO_PCI_CONFIG_REGION_INDEX = 7;
export const VFIO_PCI_VGA_REGION_INDEX = 8;
export const VFIO_PCI_NUM_REGIONS = 9;

/** File offset of a region: index << 40 (drivers/vfio/pci/vfio_pci_core.h). Doubles hold it. */
export const VFIO_PCI_OFFSET_UNIT = 2 ** 40;

export const VFIO_IRQ_INFO_EVENTFD = 1 << 0;
export const VFIO_IRQ_INFO_MASKABLE = 1 << 1;
export const VFIO_IRQ_INFO_AUTOMASKED = 1 << 2;
export const VFIO_IRQ_INFO_NORESIZE = 1 << 3;

export const VFIO_IRQ_SET_DATA_NONE = 1 << 0;
export const VFIO_IRQ_SET_DATA_BOOL = 1 << 1;
export const VFIO_IRQ_SET_DATA_EVENTFD = 1 << 2;
export const VFIO_IRQ_SET_ACTION_MASK = 1 << 3;
export const VFIO_IRQ_SET_ACTION_UNMASK = 1 << 4;
export const VFIO_IRQ_SET_ACTION_TRIGGER = 1 << 5;
export const VFIO_IRQ_SET_DATA_TYPE_MASK = 0x07;
export const VFIO_IRQ_SET_ACTION_TYPE_MASK = 0x38;

export const VFIO_PCI_INTX_IRQ_INDEX = 0;
export const VFIO_PCI_MSI_IRQ_INDEX = 1;
export const VFIO_PCI_MSIX_IRQ_INDEX = 2;
export const VFIO_PCI_ERR_IRQ_INDEX = 3;
export const VFIO_PCI_REQ_IRQ_INDEX = 4;
export const VFIO_PCI_NUM_IRQS = 5;

/** Names of the irq indexes, as the recordings and reports print them. */
export const VFIO_IRQ_INDEX_NAMES = ["INTX", "MSI", "MSIX", "ERR", "REQ"] as const;

/** offsetofend of the last field the kernel insists on. */
export const DEVICE_INFO_MINSZ = 16;
export const IRQ_INFO_SIZE = 16;
export const IRQ_SET_MINSZ = 20;
export const REGION_INFO_SIZE = 32;

/** struct vfio_device_info {argsz, flags, num_regions, num_irqs, ...}: 32-bit words in order. */
export interface VfioDeviceInfo {
  argsz: number;
  flags: number;
  numRegions: number;
  numIrqs: number;
}

/** struct vfio_irq_info {argsz, flags, index, count}. */
export interface VfioIrqInfo {
  argsz: number;
  flags: number;
  index: number;
  count: number;
}

/** struct vfio_irq_set without its data: {argsz, flags, index, start, count}. */
export interface VfioIrqSetHeader {
  argsz: number;
  flags: number;
  index: number;
  start: number;
  count: number;
}

/** struct vfio_region_info {argsz, flags, index, cap_offset, u64 size, u64 offset}. */
export interface VfioRegionInfo {
  argsz: number;
  flags: number;
  index: number;
  size: number;
  offset: number;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Little-endian bytes of `words` as the kernel's u32 fields; values are taken modulo 2^32. */
export function packWords(words: readonly number[], size = words.length * 4): Uint8Array {
  const bytes = new Uint8Array(size);
  const out = view(bytes);
  for (const [i, word] of words.entries()) out.setUint32(i * 4, word >>> 0, true);
  return bytes;
}

/** The s32 at byte `at`. By hand: a DataView for each of the many words of a call shows. */
function s32At(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** The u32 at byte `offset`, of which there are four bytes. */
export function wordAt(bytes: Uint8Array, offset: number): number {
  return s32At(bytes, offset) >>> 0;
}

/** A SET_IRQS argument: header and data bytes behind it. */
export function encodeIrqSet(header: VfioIrqSetHeader, data: Uint8Array): Uint8Array {
  const { argsz, flags, index, start, count } = header;
  const bytes = packWords([argsz, flags, index, start, count], IRQ_SET_MINSZ + data.length);
  bytes.set(data, IRQ_SET_MINSZ);
  return bytes;
}

/** The header of a SET_IRQS argument of at least IRQ_SET_MINSZ bytes. */
export function decodeIrqSetHeader(arg: Uint8Array): VfioIrqSetHeader {
  return {
    argsz: wordAt(arg, 0),
    flags: wordAt(arg, 4),
    index: wordAt(arg, 8),
    start: wordAt(arg, 12),
    count: wordAt(arg, 16),
  };
}

/** File descriptors as the int32 data of DATA_EVENTFD. */
export function packFds(fds: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(fds.length * 4);
  const out = view(bytes);
  for (let i = 0; i < fds.length; i++) out.setInt32(i * 4, fds[i]!, true);
  return bytes;
}

/** The signed 32-bit fd number `position` of DATA_EVENTFD data. */
export function fdAt(arg: Uint8Array, position: number): number {
  return s32At(arg, IRQ_SET_MINSZ + position * 4);
}

export function decodeDeviceInfo(arg: Uint8Array): VfioDeviceInfo {
  return {
    argsz: wordAt(arg, 0),
    flags: wordAt(arg, 4),
    numRegions: wordAt(arg, 8),
    numIrqs: wordAt(arg, 12),
  };
}

export function decodeIrqInfo(arg: Uint8Array): VfioIrqInfo {
  return {
    argsz: wordAt(arg, 0),
    flags: wordAt(arg, 4),
    index: wordAt(arg, 8),
    count: wordAt(arg, 12),
  };
}

export function encodeRegionInfo(info: VfioRegionInfo): Uint8Array {
  const bytes = packWords([info.argsz, info.flags, info.index, 0], REGION_INFO_SIZE);
  const out = view(bytes);
  out.setBigUint64(16, BigInt(info.size), true);
  out.setBigUint64(24, BigInt(info.offset), true);
  return bytes;
}

export function decodeRegionInfo(arg: Uint8Array): VfioRegionInfo {
  const words = view(arg);
  return {
    argsz: words.getUint32(0, true),
    flags: words.getUint32(4, true),
    index: words.getUint32(8, true),
    size: Number(words.getBigUint64(16, true)),
    offset: Number(words.getBigUint64(24, true)),
  };
}
