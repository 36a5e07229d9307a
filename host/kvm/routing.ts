/** KVM's GSI routing table (virt/kvm/irqchip.c): replaced as a whole by KVM_SET_GSI_ROUTING. */
import { EINVAL } from "../../src/base/errno.ts";
import { KVM_MAX_IRQ_ROUTES, type KvmRoute } from "../../src/uapi/kvm.ts";
import { IOAPIC_NUM_PINS } from "./ioapic.ts";

/** KVM_IRQCHIP_IOAPIC; 0 and 1 are the two PICs, which no vfio interrupt goes through. */
const KVM_IRQCHIP_IOAPIC = 2;
/** A bit for each chip. */
const ALL_CHIPS = (1 << (KVM_IRQCHIP_IOAPIC + 1)) - 1;

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
  /** By GSI, as far as the highest that has a route. */
  #targets: readonly (GsiTarget | null)[] = defaultTargets();
  /** False with a split irqchip: there are no pins to lead to. */
  #hasChips = true;

  /** kvm_setup_empty_irq_routing, for a split irqchip. */
  split(): void {
    this.#targets = [];
    this.#hasChips = false;
  }

  target(gsi: number): GsiTarget | null {
    return this.#targets[gsi] ?? null;
  }

  /** The GSIs that lead to an IOAPIC pin. */
  gsisOfPin(pin: number): number[] {
    const gsis: number[] = [];
    for (let gsi = 0; gsi < this.#targets.length; gsi++) {
      const target = this.#targets[gsi];
      if (target?.kind === "ioapic" && target.pin === pin) gsis.push(gsi);
    }
    return gsis;
  }

  /**
   * setup_routing_entry for each route: 0, or -EINVAL and the old table stays. An MSI route is
   * the only one of its GSI; irqchip routes may not name the same chip twice.
   */
  replace(routes: readonly KvmRoute[]): number {
    let end = 0;
    for (const { gsi } of routes) end = Math.max(end, gsi + 1);
    if (end > KVM_MAX_IRQ_ROUTES) return -EINVAL;
    const targets = new Array<GsiTarget | null>(end).fill(null);
    /** Of each GSI: the chips that routes name, or ALL_CHIPS for a message. */
    const seen = new Uint8Array(end);
    for (const route of routes) {
      const { gsi } = route;
      if (route.type === "irqchip" && !(this.#hasChips && hasPin(route))) return -EINVAL;
      const chips = route.type === "msi" ? ALL_CHIPS : 1 << route.irqchip;
      if ((seen[gsi]! & chips) !== 0) return -EINVAL;
      seen[gsi]! |= chips;
      if (route.type === "msi") targets[gsi] = msiTarget(route.addressLo, route.data);
      else if (route.irqchip === KVM_IRQCHIP_IOAPIC) {
        targets[gsi] = { kind: "ioapic", pin: route.pin };
      }
    }
    this.#targets = targets;
    return 0;
  }
}

/** There is such a chip, and of the IOAPIC such a pin. */
function hasPin({ irqchip, pin }: KvmRoute & { readonly type: "irqchip" }): boolean {
  return irqchip < KVM_IRQCHIP_IOAPIC || (irqchip === KVM_IRQCHIP_IOAPIC && pin < IOAPIC_NUM_PINS);
}

/** kvm_setup_default_irq_routing: GSI n is pin n. */
function defaultTargets(): GsiTarget[] {
  return Array.from({ length: IOAPIC_NUM_PINS }, (_, pin) => ({ kind: "ioapic", pin }));
}
