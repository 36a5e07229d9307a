/** GSI routes of a VMM that leaves IOAPIC and PICs to the kernel: legacy pins, then messages. */
import { ENOSPC } from "../../../src/base/errno.ts";
import type { Process } from "../../../src/time/process.ts";
import type { KvmRoute } from "../../../src/uapi/kvm.ts";
import { IOAPIC_PINS, type KvmClient } from "./kvm-client.ts";

/** KVM_IRQCHIP_*: the two 8259s and the IOAPIC. */
const PIC_MASTER = 0;
const PIC_SLAVE = 1;
const IOAPIC = 2;
const PIC_PINS = 8;

export interface Message {
  readonly addressLo: number;
  readonly addressHi: number;
  readonly data: number;
}

/** kvm_setup_default_irq_routing: GSI n is pin n, of both controllers where both have it. */
function legacyRoutes(): KvmRoute[] {
  const routes: KvmRoute[] = [];
  for (let gsi = 0; gsi < IOAPIC_PINS; gsi++) {
    const irqchip = gsi < PIC_PINS ? PIC_MASTER : PIC_SLAVE;
    if (gsi < 2 * PIC_PINS) routes.push({ gsi, type: "irqchip", irqchip, pin: gsi % PIC_PINS });
    routes.push({ gsi, type: "irqchip", irqchip: IOAPIC, pin: gsi });
  }
  return routes;
}

export class MsiRoutes {
  readonly #kvm: KvmClient;
  readonly #legacy = legacyRoutes();
  readonly #messages = new Map<number, KvmRoute>();
  readonly #used = new Set<number>();
  /** One more than the highest GSI the VMM gives out. */
  readonly #end: number;

  constructor(kvm: KvmClient, end: number) {
    this.#kvm = kvm;
    this.#end = end;
  }

  /** The lowest free GSI behind the pins, or -ENOSPC. It has no route yet. */
  allocate(): number {
    let gsi = IOAPIC_PINS;
    while (this.#used.has(gsi)) gsi++;
    if (gsi >= this.#end) return -ENOSPC;
    this.#used.add(gsi);
    return gsi;
  }

  /** Sets a GSI's message and tells KVM the whole table: 0 or a negative errno. */
  *set(gsi: number, message: Message): Process<number> {
    const { addressLo, addressHi, data } = message;
    this.#messages.set(gsi, { gsi, type: "msi", addressLo, addressHi, data });
    return yield* this.#kvm.setRouting([...this.#legacy, ...this.#messages.values()]);
  }

  /** The GSI is free; KVM keeps its route until the next one is set. */
  release(gsi: number): void {
    this.#messages.delete(gsi);
    this.#used.delete(gsi);
  }
}
