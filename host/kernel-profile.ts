/**
 * How the modelled kernels differ, as data; each line names the change that made the difference.
 * `linux-6.1` is Debian's 6.1.192, `linux-6.12` its 6.12.117 and `linux-7.2` its 7.2.12, as
 * recorded: the first two hold fixes that their stable trees took back from later releases.
 */
import type { HostSpec } from "../src/scenario/types.ts";

export interface KernelProfile {
  readonly name: HostSpec["kernel"];
  /**
   * MSI-X vectors can be added while MSI-X is on, and GET_IRQ_INFO drops NORESIZE for them.
   * Linux 6.5: e4163438e015 "vfio/pci: Support dynamic MSI-X", on top of 34026364df8e
   * "PCI/MSI: Provide post-enable dynamic allocation interfaces for MSI-X" (6.2).
   */
  readonly dynamicMsix: boolean;
  /**
   * MSI and MSI-X: the range is checked against what was allocated at enable before anything is
   * touched, for eventfds, removals and loopback alike. Linux 6.5 dropped that check with
   * d977e0f76634 "vfio/pci: Remove interrupt context counter": beyond the range a removal and a
   * loopback do nothing, an eventfd on MSI fails in the middle of the block.
   */
  readonly strictRangeChecks: boolean;
  /**
   * INTx keeps one handler from enable to disable, and assigning an eventfd only swaps it. Linux
   * 6.9: 18c198c96a81 "vfio/pci: Create persistent INTx handler". Stable 6.1 has it too: both
   * recorded kernels install the handler for an enable with fd -1 (h13), so it is on in both.
   */
  readonly persistentIntxHandler: boolean;
  /**
   * An exclusive INTx line (no DisINTx) is requested with IRQF_NO_AUTOEN and then unmasked. Linux
   * 6.9: fe9a7082684e "vfio/pci: Disable auto-enable of exclusive INTx IRQ"; in stable 6.1 too.
   */
  readonly exclusiveIntxNoAutoEnable: boolean;
  /**
   * ERR and REQ: a negative eventfd other than -1 is ignored with result 0; later kernels answer
   * -EINVAL. Seen in recordings of both (h11); which commit changed it is not known to us.
   */
  readonly reqErrNegativeFdIsNoop: boolean;
  /** What the kernel calls an eventfd in its words about irq bypass; seen in the recordings. */
  readonly bypassToken: "token" | "eventfd";
  /** The PCI core tells of each reset of a function, before and after; seen in the recordings. */
  readonly tellsResets: boolean;
  /**
   * How many LPIs an ITS sets aside for a function, rounded up to a power of two, and when.
   * `request`: the vectors asked for, at each enable. `table`: for MSI-X the whole table, since
   * the ITS has MSI domains per device (Linux 6.11). `domain`: for MSI the whole capability too,
   * when the function's MSI domain is made; kept over disable and close until the function
   * changes between MSI and MSI-X or loses its driver (Linux 6.16, msi_teardown).
   */
  readonly itsBlocks: "request" | "table" | "domain";
}

export const LINUX_6_1: KernelProfile = {
  name: "linux-6.1",
  dynamicMsix: false,
  strictRangeChecks: true,
  persistentIntxHandler: true,
  exclusiveIntxNoAutoEnable: true,
  reqErrNegativeFdIsNoop: true,
  bypassToken: "token",
  tellsResets: false,
  itsBlocks: "request",
};

export const LINUX_6_12: KernelProfile = {
  name: "linux-6.12",
  dynamicMsix: true,
  strictRangeChecks: false,
  persistentIntxHandler: true,
  exclusiveIntxNoAutoEnable: true,
  reqErrNegativeFdIsNoop: false,
  bypassToken: "token",
  tellsResets: false,
  itsBlocks: "table",
};

export const LINUX_7_2: KernelProfile = {
  ...LINUX_6_12,
  name: "linux-7.2",
  bypassToken: "eventfd",
  tellsResets: true,
  itsBlocks: "domain",
};

const PROFILES: Readonly<Record<HostSpec["kernel"], KernelProfile>> = {
  "linux-6.1": LINUX_6_1,
  "linux-6.12": LINUX_6_12,
  "linux-7.2": LINUX_7_2,
};

export function kernelProfile(name: HostSpec["kernel"]): KernelProfile {
  return PROFILES[name];
}
