/**
 * Which bits of configuration space vfio-pci shows from its copy, and which it lets through
 * (drivers/vfio/pci/vfio_pci_config.c, vfio_pci_init_perm_bits).
 */
import type { PciFunction } from "../../src/pci/function.ts";
import {
  PCI_BASE_ADDRESS_0,
  PCI_BIST,
  PCI_CACHE_LINE_SIZE,
  PCI_CAP_EXP_ENDPOINT_SIZEOF_V1,
  PCI_CAP_EXP_ENDPOINT_SIZEOF_V2,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_PM,
  PCI_CAP_LIST_ID,
  PCI_CAP_LIST_NEXT,
  PCI_CAP_MSIX_SIZEOF,
  PCI_CAPABILITY_LIST,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_DEVICE_ID,
  PCI_EXP_DEVCTL,
  PCI_EXP_DEVCTL_BCR_FLR,
  PCI_EXP_FLAGS,
  PCI_EXP_TYPE_RC_END,
  PCI_INTERRUPT_LINE,
  PCI_INTERRUPT_PIN,
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_FLAGS,
  PCI_PM_CTRL,
  PCI_PM_CTRL_PME_ENABLE,
  PCI_PM_CTRL_PME_STATUS,
  PCI_PM_CTRL_STATE_MASK,
  PCI_PM_SIZEOF,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
  PCI_STD_HEADER_SIZEOF,
  PCI_VENDOR_ID,
} from "../../src/uapi/pci-regs.ts";

/** Registers that src/uapi/pci-regs.ts leaves out, because only this table names them. */
const PCI_LATENCY_TIMER = 0x0d;
export const PCI_ROM_ADDRESS = 0x30;
const PCI_EXP_DEVCTL_PAYLOAD = 0x00e0;
const PCI_EXP_DEVCTL_PHANTOM = 0x0200;
const PCI_EXP_DEVCTL_READRQ = 0x7000;
const PCI_EXP_DEVCTL2 = 0x28;
const PCI_EXP_DEVCTL2_ARI = 0x0020;
/** Endpoints inside the root complex have no link: of version 1 registers only the common ones. */
const EXP_COMMON_SIZEOF = 0x0c;
const EXP_NO_LINK_SIZEOF_V2 = 0x2c;

const ALL = 0xffffffff;
const NONE = 0;

/** The range a byte belongs to; accesses are cut at its borders. */
export interface ConfigRange {
  readonly start: number;
  readonly end: number;
  /** Capability ID, "header", or "unassigned": bytes nobody knows go straight to the hardware. */
  readonly what: number | "header" | "unassigned";
}

const UNASSIGNED = "unassigned";

export class ConfigPerms {
  /** Bits that live in vfio's copy. */
  readonly virt: Uint8Array;
  /** Bits userspace may write, to the copy or to the hardware. */
  readonly write: Uint8Array;
  readonly ranges: readonly ConfigRange[];

  /** Walks the capabilities of `fn` as vfio_config_init does when the device is opened. */
  constructor(fn: PciFunction) {
    this.virt = new Uint8Array(fn.config.size);
    this.write = new Uint8Array(fn.config.size);
    this.#header();
    const ranges: ConfigRange[] = [{ start: 0, end: PCI_STD_HEADER_SIZEOF, what: "header" }];
    for (let at = fn.configRead(PCI_CAPABILITY_LIST, 1); at !== 0; ) {
      const id = fn.configRead(at + PCI_CAP_LIST_ID, 1);
      ranges.push({ start: at, end: at + this.#capability(fn, id, at), what: id });
      at = fn.configRead(at + PCI_CAP_LIST_NEXT, 1);
    }
    this.ranges = ranges;
  }

  rangeAt(offset: number): ConfigRange {
    const range = this.ranges.find(({ start, end }) => offset >= start && offset < end);
    if (range !== undefined) return range;
    const next = this.ranges.reduce(
      (nearest, { start }) => (start > offset && start < nearest ? start : nearest),
      this.virt.length,
    );
    return { start: offset, end: next, what: UNASSIGNED };
  }

  /** p_setb, p_setw, p_setd. */
  #set(offset: number, size: number, virt: number, write: number): void {
    for (let i = 0; i < size; i++) {
      this.virt[offset + i] = (virt >>> (8 * i)) & 0xff;
      this.write[offset + i] = (write >>> (8 * i)) & 0xff;
    }
  }

  /** init_pci_cap_basic_perm. */
  #header(): void {
    this.#set(PCI_VENDOR_ID, 2, ALL, NONE);
    this.#set(PCI_DEVICE_ID, 2, ALL, NONE);
    this.#set(PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE, ALL);
    this.#set(PCI_STATUS, 2, PCI_STATUS_CAP_LIST, NONE);
    for (const at of [PCI_CACHE_LINE_SIZE, PCI_LATENCY_TIMER, PCI_BIST])
      this.#set(at, 1, NONE, ALL);
    for (let bar = 0; bar < 6; bar++) this.#set(PCI_BASE_ADDRESS_0 + 4 * bar, 4, ALL, ALL);
    this.#set(PCI_ROM_ADDRESS, 4, ALL, ALL);
    this.#set(PCI_CAPABILITY_LIST, 1, ALL, NONE);
    this.#set(PCI_INTERRUPT_LINE, 1, ALL, ALL);
    this.#set(PCI_INTERRUPT_PIN, 1, ALL, NONE);
  }

