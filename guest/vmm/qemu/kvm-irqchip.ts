/** QEMU's side of KVM's in-kernel irqchip: GSI routes and irqfds (accel/kvm/kvm-all.c). */
import { ENOSPC } from "../../../src/base/errno.ts";
import type { Process } from "../../../src/time/process.ts";
import {
  encodeEnableCap,
  encodeIoapic,
  encodeIrqfd,
  encodeRouting,
  KVM_CAP_SPLIT_IRQCHIP,
  KVM_ENABLE_CAP,
  KVM_IRQFD,
  KVM_IRQFD_FLAG_DEASSIGN,
  KVM_IRQFD_FLAG_RESAMPLE,
  KVM_MAX_IRQ_ROUTES,
  KVM_SET_GSI_ROUTING,
  KVM_SET_IRQCHIP,
  type KvmRoute,
} from "../../../src/uapi/kvm.ts";
import type { Syscalls } from "../../syscalls.ts";
import type { Notifier } from "../common/main-loop.ts";
import type { Counters } from "../counters.ts";
import { IOAPIC_MASKED, IOAPIC_PINS } from "./ioapic.ts";

/** KVM_IRQCHIP_*: the two 8259s and the IOAPIC. */
const PIC_MASTER = 0;
const PIC_SLAVE = 1;
const IOAPIC = 2;
/** KVM_CAP_IRQ_ROUTING says 4096, of which QEMU leaves one. */
const GSI_COUNT = 4095;

export interface MsiMessage {
  readonly addressLo: number;
  readonly addressHi: number;
  readonly data: number;
}

/** The PC's legacy routes (hw/i386/kvm/apic.c): 38 of them; GSI 2 stays free. */
function legacyRoutes(): KvmRoute[] {
  const routes: KvmRoute[] = [];
  const add = (gsi: number, irqchip: number, pin: number): void => {
    routes.push({ gsi, type: "irqchip", irqchip, pin });
  };
  for (let irq = 0; irq < 8; irq++) if (irq !== 2) add(irq, PIC_MASTER, irq);
  for (let irq = 8; irq < 16; irq++) add(irq, PIC_SLAVE, irq - 8);
  for (let pin = 0; pin < IOAPIC_PINS; pin++) if (pin !== 2) add(pin, IOAPIC, pin === 0 ? 2 : pin);
  return routes;
}

/** Split: KVM has no IOAPIC, and a message for each pin of QEMU's in its place. */
function pinRoutes(): KvmRoute[] {
  return Array.from({ length: IOAPIC_PINS }, (_, gsi) => {
    return { gsi, type: "msi", addressLo: 0, addressHi: 0, data: 0 };
  });
}

export class KvmIrqchip {
  /** The VM's file descriptor. */
  readonly vmFd: number;
  /** KVM has the local APICs only: QEMU hears of EOIs and signals resample eventfds itself. */
  readonly isSplit: boolean;
  readonly #sys: Syscalls;
  readonly #counters: Counters;
  readonly #legacy: readonly KvmRoute[];
  readonly #msi = new Map<number, KvmRoute>();
  readonly #usedGsis: Set<number>;
  /** What a commit sends, in the order in which routes came; null: to be put together anew. */
  #table: KvmRoute[] | null = null;

  constructor(sys: Syscalls, vmFd: number, counters: Counters, isSplit: boolean) {
    this.#sys = sys;
    this.vmFd = vmFd;
    this.#counters = counters;
    this.isSplit = isSplit;
    this.#legacy = isSplit ? [] : legacyRoutes();
    if (isSplit) for (const route of pinRoutes()) this.#msi.set(route.gsi, route);
    this.#usedGsis = new Set([...this.#legacy.map(({ gsi }) => gsi), ...this.#msi.keys()]);
  }

  /** kvm_irqchip_create with split=on; with the whole irqchip in the kernel it is there already. */
  *create(): Process {
    if (!this.isSplit) return;
    const arg = encodeEnableCap(KVM_CAP_SPLIT_IRQCHIP, IOAPIC_PINS);
    yield* this.#ioctl("kvm_enable_cap", KVM_ENABLE_CAP, arg);
  }

  /** kvm_irqchip_add_msi_route: a GSI, or -ENOSPC; the kernel learns of it with the next commit. */
  addMsiRoute(message: MsiMessage): number {
    if (this.#legacy.length + this.#msi.size >= KVM_MAX_IRQ_ROUTES) return -ENOSPC;
    let gsi = 0;
    while (this.#usedGsis.has(gsi)) gsi++;
    if (gsi >= GSI_COUNT) return -ENOSPC;
    this.#usedGsis.add(gsi);
    const route = { gsi, type: "msi", ...message } as const;
    this.#msi.set(gsi, route);
    this.#table?.push(route);
    return gsi;
  }

  /** kvm_irqchip_update_msi_route. */
  updateMsiRoute(gsi: number, message: MsiMessage): void {
    this.#msi.set(gsi, { gsi, type: "msi", ...message });
    this.#table = null;
  }

  /** kvm_irqchip_release_virq: the GSI is free; the kernel has the route until the next commit. */
  releaseVirq(gsi: number): void {
    this.#msi.delete(gsi);
    this.#table = null;
    this.#usedGsis.delete(gsi);
  }

  /** kvm_irqchip_commit_routes: the whole table, each time. */
  *commitRoutes(): Process {
    this.#table ??= [...this.#legacy, ...this.#msi.values()];
    const arg = encodeRouting(this.#table);
    yield* this.#ioctl("kvm_set_gsi_routing", KVM_SET_GSI_ROUTING, arg);
  }

  /** kvm_ioapic_reset, kvm_ioapic_put: all entries masked, no line high. */
  *resetIoapic(): Process {
    if (this.isSplit) return;
    const redirtbl = Array.from({ length: IOAPIC_PINS }, () => ({ low: IOAPIC_MASKED, high: 0 }));
    yield* this.#ioctl("kvm_set_irqchip", KVM_SET_IRQCHIP, encodeIoapic({ irr: 0, redirtbl }));
  }

  /** kvm_irqchip_add_irqfd_notifier_gsi: 0 or a negative errno. */
  *addIrqfd(event: Notifier, resample: Notifier | null, gsi: number): Process<number> {
    const inKernel = this.isSplit ? null : resample;
    const flags = inKernel === null ? 0 : KVM_IRQFD_FLAG_RESAMPLE;
    const arg = encodeIrqfd({ fd: event.fd, gsi, flags, resamplefd: inKernel?.fd ?? 0 });
    return yield* this.#ioctl("kvm_irqfd_assign", KVM_IRQFD, arg);
  }

  /** kvm_irqchip_remove_irqfd_notifier_gsi. */
  *removeIrqfd(event: Notifier, gsi: number): Process<number> {
    const arg = encodeIrqfd({ fd: event.fd, gsi, flags: KVM_IRQFD_FLAG_DEASSIGN, resamplefd: 0 });
    return yield* this.#ioctl("kvm_irqfd_deassign", KVM_IRQFD, arg);
  }

  *#ioctl(name: string, cmd: number, arg: Uint8Array): Process<number> {
    this.#counters.add(name);
    const { ret } = yield* this.#sys.ioctl(this.vmFd, cmd, arg);
    if (ret < 0) this.#counters.add(`${name}_failed`);
    return ret;
  }
}
