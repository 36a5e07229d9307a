/** What the IRQ pool offers to drivers: the kernel's PCI/MSI and request_irq interfaces. */
import type { PciFunction } from "../../src/pci/function.ts";
import type { HoldingsReport, PoolInspection, PoolReport } from "../../src/run/contract.ts";
import type { Process } from "../../src/time/process.ts";
import type { ClientIrqs } from "./irq-desc.ts";
import type { PostedIrte } from "./posted-irte.ts";

/** A handler registered with request_irq. One object per irq, so that delivery stays cheap. */
export interface IrqAction {
  /** Runs in hard interrupt context; false is IRQ_NONE. */
  handleIrq(): boolean;
}

/** A PCI function as the pool knows it: its place, its lines, where lost interrupts are counted. */
export interface IrqClient {
  readonly fn: PciFunction;
  /** Linux's name of the device, "0000:00:04.0", for kernel messages. */
  readonly bdf: string;
  /**
   * Requester ID that the IOMMU sees its messages come from; default: its bdf. Devices behind one
   * PCIe-to-PCI bridge share the bridge's.
   */
  readonly requester?: string;
  /** IO-APIC pin of its INTx line, or -1 without a pin. Devices may share one. */
  readonly line: number;
  /** INTx was signalled to the driver above and has not been unmasked since. */
  intxInService: boolean;
  /** The VM process that it is for, by name. */
  readonly owner?: string | undefined;
  /** An MSI-X vector was to get a handler: whether there was no irq or CPU vector to be had. */
  refused?(vector: number, is: boolean): void;
  /** An MSI or MSI-X message of this vector reached no handler, or merged with a latched one. */
  lost(kind: "msi" | "msix", vector: number, how: "dropped-no-handler" | "coalesced-pba"): void;
  /**
   * Vectors whose irqs the driver above has at rest, and not only until it has done with the call
   * under way. Undefined: it does not tell; then all without a handler are.
   */
  idle?: { readonly size: number; has(vector: number): boolean };
  /** The pool's own: set on first use, so that delivery needs no look-up. Leave it alone. */
  irqState?: ClientIrqs;
}

/**
 * One machine's irq_domain hierarchy. Everything that takes time or can be interrupted is a
 * process; `message` and `wire` are the delivery path and are not.
 */
export interface IrqPool {
  /**
   * Asked before an allocation of `client` fails for want of entries: frees one that it could use,
   * or says false. Null: nobody has any to spare.
   */
  relief: ((client: IrqClient) => Process<boolean>) | null;
  /** Entries of the table that MSI-X of the function is served from; null: there is none. */
  room(client: IrqClient): { readonly free: number; readonly size: number } | null;
  /** What one of them gives back the other can have. */
  sharesTable(a: IrqClient, b: IrqClient): boolean;
  /** The function was found on the bus; called once, before anything else. */
  functionAdded(client: IrqClient): void;
  /**
   * pci_alloc_irq_vectors: count granted (max or fewer), or -ENOSPC, -ERANGE, -EINVAL; over a
   * GICv3 ITS -ENOMEM, or -ENODEV since Linux 6.16, instead of -ENOSPC.
   */
  pciAllocIrqVectors(
    client: IrqClient,
    min: number,
    max: number,
    kind: "msi" | "msix",
  ): Process<number>;
  /** pci_free_irq_vectors: everything the function holds; MSI or MSI-X is then off. */
  pciFreeIrqVectors(client: IrqClient): Process;
  /** The function's driver was unbound: what its MSI domain kept goes back (devres). */
  removeDeviceDomain(client: IrqClient): void;
  /** pci_msix_alloc_irq_at: 0, or -ENOSPC; -EINVAL where the domain is not able. */
  pciMsixAllocIrqAt(client: IrqClient, index: number): Process<number>;
  /** pci_msix_free_irq. */
  pciMsixFreeIrq(client: IrqClient, index: number): Process;
  /** True if vectors can be added while MSI-X is on (kernel and domain permitting). */
  readonly canAllocDynamically: boolean;
  /** True if this index has an irq (msi_get_virq != 0). */
  holds(client: IrqClient, index: number): boolean;
  /** Ascending indexes the function holds, and their kind: sysfs msi_irqs. */
  held(client: IrqClient): { kind: "msi" | "msix" | null; indexes: number[] };
  /** First Linux irq number of what the device's sysfs `irq` file shows. */
  irqFile(client: IrqClient): number;

  /** request_irq on an MSI or MSI-X vector: 0 or -ENOSPC (no CPU vector). Replays what latched. */
  requestIrq(client: IrqClient, index: number, action: IrqAction): Process<number>;
  /** free_irq: waits for running handlers; the irq stays allocated. */
  freeIrq(client: IrqClient, index: number): Process;

  /** irq_remapping_cap(IRQ_POSTING_CAP): remapping entries can post to a vCPU. */
  readonly canPost: boolean;
  /**
   * irq_set_vcpu_affinity: messages of an allocated irq are posted from now on, or (null) handled
   * by the host again; no message falls in between. 0, or -ENOSYS where nothing can post.
   */
  setVcpuAffinity(client: IrqClient, index: number, entry: PostedIrte | null): number;

  /** The line that a pin (0 is INTA) of a slot on the root bus is wired to. */
  intxLine(rootSlot: number, pin: number): number;
  /** pci_enable_device's acpi_register_gsi at open: 0 or -ENOMEM; counted per line. */
  openLine(client: IrqClient): Process<number>;
  closeLine(client: IrqClient): Process;
  /**
   * request_irq on the INTx line; `shared` is IRQF_SHARED, `autoEnable` false is IRQF_NO_AUTOEN
   * (enableLine then starts it). 0, -EBUSY, -ENOSPC, or -ENODEV where the line is not open.
   */
  requestLine(
    client: IrqClient,
    action: IrqAction,
    shared: boolean,
    autoEnable?: boolean,
  ): Process<number>;
  freeLine(client: IrqClient, action: IrqAction): Process;
  /** disable_irq_nosync and enable_irq on the line (devices without DisINTx). */
  disableLine(client: IrqClient): void;
  enableLine(client: IrqClient): void;

  /** Delivery: a message left the function. */
  message(client: IrqClient, kind: "msi" | "msix", vector: number): void;
  /** Delivery: the function's INTx output changed. */
  wire(client: IrqClient, asserted: boolean): void;

  /** Messages latched in an irq (IRQS_PENDING) and not replayed: for the ledger at the end. */
  latched(client: IrqClient, kind: "msi" | "msix", vector: number): boolean;
  report(): PoolReport;
  /** What each function held over time, and what failed for want of entries or vectors. */
  holdings(): HoldingsReport;
  /** For recorders: see PoolInspection. */
  inspect(): PoolInspection;
}
