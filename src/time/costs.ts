/** What things cost in virtual time, in nanoseconds; each number with its source. */

/**
 * Orders of magnitude of a current x86 server; a scenario may replace any of them. They shape
 * virtual-engine latencies and never apply to the threads engine, which measures.
 */
export const DEFAULT_COSTS = {
  /** System call entry and exit with mitigations (lmbench null call on recent x86). */
  syscall: 150,
  /** pci_alloc_irq_vectors, per vector: msi_desc, irq_desc, domain hierarchy (kernel ftrace). */
  irqAlloc: 2_000,
  /** Giving one back. */
  irqFree: 1_500,
  /** VT-d interrupt entry cache flush through the invalidation queue, one round trip. */
  iecFlush: 1_000,
  /** request_irq: irqaction, vector activation, unmask. */
  requestIrq: 5_000,
  /** free_irq with synchronize_irq. */
  freeIrq: 4_000,
  /** eventfd file look-up and irqbypass registration. */
  eventfdGet: 300,
  /** A config space access over PCIe (non-posted round trip). */
  configAccess: 600,
  /** A trapped MMIO or BAR access through the VMM, exit included. */
  mmioExit: 2_500,
  /** Function level reset as the specification allows it: 100 ms. */
  deviceReset: 100_000_000,
  /** KVM_SET_GSI_ROUTING: SRCU synchronisation, fixed part. */
  kvmRouting: 30_000,
  /** KVM_SET_GSI_ROUTING: per irqfd already present. */
  kvmRoutingPerIrqfd: 50,
  /** Message write on the bus, remapping, IDT entry until vfio_msihandler. */
  irqEntry: 700,
  /** eventfd_signal with a waiter or irqfd to call. */
  eventfdSignal: 150,
  /** irqfd_wakeup to the bit in the virtual APIC. */
  irqfdInject: 200,
  /** Message write on the bus, posted remapping entry, atomic update of the descriptor: no CPU. */
  postedInterrupt: 500,
  /** Notification of a vCPU that runs and its look at the requests: an interrupt, but no exit. */
  postedNotification: 400,
  /** Kick of a vCPU that runs (posted notification or IPI). */
  vcpuKick: 1_000,
  /** Wake-up of a parked thread until it runs. */
  threadWake: 5_000,
  /** VMM main loop: poll return and handler of one eventfd. */
  vmmDispatch: 1_500,
  /** Injection through KVM_SIGNAL_MSI or an emulated APIC. */
  vmmInject: 1_000,
  /** Guest: IDT entry until the driver's handler. */
  guestIsrEntry: 500,
  /** Guest: the driver's handler and EOI. */
  guestIsr: 800,
} as const;

export type Costs = { readonly [K in keyof typeof DEFAULT_COSTS]: number };
