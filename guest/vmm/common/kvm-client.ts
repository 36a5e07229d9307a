/** A KVM virtual machine as its VMM sees it: irqfds and GSI routes, counted (linux/kvm.h). */
import { errnoName } from "../../../src/base/errno.ts";
import type { Process } from "../../../src/time/process.ts";
import {
  encodeEnableCap,
  encodeIoapic,
  encodeIrqfd,
  encodeRouting,
  KVM_CAP_SPLIT_IRQCHIP,
  KVM_CREATE_IRQCHIP,
  KVM_ENABLE_CAP,
  KVM_IRQFD,
  KVM_IRQFD_FLAG_DEASSIGN,
  KVM_IRQFD_FLAG_RESAMPLE,
  KVM_SET_GSI_ROUTING,
  KVM_SET_IRQCHIP,
  type KvmRoute,
} from "../../../src/uapi/kvm.ts";
import { RealizeError } from "../errors.ts";
import type { VmmContext } from "./context.ts";
import type { Notifier } from "./main-loop.ts";

export const IOAPIC_PINS = 24;
/** Mask bit of a redirection entry (82093AA datasheet, 3.2.4). */
const PIN_MASKED = 1 << 16;
const NOTHING = new Uint8Array(0);

export class KvmClient {
  readonly fd: number;
  readonly #ctx: VmmContext;

  private constructor(ctx: VmmContext, fd: number) {
    this.#ctx = ctx;
    this.fd = fd;
  }

  /** KVM_CREATE_VM, and its irqchip: the whole of it, or with `split` the local APICs only. */
  static *open(ctx: VmmContext, irqchip: "full" | "split"): Process<KvmClient> {
    const fd = yield* ctx.sys.open("/dev/kvm");
    if (fd < 0) throw new RealizeError(`/dev/kvm: ${errnoName(fd)}`);
    const kvm = new KvmClient(ctx, fd);
    if (irqchip === "full") yield* kvm.#ioctl("kvm_create_irqchip", KVM_CREATE_IRQCHIP, NOTHING);
    else {
      const arg = encodeEnableCap(KVM_CAP_SPLIT_IRQCHIP, IOAPIC_PINS);
      yield* kvm.#ioctl("kvm_enable_cap", KVM_ENABLE_CAP, arg);
    }
    return kvm;
  }

  /** KVM_SET_IRQCHIP: the IOAPIC as after a reset, all pins masked and low. */
  *resetIoapic(): Process {
    const redirtbl = Array.from({ length: IOAPIC_PINS }, () => ({ low: PIN_MASKED, high: 0 }));
    yield* this.#ioctl("kvm_set_irqchip", KVM_SET_IRQCHIP, encodeIoapic({ irr: 0, redirtbl }));
  }

  /** KVM_SET_GSI_ROUTING: the whole table, each time. 0 or a negative errno. */
  *setRouting(routes: readonly KvmRoute[]): Process<number> {
    return yield* this.#ioctl("kvm_set_gsi_routing", KVM_SET_GSI_ROUTING, encodeRouting(routes));
  }

  *assignIrqfd(event: Notifier, gsi: number, resample: Notifier | null): Process<number> {
    const flags = resample === null ? 0 : KVM_IRQFD_FLAG_RESAMPLE;
    const arg = encodeIrqfd({ fd: event.fd, gsi, flags, resamplefd: resample?.fd ?? 0 });
    return yield* this.#ioctl("kvm_irqfd_assign", KVM_IRQFD, arg);
  }

  *deassignIrqfd(event: Notifier, gsi: number): Process<number> {
    const arg = encodeIrqfd({ fd: event.fd, gsi, flags: KVM_IRQFD_FLAG_DEASSIGN, resamplefd: 0 });
    return yield* this.#ioctl("kvm_irqfd_deassign", KVM_IRQFD, arg);
  }

  *close(): Process {
    yield* this.#ctx.sys.close(this.fd);
  }

  *#ioctl(name: string, cmd: number, arg: Uint8Array): Process<number> {
    this.#ctx.counters.add(name);
    const { ret } = yield* this.#ctx.sys.ioctl(this.fd, cmd, arg);
    if (ret < 0) this.#ctx.counters.add(`${name}_failed`);
    return ret;
  }
}
