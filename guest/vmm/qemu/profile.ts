/**
 * How QEMU machines differ, all in one place: by version (hw/vfio/pci.c), by kernel-irqchip, by
 * x-no-kvm-*, and by the vIOMMU. Each difference says where it is known from.
 */
import type { GuestSpec, QemuVersion as QemuRelease } from "../../../src/scenario/types.ts";

/** What a version of QEMU does in its own way. */
export interface QemuVersion {
  readonly version: QemuRelease;
  /**
   * Asks for MSI-X's NORESIZE flag and, where it is clear, adds vectors to an enabled MSI-X one by
   * one (since 8.2). Recordings: 7.2 asks nothing and regrows, 10.0 and 11.1 ask.
   */
  readonly dynamicMsix: boolean;
  /**
   * MSI-X on with no live entry: `fd -1` on vector 0 has the kernel turn MSI-X on with no trigger
   * (since 8.0); before that (`use-vector-0`) QEMU used vector 0 and released it at once.
   * Recordings: 7.2 `MSIX 0 0` (EINVAL), `MSIX 0 1 [u0]`; 10.0 and 11.1 `MSIX 0 1 [-1]`.
   */
  readonly emptyEnable: "fd-none" | "use-vector-0";
  /**
   * GSI of the INTx irqfd at power-on; null: the one the chipset's reset state leads to.
   * Recordings: 7.2 has one reroute less; 10.0 and 11.1 begin at GSI 0 (`0 -> 21`).
   */
  readonly realizeGsi: number | null;
}

/** kernel-irqchip=on, split or off, and what follows from it. */
export interface IrqchipProfile {
  readonly kind: NonNullable<GuestSpec["irqchip"]>;
  /** There is a /dev/kvm. Recording tcg: with none QEMU reads every eventfd, as with nobypass. */
  readonly hasKvm: boolean;
  /**
   * The kernel has the IOAPIC and both PICs: 38 legacy routes, irqfds take a resample eventfd and
   * EOIs stay in the kernel. Recording kvmsplit: without it 24 routes of messages, one a pin, and
   * the INTx irqfd has no resample eventfd.
   */
  readonly hasKernelIoapic: boolean;
}

/** Which interrupts go past QEMU through irqfds: x-no-kvm-intx, x-no-kvm-msi, x-no-kvm-msix off. */
export interface KvmBypass {
  readonly intx: boolean;
  readonly msi: boolean;
  readonly msix: boolean;
}

export interface QemuProfile extends QemuVersion {
  readonly irqchip: IrqchipProfile;
  /** Recording nobypass: without it there are no irqfds, and masking a vector asks for nothing. */
  readonly bypass: KvmBypass;
  /**
   * intel-iommu with intremap=on: messages go through the guest's own remapping table. Findings of
   * the recordings: an affinity change is a new route and no SET_IRQS; of a multi-vector MSI only
   * the messages that have an entry in the table get a route.
   */
  readonly intremap: boolean;
  /**
   * Where several vectors come on at once, KVM hears of their routes in one call (commit dc580d51f7
   * "vfio: defer to commit kvm irq routing when enable msi/msix", 6.2); before that of each.
   */
  readonly defersRoutes: boolean;
}

const MODERN = { dynamicMsix: true, emptyEnable: "fd-none", realizeGsi: 0 } as const;

const VERSIONS: Readonly<Record<QemuRelease, QemuVersion>> = {
  "7.2": {
    version: "7.2",
    dynamicMsix: false,
    emptyEnable: "use-vector-0",
    realizeGsi: null,
  },
  "10.0": { version: "10.0", ...MODERN },
  // Recordings: the same calls as 10.0's, one by one.
  "11.1": { version: "11.1", ...MODERN },
};

const IRQCHIPS: Readonly<Record<IrqchipProfile["kind"], IrqchipProfile>> = {
  full: { kind: "full", hasKvm: true, hasKernelIoapic: true },
  split: { kind: "split", hasKvm: true, hasKernelIoapic: false },
  none: { kind: "none", hasKvm: false, hasKernelIoapic: false },
};

const ALL: KvmBypass = { intx: true, msi: true, msix: true };
const NONE: KvmBypass = { intx: false, msi: false, msix: false };

/** The QEMU that a guest is to run on. */
export function qemuProfile(spec: GuestSpec): QemuProfile {
  const bypass = spec.path === "userspace" ? NONE : ALL;
  const kind = spec.irqchip ?? (bypass.msix ? "full" : "none");
  return {
    ...VERSIONS[spec.vmmVersion as QemuRelease],
    irqchip: IRQCHIPS[kind],
    bypass,
    intremap: spec.intremap ?? false,
    defersRoutes: spec.defersRoutes ?? true,
  };
}