  /** Permissions of one capability; returns its length. All others may be read, not written. */
  #capability(fn: PciFunction, id: number, at: number): number {
    this.#set(at + PCI_CAP_LIST_NEXT, 1, ALL, NONE);
    switch (id) {
      case PCI_CAP_ID_PM:
        this.#pm(at);
        return PCI_PM_SIZEOF;
      case PCI_CAP_ID_MSI:
        return this.#msi(at, fn.msi?.a64 === true, fn.msi?.maskable === true);
      case PCI_CAP_ID_EXP:
        return this.#express(at, expressLength(fn.configRead(at + PCI_EXP_FLAGS, 2)));
      case PCI_CAP_ID_MSIX:
        return PCI_CAP_MSIX_SIZEOF;
      default:
        return 2;
    }
  }

  /** init_pci_cap_pm_perm: the power state is set by the kernel, not by the write itself. */
  #pm(at: number): void {
    const pme = PCI_PM_CTRL_PME_ENABLE | PCI_PM_CTRL_PME_STATUS;
    this.#set(at + PCI_PM_CTRL, 4, pme, ~(pme | PCI_PM_CTRL_STATE_MASK));
  }

  /** init_pci_cap_msi_perm: all virtual; of the control word only the low byte. */
  #msi(at: number, a64: boolean, maskable: boolean): number {
    this.#set(at + PCI_MSI_FLAGS, 1, ALL, ALL);
    this.#set(at + PCI_MSI_ADDRESS_LO, 4, ALL, ALL);
    let end = at + PCI_MSI_ADDRESS_LO + 4;
    if (a64) {
      this.#set(end, 4, ALL, ALL);
      end += 4;
    }
    this.#set(end, 2, ALL, ALL);
    if (!maskable) return end + 2 - at;
    this.#set(end + 4, 8, NONE, NONE);
    for (let i = 0; i < 8; i++) this.write[end + 4 + i] = 0xff;
    return end + 12 - at;
  }

  /** init_pci_cap_exp_perm, as far as the structure reaches. */
  #express(at: number, length: number): number {
    const virt = PCI_EXP_DEVCTL_BCR_FLR | PCI_EXP_DEVCTL_PAYLOAD | PCI_EXP_DEVCTL_READRQ;
    this.#set(at + PCI_EXP_DEVCTL, 2, virt, ~PCI_EXP_DEVCTL_PHANTOM);
    if (length > PCI_EXP_DEVCTL2) {
      this.#set(at + PCI_EXP_DEVCTL2, 2, NONE, ~PCI_EXP_DEVCTL2_ARI);
    }
    return length;
  }
}

/** Length of a PCI Express capability by version and type, as vfio_cap_len has it. */
function expressLength(flags: number): number {
  const integrated = ((flags >> 4) & 0xf) === PCI_EXP_TYPE_RC_END;
  if ((flags & 0xf) === 1) return integrated ? EXP_COMMON_SIZEOF : PCI_CAP_EXP_ENDPOINT_SIZEOF_V1;
  return integrated ? EXP_NO_LINK_SIZEOF_V2 : PCI_CAP_EXP_ENDPOINT_SIZEOF_V2;
}
