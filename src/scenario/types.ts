/** A scenario after validation: plain data, cheap to send to workers. Times in ns, rates in 1/s. */

/** What the host's own devices hold before any VM starts. */
export interface BootUse {
  /** Entries of the shared table (remapping, LPIs, SPIs): IO-APIC pins and the ports' own MSI. */
  readonly irtes: number;
  /** Linux irq numbers: on x86 those above the IO-APIC's. */
  readonly irqs: number;
  /** CPU vectors. */
  readonly vectors: number;
  /** Irqs that have no CPU vector yet but may ask for one. */
  readonly reservations: number;
  /** INTx lines (IO-APIC pins) that the ports hold open; their entries are among `irtes`. */
  readonly lines: readonly number[];
  /** arm64: Linux irq numbers of the four INTx lines; default: as recorded. */
  readonly lineIrqs?: readonly number[];
}

/** x86 with VT-d, AMD-Vi or no remapping; QEMU's arm64 virt machine with an ITS or a GICv2m. */
export type Platform = "x86-vtd" | "x86-amd" | "x86-flat" | "arm64-its" | "arm64-v2m";

/**
 * Real bugs of the kernels modelled, that are there unless a host has them fixed.
 * `its-msi-frees-part`: events of a multi-MSI block are marked rounded up to a power of two and
 * freed one by one, so that 3, 5, 6, 7 or 9..15 MSI leave the function's block taken for ever.
 * `its-prepare-marks-shared`: a second preparation for the same function, as the retry after a
 * short multi-MSI makes, takes it for an aliased one, which is never given back.
 */
export type KernelBug = "its-msi-frees-part" | "its-prepare-marks-shared";

/**
 * Bugs that the modelled kernels have not: a host has them only if it is told to, to show that the
 * checks find them. `msi-unwind-unsigned`: V3 of "vfio/pci: Support dynamic MSI-X" counted vectors
 * unsigned in the loop by which vfio_msi_set_block takes a failed block back; from vector 0 it
 * never ends. `intx-set-signal`: before 18c198c96a81 (6.9, in stable trees since)
 * vfio_intx_set_signal freed the handler with the old eventfd and left none while it looked the
 * new one up, though an unmask may signal meanwhile (810cd4bb5345 locks other ways to it).
 */
export type PatchBug = "msi-unwind-unsigned" | "intx-set-signal";

/** `bounded` of host/vfio/retention: what is left out does not limit. */
export interface BoundedRetention {
  readonly policy: "bounded";
  /** Idle irqs a device may keep. */
  readonly cap?: number;
  readonly idleTimeoutNs?: number;
  /** Idle irqs are taken for a device whose allocation would fail. */
  readonly reclaim: boolean;
  /** And while less than this share of the table is free. */
  readonly watermark?: number;
}

/** A policy that the user brings. */
export interface OwnRetention {
  readonly policy: "own";
  /** As the scenario has it. */
  readonly name: string;
  /** file: where it is imported from, or `own:NAME` for one that the program passes. */
  readonly url: string;
}

/** When an irq without an eventfd goes back to the pool: see host/vfio/retention. */
export type RetentionSpec =
  | "cache"
  | "free-on-teardown"
  | "free-on-unset"
  | "free-dynamic"
  | BoundedRetention
  | OwnRetention;

export interface HostTimelineEntry {
  readonly at: number;
  /** The device is taken from vfio-pci, whose user is asked to let go (REQ), or given back. */
  readonly do: "unbind" | "bind";
  readonly device: string;
}

export interface HostSpec {
  readonly kernel: "linux-6.1" | "linux-6.12" | "linux-7.2";
  readonly platform: Platform;
  /** CPUs of the modelled host: each has its own vector space. */
  readonly cpus: number;
  /** Entries of an interrupt remapping table: VT-d has one for all, AMD-Vi one a device. */
  readonly irtes: number;
  /** LPIs of the ITS; default: as many as the kernel ever uses. */
  readonly lpis?: number;
  /** Vectors each CPU has for devices (x86). */
  readonly vectorsPerCpu: number;
  /** Of all devices that have none of their own. */
  readonly retention: RetentionSpec;
  /** vfio-pci's module parameter: treat every device as if it had no DisINTx. */
  readonly nointxmask: boolean;
  /** Bugs of the kernel that this host does not have. */
  readonly fixed?: readonly KernelBug[];
  /** Bugs of patches that this host has. */
  readonly bugs?: readonly PatchBug[];
  /** Default: RECORDED_BOOT_USE of host/irq/platform.ts. */
  readonly boot?: BootUse;
  /** What the host's administrator does to devices, in order of time. */
  readonly timeline?: readonly HostTimelineEntry[];
}

