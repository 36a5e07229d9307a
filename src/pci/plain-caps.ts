/** Power management and PCI Express capabilities: registers without behaviour of their own here. */
import {
  PCI_CAP_EXP_ENDPOINT_SIZEOF_V1,
  PCI_CAP_EXP_ENDPOINT_SIZEOF_V2,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_PM,
  PCI_EXP_DEVCAP,
  PCI_EXP_DEVCAP_FLR,
  PCI_EXP_DEVCAP_RBER,
  PCI_EXP_DEVCTL,
  PCI_EXP_DEVSTA,
  PCI_EXP_FLAGS,
  PCI_EXP_LNKCAP,
  PCI_EXP_LNKCTL,
  PCI_EXP_LNKSTA,
  PCI_EXP_TYPE_ENDPOINT,
  PCI_EXP_TYPE_RC_END,
  PCI_PM_CTRL,
  PCI_PM_CTRL_NO_SOFT_RESET,
  PCI_PM_CTRL_PME_ENABLE,
  PCI_PM_CTRL_PME_STATUS,
  PCI_PM_CTRL_STATE_MASK,
  PCI_PM_PMC,
  PCI_PM_SIZEOF,
} from "../uapi/pci-regs.ts";
import type { ConfigSpace } from "./config-space.ts";

export interface PmSpec {
  readonly kind: "pm";
  readonly offset: number;
  /** D3hot to D0 keeps the function's state; without it a PM reset is possible. */
  readonly noSoftReset: boolean;
  /** It can signal PME; PMCSR then has the bits for it. */
  readonly pme: boolean;
}

export interface PcieSpec {
  readonly kind: "pcie";
  readonly offset: number;
  /** 1 or 2: how long the structure is. */
  readonly version: 1 | 2;
  readonly flr: boolean;
  /** Sits on the root complex itself, so that it has no link. */
  readonly rootComplexIntegrated: boolean;
}

const PM_VERSION_1_2 = 3;
const PMC_PME_D0_D3HOT = 0x4800;
const DEVCTL_ERROR_REPORTING = 0xf;
const DEVCTL_WRITABLE = 0x78ff;
const DEVSTA_ERRORS = 0xf;
/** 2.5 GT/s, one lane. */
const LINK_X1_2_5GT = 0x11;

/** Adds a power management capability (PM 1.2, 3.2) and returns its offset. */
export function addPmCapability(config: ConfigSpace, spec: PmSpec): number {
  const { offset, noSoftReset, pme } = spec;
  config.addCapability(PCI_CAP_ID_PM, offset, PCI_PM_SIZEOF);
  config.set(offset + PCI_PM_PMC, 2, PM_VERSION_1_2 | (pme ? PMC_PME_D0_D3HOT : 0));
  config.set(offset + PCI_PM_CTRL, 2, noSoftReset ? PCI_PM_CTRL_NO_SOFT_RESET : 0);
  config.allow(
    offset + PCI_PM_CTRL,
    2,
    PCI_PM_CTRL_STATE_MASK | (pme ? PCI_PM_CTRL_PME_ENABLE : 0),
  );
  if (pme) config.allowClear(offset + PCI_PM_CTRL, 2, PCI_PM_CTRL_PME_STATUS);
  return offset;
}

/** Adds a PCI Express capability (PCIe 4.0, 7.5.3); returns if it offers FLR. */
export function addPcieCapability(config: ConfigSpace, spec: PcieSpec): boolean {
  const { offset, version, flr, rootComplexIntegrated } = spec;
  config.addCapability(
    PCI_CAP_ID_EXP,
    offset,
    version === 1 ? PCI_CAP_EXP_ENDPOINT_SIZEOF_V1 : PCI_CAP_EXP_ENDPOINT_SIZEOF_V2,
  );
  const type = rootComplexIntegrated ? PCI_EXP_TYPE_RC_END : PCI_EXP_TYPE_ENDPOINT;
  config.set(offset + PCI_EXP_FLAGS, 2, version | (type << 4));
  config.set(offset + PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_RBER | (flr ? PCI_EXP_DEVCAP_FLR : 0));
  config.set(offset + PCI_EXP_DEVCTL, 2, 0);
  // Errors are reported only if software asks; INITIATE_FLR always reads 0, so it is not stored.
  config.allow(offset + PCI_EXP_DEVCTL, 2, DEVCTL_WRITABLE | DEVCTL_ERROR_REPORTING);
  config.allowClear(offset + PCI_EXP_DEVSTA, 2, DEVSTA_ERRORS);
  if (!rootComplexIntegrated) {
    config.set(offset + PCI_EXP_LNKCAP, 4, LINK_X1_2_5GT);
    config.set(offset + PCI_EXP_LNKSTA, 2, LINK_X1_2_5GT);
    config.allow(offset + PCI_EXP_LNKCTL, 2, 0x1c3);
  }
  return flr;
}
