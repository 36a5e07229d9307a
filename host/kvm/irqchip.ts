/** Which irqchip a VM has, and what KVM says it can (arch/x86/kvm/x86.c, virt/kvm/kvm_main.c). */
import { EEXIST, EFAULT, EINVAL } from "../../src/base/errno.ts";
import {
  KVM_CAP_IRQ_ROUTING,
  KVM_CAP_IRQCHIP,
  KVM_CAP_IRQFD,
  KVM_CAP_IRQFD_RESAMPLE,
  KVM_CAP_SPLIT_IRQCHIP,
  KVM_CHECK_EXTENSION,
  KVM_CREATE_IRQCHIP,
  KVM_ENABLE_CAP,
  KVM_ENABLE_CAP_SIZE,
  KVM_MAX_IRQ_ROUTES,
} from "../../src/uapi/kvm.ts";

/** What KVM_CHECK_EXTENSION answers: of routes the number there may be, else 1. */
const CAPABILITIES: ReadonlyMap<number, number> = new Map([
  [KVM_CAP_IRQCHIP, 1],
  [KVM_CAP_IRQ_ROUTING, KVM_MAX_IRQ_ROUTES],
  [KVM_CAP_IRQFD, 1],
  [KVM_CAP_IRQFD_RESAMPLE, 1],
  [KVM_CAP_SPLIT_IRQCHIP, 1],
]);

/** A little-endian u32 of an ioctl's argument. */
export function wordAt(arg: Uint8Array, at: number): number {
  return new DataView(arg.buffer, arg.byteOffset, arg.byteLength).getUint32(at, true);
}

/**
 * A VM that has not said which one it wants when it first needs it gets the kernel's: /dev/kvm
 * opens a VM here, and no VMM would leave its VM without.
 */
export class VmIrqchip {
  #kind: "kernel" | "split" | null = null;
  readonly #onSplit: () => void;

  constructor(onSplit: () => void) {
    this.#onSplit = onSplit;
  }

  /** The IOAPIC and the PICs are the VMM's. */
  get isSplit(): boolean {
    return this.#kind === "split";
  }

  /** One of its ioctls; null for all others, which need an irqchip. */
  ioctl(cmd: number, arg: Uint8Array): number | null {
    switch (cmd) {
      case KVM_CHECK_EXTENSION:
        return arg.length < 4 ? -EFAULT : (CAPABILITIES.get(wordAt(arg, 0)) ?? 0);
      case KVM_CREATE_IRQCHIP:
        return this.#create("kernel");
      case KVM_ENABLE_CAP:
        return arg.length < KVM_ENABLE_CAP_SIZE ? -EFAULT : this.#enableCap(arg);
      default:
        this.#kind ??= "kernel";
        return null;
    }
  }

  /** kvm_vm_ioctl_enable_cap: of the capabilities that can be enabled only this one. */
  #enableCap(arg: Uint8Array): number {
    const [cap, flags, pins] = [wordAt(arg, 0), wordAt(arg, 4), wordAt(arg, 8)];
    if (flags !== 0 || cap !== KVM_CAP_SPLIT_IRQCHIP || pins > KVM_MAX_IRQ_ROUTES) return -EINVAL;
    return this.#create("split");
  }

  #create(kind: "kernel" | "split"): number {
    if (this.#kind !== null) return -EEXIST;
    this.#kind = kind;
    if (kind === "split") this.#onSplit();
    return 0;
  }
}