/** Where a device sits; default: in the next free slot of the root bus. */
export interface DevicePlace {
  /** As Linux names it: 0000:00:04.0. */
  readonly bdf: string;
  /** Slot on the root bus that its INTx arrives in: its own, or that of the port before it. */
  readonly rootSlot: number;
}

/**
 * A function as a recording shows it: config space, ways to interrupt and to be reset, but no
 * registers of its own. Offsets are those of the capabilities.
 */
export interface RecordedFunction {
  /** INTA to INTD, or 0. */
  readonly interruptPin: number;
  /** Memory BARs, sizes in bytes. */
  readonly bars: readonly { readonly index: number; readonly size: number }[];
  readonly msi: {
    readonly offset: number;
    readonly vectors: number;
    readonly a64: boolean;
    readonly perVectorMask: boolean;
  } | null;
  readonly msix: {
    readonly offset: number;
    readonly vectors: number;
    readonly table: { readonly bar: number; readonly offset: number };
    readonly pba: { readonly bar: number; readonly offset: number };
  } | null;
  readonly express: { readonly offset: number; readonly flr: boolean } | null;
  /** Offset of a PM capability; the function loses its state in D3hot. */
  readonly pm: number | null;
  /** It is alone on its bus, whose reset is its own. */
  readonly busReset: boolean;
  /** What a reset of its bus by VFIO_DEVICE_PCI_HOT_RESET gives; absent: it is on a root bus. */
  readonly hotReset?: number;
  /** Functions on that bus, itself among them; default: it is alone. */
  readonly busFunctions?: number;
  /** Where somebody outside asserts its INTx by writing 1, and takes it back by writing 0. */
  readonly intxRegister: { readonly bar: number; readonly offset: number };
}

export interface DeviceSpec {
  readonly name: string;
  readonly model:
    | "nvme"
    | "edu"
    | "nic"
    | "idxd"
    | "ice-vf"
    | "e1000e"
    | "rocker"
    | "nec-usb-xhci"
    | "virtio-net";
  /** MSI-X table size, 0 for none. */
  readonly msixVectors: number;
  /** MSI vectors the capability offers, 0 for none. */
  readonly msiVectors: number;
  /** Of a nic: how far apart interrupts of one vector are at least, ns; default: 0. */
  readonly moderationNs?: number;
  /** It has a built-in self test, by which it resets itself and nobody in the host knows. */
  readonly bist?: boolean;
  /** A PCIe-to-PCI bridge before it, by name: the IOMMU cannot tell devices behind it apart. */
  readonly bridge?: string;
  /** In place of the host's, as a device's attribute overrides a module's parameter. */
  readonly retention?: RetentionSpec;
  readonly place?: DevicePlace;
  /** In place of the model's own function; only recordings of other machines have it. */
  readonly recorded?: RecordedFunction;
}

export interface WorkloadSpec {
  /**
   * `poisson` and `fixed`: the device raises by itself, open loop, at `rate`; `closed`: the guest
   * rings doorbells and waits for each completion, `depth` under way; `none`: nothing.
   */
  readonly arrivals: "poisson" | "fixed" | "closed" | "none";
  /** Interrupts a second, for each queue or for the whole device as `per` says. */
  readonly rate: number;
  readonly per: "queue" | "device";
  /** Commands under way on each queue (closed loop). */
  readonly depth: number;
  /** Every so often, from when the load begins, the rate is another one for a while (open loop). */
  readonly storm?: StormSpec;
}

/** Times in ns; the rate is counted as the workload's own is. */
export interface StormSpec {
  readonly every: number;
  readonly for: number;
  readonly rate: number;
}

export type TimelineAction =
  | "boot"
  | "reboot"
  | "reset"
  | "crash"
  | "shutdown"
  | "kill"
  | "unbind"
  | "bind"
  | "mode"
  | "cpu-offline"
  | "cpu-online"
  | "io-start"
  | "io-stop"
  /** `ip link set up` and `down`, `ethtool -L`, `ethtool -t offline` of network functions. */
  | "link-up"
  | "link-down"
  | "ethtool-l"
  | "self-test"
  /** A vector goes to other vCPUs, with its next interrupt. */
  | "set-affinity"
  /** A work queue of each idxd is enabled, with an interrupt of its own, or disabled. */
  | "wq-enable"
  | "wq-disable"
  /** The RDMA driver of each ice-vf comes, with vectors beside the network's, or goes. */
  | "rdma-up"
  | "rdma-down"
  /** Another kernel starts in this one's place: after drivers are shut down, or after a panic. */
  | "kexec"
  | "crash-kexec"
  /** Suspend to idle: devices sleep, the machine keeps what it has. */
  | "suspend"
  | "resume"
  /** Config space by hand: MSI on while MSI-X is on, then both off. */
  | "msi-over-msix"
  /** Config space by hand: a device's self test, and its command register as it was. */
  | "bist"
  /** The VMM gives INTx another eventfd while it is on. */
  | "intx-swap"
  /** The guest has been migrated: QEMU sets its devices up as they were, while it does not run. */
  | "migrate"
  /** The VM process does not run for a while, as when the host has no core for it. */
  | "stall"
  /** The VM process writes slots into its ring that hold no message. */
  | "corrupt";

