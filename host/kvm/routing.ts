/** KVM's GSI routing table (virt/kvm/irqchip.c): replaced as a whole by KVM_SET_GSI_ROUTING. */
import { EINVAL } from "../../src/base/errno.ts";
import { KVM_MAX_IRQ_ROUTES, type KvmRoute } from "../../src/uapi/kvm.ts";
import { IOAPIC_NUM_PINS } from "./ioapic.ts";

/** KVM_IRQCHIP_IOAPIC; 0 and 1 are the two PICs, which no vfio interrupt goes through. */
const KVM_IRQCHIP_IOAPIC = 2;

/** Where a GSI leads: one MSI message, or a pin of the IOAPIC; PIC pins are left out. */
export type GsiTarget =
  | {
      readonly kind: "msi";
      readonly vcpu: number;
      readonly vector: number;
      /** It names one vCPU, and is an interrupt that may be posted. */
      readonly single: boolean;
    }
  | { readonly kind: "ioapic"; readonly pin: number };

/** Address bit 2: the destination is a set of logical IDs. */
const LOGICAL_DESTINATION = 1 << 2;
const BROADCAST = 0xff;
/** Data bits 10:8: fixed is 0, lowest priority 1; SMI, NMI, INIT and ExtINT are above. */
const LOWEST_PRIORITY = 1;

/**
 * kvm_set_msi_irq: destination ID is address bits 19:12, vector is data bits 7:0. With a logical
 * destination one or several vCPUs may be meant; it counts as several.
 */
export function msiTarget(addressLo: number, data: number): GsiTarget {
  const vcpu = (addressLo >>> 12) & 0xff;
  const isInterrupt = ((data >>> 8) & 7) <= LOWEST_PRIORITY;
  const single = isInterrupt && (addressLo & LOGICAL_DESTINATION) === 0 && vcpu !== BROADCAST;
  return { kind: "msi", vcpu, vector: data & 0xff, single };
}

export class GsiRouting {
  #targets: ReadonlyMap<number, GsiTarget> = defaultTargets();
  /** False with a split irqchip: there are no pins to lead to. */
  #hasChips = true;

  /** kvm_setup_empty_irq_routing, for a split irqchip. */
  split(): void {
    this.#targets = new Map();
    this.#hasChips = false;
  }

  target(gsi: number): GsiTarget | null {
    return this.#targets.get(gsi) ?? null;
  }

  /** The GSIs that lead to an IOAPIC pin. */
  gsisOfPin(pin: number): number[] {
    const gsis: number[] = [];
    for (const [gsi, target] of this.#targets) {
      if (target.kind === "ioapic" && target.pin === pin) gsis.push(gsi);
    }
    return gsis;
  }

  /**
   * setup_routing_entry for each route: 0, or -EINVAL and the old table stays. An MSI route is
   * the only one of its GSI; irqchip routes may not name the same chip twice.
   */
  replace(routes: readonly KvmRoute[]): number {
    const targets = new Map<number, GsiTarget>();
    const seen = new Map<number, Set<number | "msi">>();
    for (const route of routes) {
      if (route.gsi >= KVM_MAX_IRQ_ROUTES) return -EINVAL;
      const kinds = seen.get(route.gsi) ?? new Set();
      const kind = route.type === "msi" ? "msi" : route.irqchip;
      if (kinds.has("msi") || kinds.has(kind) || (kind === "msi" && kinds.size > 0)) return -EINVAL;
      seen.set(route.gsi, kinds.add(kind));
      if (route.type === "irqchip" && !this.#hasChips) return -EINVAL;
      if (route.type === "msi") targets.set(route.gsi, msiTarget(route.addressLo, route.data));
      else if (route.irqchip > KVM_IRQCHIP_IOAPIC) return -EINVAL;
      else if (route.irqchip === KVM_IRQCHIP_IOAPIC) {
        if (route.pin >= IOAPIC_NUM_PINS) return -EINVAL;
        targets.set(route.gsi, { kind: "ioapic", pin: route.pin });
      }
    }
    this.#targets = targets;
    return 0;
  }
}

/** kvm_setup_default_irq_routing: GSI n is pin n. */
function defaultTargets(): Map<number, GsiTarget> {
  const targets = new Map<number, GsiTarget>();
  for (let pin = 0; pin < IOAPIC_NUM_PINS; pin++) targets.set(pin, { kind: "ioapic", pin });
  return targets;
}
