/** How QEMU versions differ in hw/vfio/pci.c, as recordings of 7.2.22, 10.0.13 and 11.1.2 show. */
import type { GuestSpec } from "../../../src/scenario/types.ts";

export interface QemuProfile {
  readonly version: GuestSpec["vmmVersion"];
  /** Asks for MSI-X's NORESIZE flag and, where it is clear, adds vectors to an enabled MSI-X. */
  readonly dynamicMsix: boolean;
  /**
   * MSI-X on with no live entry: `fd -1` on vector 0 has the kernel turn MSI-X on with no trigger;
   * before that (`use-vector-0`) QEMU used vector 0 and released it at once.
   */
  readonly emptyEnable: "fd-none" | "use-vector-0";
  /** GSI of the INTx irqfd at power-on; null: the one the chipset's reset state leads to. */
  readonly realizeGsi: number | null;
}

const MODERN = { dynamicMsix: true, emptyEnable: "fd-none", realizeGsi: 0 } as const;

export const QEMU_PROFILES: Readonly<Record<GuestSpec["vmmVersion"], QemuProfile>> = {
  "7.2": {
    version: "7.2",
    dynamicMsix: false,
    emptyEnable: "use-vector-0",
    realizeGsi: null,
  },
  "10.0": { version: "10.0", ...MODERN },
  "11.1": { version: "11.1", ...MODERN },
};