export interface TimelineEntry {
  readonly at: number;
  readonly do: TimelineAction;
  /**
   * `mode`: the interrupt mode the driver is bound with from now on; `crash-kexec`: the one the
   * crash kernel uses, INTx if it is left out.
   */
  readonly to?: "intx" | "msi" | "msix";
  /** `cpu-offline`, `cpu-online`. */
  readonly cpu?: number;
  /** `ethtool-l`: queues of each network function. */
  readonly channels?: number;
  /** `rdma-up`: how many it takes, as far as the table has them. */
  readonly vectors?: number;
  /** `set-affinity`: which vector of each device, and the vCPUs it may go to. */
  readonly vector?: number;
  readonly cpus?: readonly number[];
  /** `wq-enable`, `wq-disable`: which one. */
  readonly queue?: number;
  /** `stall`: how long, ns. */
  readonly for?: number;
  /** `corrupt`: how many slots. */
  readonly slots?: number;
}

/** What uses vfio on behalf of a guest; `dpdk` is a driver with no guest. See guest/vmm. */
export type VmmName = "qemu" | "cloud-hypervisor" | "crosvm" | "dpdk" | "minimal";

/** 7.2 regrows, 10.0 and 11.1 grow by the vector where the kernel can. */
export type QemuVersion = "7.2" | "10.0" | "11.1";

/** 51.0 gives every vector a GSI at once, 52.0 at its first use, main sends KVM longer tables. */
export type CloudHypervisorVersion = "51.0" | "52.0" | "main";

/** 2.6.18 masks an MSI-X vector at each of its interrupts. */
export type GuestKernelName = "linux-2.6.18" | "linux-6.1" | "linux-6.12";

export interface GuestSpec {
  readonly name: string;
  readonly vmm: VmmName;
  /** Which QEMU or cloud-hypervisor; the others have one way (`main`). */
  readonly vmmVersion: QemuVersion | CloudHypervisorVersion;
  readonly vcpus: number;
  readonly devices: readonly string[];
  readonly driver: "nvme" | "edu" | "nic" | "idxd" | "ice-vf";
  /**
   * `irqfd`: KVM injects; `posted`: the IOMMU posts to a vCPU what KVM lets it, and KVM injects the
   * rest; `userspace`: QEMU reads every eventfd and injects itself.
   */
  readonly path: "irqfd" | "posted" | "userspace";
  /**
   * `split`: KVM has the local APICs only, the IOAPIC is the VMM's; `none`: no KVM at all. Default:
   * `full` with irqfds, else `none`; `full` or `split` without irqfds is x-no-kvm-*=on.
   */
  readonly irqchip?: "full" | "split" | "none";
  /** The guest has a vIOMMU and remaps interrupts by it. */
  readonly intremap?: boolean;
  /** QEMU tells KVM of routes that come together in one call; default: true, as since 6.2. */
  readonly defersRoutes?: boolean;
  /** What the guest runs; default: linux-6.12. */
  readonly kernel?: GuestKernelName;
  /** Modes in which firmware, and then a boot loader, drive the devices before the kernel does. */
  readonly firmware?: readonly ("intx" | "msi")[];
  readonly workload: WorkloadSpec;
  readonly timeline: readonly TimelineEntry[];
}

export interface RunSpec {
  readonly wait: "spin" | "park" | "adaptive";
  /** Stamp every stage, or only raised and ISR. */
  readonly stages: "full" | "ends";
  /** Wall-clock limit, ns: the run ends with a partial result. */
  readonly limit: number;
  /** What is raised in the first so many ns is no latency sample; default: 0. */
  readonly warmupNs?: number;
  /** The first latency beyond so many ns ends the run, which keeps what came before it. */
  readonly breakOnNs?: number;
}

export interface Scenario {
  readonly name: string;
  readonly seed: number;
  readonly host: HostSpec;
  readonly devices: readonly DeviceSpec[];
  readonly guests: readonly GuestSpec[];
  readonly duration: number;
  readonly run: RunSpec;
  readonly costs: Readonly<Record<string, number>>;
  /** `lost == 0`, `latency.p99 < 20 * floor.p50`: checked at the end, decide the exit code. */
  readonly expect: readonly string[];
}
