/**
 * Whose interrupts KVM lets the IOMMU post (vmx_pi_update_irte in arch/x86/kvm/vmx/posted_intr.c,
 * kvm_arch_irq_bypass_add_producer in arch/x86/kvm): those of MSI routes to a single vCPU.
 *
 * AMD's AVIC differs, and is not modelled: its IOMMU sets the request in the vCPU's virtual APIC
 * page itself, rings a doorbell only if the entry says that the vCPU runs, and logs (GALOG) what
 * came for one that does not; there is no ON and no SN to race with.
 */
import type { MachineEnv } from "../../src/run/contract.ts";
import type { HostPort } from "../../src/shm/border.ts";
import type { VcpuInfo } from "../irq/posted-irte.ts";
import type { BypassProducer, IrqBypass } from "./bypass.ts";
import type { Irqfd } from "./irqfd.ts";
import type { GsiTarget } from "./routing.ts";

/** Vectors 0 to 15 are illegal in an interrupt message (SDM vol. 3, 11.5.2). */
const FIRST_VECTOR = 16;

type MsiTarget = GsiTarget & { readonly kind: "msi" };

/** The posting side of one VM; a VM whose host cannot post has none (kvm_arch_has_irq_bypass). */
export class PostedInterrupts {
  readonly #env: MachineEnv;
  readonly #port: HostPort;
  readonly #bypass: IrqBypass;

  constructor(env: MachineEnv, port: HostPort, bypass: IrqBypass) {
    this.#env = env;
    this.#port = port;
    this.#bypass = bypass;
  }

  /** The last step of kvm_irqfd_assign. Without bypass interrupts still arrive: it is only told. */
  assigned(irqfd: Irqfd): void {
    const result = this.#bypass.registerConsumer(irqfd);
    if (result === 0) return;
    const consumer = `irq bypass consumer (token ${irqfd.ctx.slot})`;
    this.#env.tracer.emit("printk", { text: `kvm: ${consumer} registration fails: ${result}` });
  }

  /** irqfd_shutdown, before the eventfd is let go of. */
  shutdown(irqfd: Irqfd): void {
    this.#bypass.unregisterConsumer(irqfd);
  }

  /** kvm_irq_routing_update: the route of an irqfd that has met its producer is a new one. */
  rerouted(irqfd: Irqfd, old: GsiTarget | null): void {
    const { producer, target } = irqfd;
    if (producer !== null && isChanged(old, target)) this.update(irqfd, producer, true);
  }

  /**
   * vmx_pi_update_irte: posted if `set` and the route allows it, else remapped; 0 or a negative
   * errno. As since the fix of 2025 (9bcac97dc42d, in all stable trees): a route that can no
   * longer be posted takes the entry back to the host.
   */
  update(irqfd: Irqfd, producer: BypassProducer, set: boolean): number {
    const target = this.#postable(irqfd.target);
    if (target === null) return producer.setVcpuAffinity(null);
    const { vcpu, vector } = target;
    const gsi = irqfd.gsi;
    this.#env.tracer.emit("kvm_pi_irte_update", { vcpu, gsi, gvec: vector, set: set ? 1 : 0 });
    return producer.setVcpuAffinity(set ? this.#vcpuInfo(target) : null);
  }

  #vcpuInfo({ vcpu, vector }: MsiTarget): VcpuInfo {
    const { posted, wakeGuest } = this.#port;
    return { descriptors: posted, vcpu, vector, notify: wakeGuest };
  }

  /** kvm_intr_is_single_vcpu and kvm_irq_is_postable; routes of pins are never posted. */
  #postable(target: GsiTarget | null): MsiTarget | null {
    if (target?.kind !== "msi" || !target.single) return null;
    const exists = target.vcpu < this.#port.shape.vcpus && target.vector >= FIRST_VECTOR;
    return exists ? target : null;
  }
}

/** kvm_arch_irqfd_route_changed: types and messages are compared. */
function isChanged(old: GsiTarget | null, now: GsiTarget | null): boolean {
  if (old?.kind !== "msi" || now?.kind !== "msi") return true;
  return old.vcpu !== now.vcpu || old.vector !== now.vector || old.single !== now.single;
}
