/** The table of trace points, named as Linux and QEMU name theirs; one line a point. */

export const TRACE_POINTS = [
  // Host kernel: drivers/vfio/pci
  "vfio_pci_open",
  "vfio_pci_release",
  "vfio_pci_set_irqs",
  "vfio_pci_reset",
  "vfio_msi_enable",
  "vfio_msi_disable",
  "vfio_intx_enable",
  "vfio_intx_disable",
  "vfio_pci_req_notify",
  // Host kernel: the IRQ pool
  "printk",
  "irq_matrix_alloc",
  "irq_matrix_free",
  "irte_alloc_failed",
  // Host kernel: KVM
  "kvm_irqfd_assign",
  "kvm_irqfd_deassign",
  "kvm_set_gsi_routing",
  // Host kernel: processes
  "process_attach",
  "process_exit",
  "hostile_request",
  // QEMU: hw/vfio/trace-events
  "vfio_msix_enable",
  "vfio_msix_disable",
  "vfio_msix_vector_do_use",
  "vfio_msix_vector_release",
  "vfio_msi_enable_qemu",
  "vfio_msi_disable_qemu",
  "vfio_intx_enable_qemu",
  "vfio_intx_disable_qemu",
  "vfio_intx_eoi",
  "vfio_pci_reset_qemu",
  "vfio_msix_fixup_error",
  // Guest
  "guest_power_on",
  "guest_firmware",
  "guest_kernel_boot",
  "guest_driver_probe",
  "guest_driver_remove",
  "guest_driver_error",
  "guest_mode",
  "guest_io_start",
  "guest_io_stop",
  "guest_cpu_offline",
  "guest_cpu_online",
  "guest_reboot",
  "guest_crash",
  "guest_reset",
  "guest_stopped",
  "guest_killed",
  "guest_spurious_vector",
] as const;

export type TracePoint = (typeof TRACE_POINTS)[number];
