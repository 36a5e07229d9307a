/** Counters of a guest's report that stand for something its VMM was refused and only logged. */

/** Vectors or whole grants: the guest sees success and waits for interrupts. */
const REFUSED: readonly string[] = [
  "msix_errors",
  "msi_errors",
  "short_grants_taken_for_success",
  "failed_to_set_irqs",
  "missing_notifier",
];

/** Routes and irqfds that KVM, or the VMM's own table of them, had no room for. */
const UNROUTED: readonly string[] = [
  "failed_updating_vector",
  "msix_enable_one_errors",
  "add_msi_route_errors",
  "kvm_irqfd_assign_failed",
];

type Counters = Readonly<Record<string, number>>;

function sum(counters: Counters, names: readonly string[]): number {
  return names.reduce((total, name) => total + (counters[name] ?? 0), 0);
}

/** How often the host refused vectors. */
export function refusalsOf(counters: Counters): number {
  return sum(counters, REFUSED);
}

/** How often a vector got no route into the guest. */
export function unroutedOf(counters: Counters): number {
  return sum(counters, UNROUTED);
}
