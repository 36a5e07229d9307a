/** What the recorder prints of configuration space: enable bits, and the list of capabilities. */
import {
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_PM,
  PCI_CAPABILITY_LIST,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_DEVICE_ID,
  PCI_EXP_DEVCAP,
  PCI_EXP_DEVCAP_FLR,
  PCI_INTERRUPT_PIN,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_64BIT,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_MASKBIT,
  PCI_MSI_FLAGS_QMASK,
  PCI_MSI_FLAGS_QSIZE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
  PCI_MSIX_FLAGS_QSIZE,
  PCI_MSIX_PBA,
  PCI_MSIX_TABLE,
  PCI_MSIX_TABLE_BIR,
  PCI_PM_CTRL,
  PCI_STATUS,
  PCI_VENDOR_ID,
} from "../uapi/pci-regs.ts";

/** Reads 1, 2 or 4 bytes of a configuration space, virtual or real. */
export type ConfigReader = (offset: number, size: number) => number;

type View = Record<string, unknown>;

const hex4 = (word: number): string => word.toString(16).padStart(4, "0");
const bit = (word: number, mask: number): number => ((word & mask) === 0 ? 0 : 1);

export function msiVectorsEnabled(control: number): number {
  return 1 << ((control & PCI_MSI_FLAGS_QSIZE) >> 4);
}

/** Offsets of the capabilities, in list order; a list that does not end is cut. */
export function capabilities(read: ConfigReader): { id: number; off: number }[] {
  const found: { id: number; off: number }[] = [];
  for (let off = read(PCI_CAPABILITY_LIST, 1); off !== 0 && found.length < 48; ) {
    found.push({ id: read(off, 1), off });
    off = read(off + 1, 1);
  }
  return found;
}

/** `hw`: DisINTx and the enable bits of MSI and MSI-X. */
export function hardwareView(read: ConfigReader): View {
  const view: View = { intxdis: bit(read(PCI_COMMAND, 2), PCI_COMMAND_INTX_DISABLE) };
  for (const { id, off } of capabilities(read)) {
    if (id === PCI_CAP_ID_MSI) {
      const control = read(off + PCI_MSI_FLAGS, 2);
      view.msi_en = bit(control, PCI_MSI_FLAGS_ENABLE);
      view.msi_mme = msiVectorsEnabled(control);
    } else if (id === PCI_CAP_ID_MSIX) {
      const control = read(off + PCI_MSIX_FLAGS, 2);
      view.msix_en = bit(control, PCI_MSIX_FLAGS_ENABLE);
      view.msix_fmask = bit(control, PCI_MSIX_FLAGS_MASKALL);
    }
  }
  return view;
}

/** `pcicap`: identity, command, status, pin, and every capability. */
export function capabilityView(read: ConfigReader): View {
  return {
    vendor: hex4(read(PCI_VENDOR_ID, 2)),
    device: hex4(read(PCI_DEVICE_ID, 2)),
    cmd: hex4(read(PCI_COMMAND, 2)),
    status: hex4(read(PCI_STATUS, 2)),
    intpin: read(PCI_INTERRUPT_PIN, 1),
    caps: capabilities(read).map(({ id, off }) => ({ id, off, ...oneCapability(read, id, off) })),
  };
}

function oneCapability(read: ConfigReader, id: number, off: number): View {
  switch (id) {
    case PCI_CAP_ID_MSIX:
      return msixView(read, off);
    case PCI_CAP_ID_MSI:
      return msiView(read(off + PCI_MSI_FLAGS, 2));
    case PCI_CAP_ID_EXP:
      return { name: "exp", flr: bit(read(off + PCI_EXP_DEVCAP, 4), PCI_EXP_DEVCAP_FLR) };
    case PCI_CAP_ID_PM:
      return { name: "pm", pmcsr: hex4(read(off + PCI_PM_CTRL, 2)) };
    default:
      return {};
  }
}

function msixView(read: ConfigReader, off: number): View {
  const control = read(off + PCI_MSIX_FLAGS, 2);
  const table = read(off + PCI_MSIX_TABLE, 4);
  const pba = read(off + PCI_MSIX_PBA, 4);
  return {
    name: "msix",
    ctrl: hex4(control),
    size: (control & PCI_MSIX_FLAGS_QSIZE) + 1,
    fmask: bit(control, PCI_MSIX_FLAGS_MASKALL),
    en: bit(control, PCI_MSIX_FLAGS_ENABLE),
    tbir: table & PCI_MSIX_TABLE_BIR,
    toff: table - (table & PCI_MSIX_TABLE_BIR),
    pbir: pba & PCI_MSIX_TABLE_BIR,
    poff: pba - (pba & PCI_MSIX_TABLE_BIR),
  };
}

function msiView(control: number): View {
  return {
    name: "msi",
    ctrl: hex4(control),
    en: bit(control, PCI_MSI_FLAGS_ENABLE),
    mmc: 1 << ((control & PCI_MSI_FLAGS_QMASK) >> 1),
    mme: msiVectorsEnabled(control),
    a64: bit(control, PCI_MSI_FLAGS_64BIT),
    maskable: bit(control, PCI_MSI_FLAGS_MASKBIT),
  };
}
