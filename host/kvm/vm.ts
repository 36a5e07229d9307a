/** The interrupt side of a KVM virtual machine: irqfds, routes, irqchip (virt/kvm, arch/x86). */
import { EBUSY, EFAULT, EINVAL, ENOTTY, ENXIO } from "../../src/base/errno.ts";
import type { MachineEnv } from "../../src/run/contract.ts";
import { type HostPort, requestInterrupt } from "../../src/shm/border.ts";
import { type Process, sleep } from "../../src/time/process.ts";
import {
  decodeIoapic,
  decodeIrqfd,
  decodeRouting,
  KVM_IRQ_ROUTING_ENTRY_SIZE,
  KVM_IRQ_ROUTING_HEADER_SIZE,
  KVM_IRQCHIP_SIZE,
  KVM_IRQFD,
  KVM_IRQFD_FLAG_DEASSIGN,
  KVM_IRQFD_FLAG_RESAMPLE,
  KVM_IRQFD_SIZE,
  KVM_MAX_IRQ_ROUTES,
  KVM_SET_GSI_ROUTING,
  KVM_SET_IRQCHIP,
  type KvmIrqfd,
} from "../../src/uapi/kvm.ts";
import type { VmExit } from "../../src/wire/messages.ts";
import type { DeviceMeter } from "../device/meter.ts";
import type { EventfdCtx } from "../process/eventfd-ctx.ts";
import type { EventfdLookup } from "../process/fd-table.ts";
import type { IrqBypass } from "./bypass.ts";
import { IOAPIC_NUM_PINS, KvmIoapic } from "./ioapic.ts";
import { VmIrqchip, wordAt } from "./irqchip.ts";
import { Irqfd, type IrqfdVm } from "./irqfd.ts";
import { PostedInterrupts } from "./posted.ts";
import { GsiRouting } from "./routing.ts";

const IRQFD_FLAGS = KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE;
/** Vectors 0 to 15 are illegal in an interrupt message (SDM vol. 3, 11.5.2). */
const FIRST_VECTOR = 16;

export class KvmVm implements IrqfdVm {
  readonly #env: MachineEnv;
  readonly #port: HostPort;
  readonly #routing = new GsiRouting();
  /** By eventfd: it can have one only. */
  readonly #irqfds = new Map<EventfdCtx, Irqfd>();
  readonly #ioapic: KvmIoapic;
  readonly #irqchip = new VmIrqchip(() => this.#routing.split());
  readonly posted: PostedInterrupts | null;

  /** `bypass` is null where interrupts cannot be posted. */
  constructor(env: MachineEnv, port: HostPort, bypass: IrqBypass | null) {
    this.#env = env;
    this.#port = port;
    this.posted = bypass === null ? null : new PostedInterrupts(env, port, bypass);
    this.#ioapic = new KvmIoapic(
      (vcpu, vector, row, meter) => this.#deliverLevel(vcpu, vector, row, meter),
      (pin) => this.#resample(pin),
    );
  }

  /** irqfds assigned. */
  get irqfds(): number {
    return this.#irqfds.size;
  }

  /** ioctl on the VM's descriptor. */
  *ioctl(cmd: number, arg: Uint8Array, fds: EventfdLookup): Process<number> {
    const own = this.#irqchip.ioctl(cmd, arg);
    if (own !== null) return own;
    if (cmd === KVM_IRQFD) {
      if (arg.length < KVM_IRQFD_SIZE) return -EFAULT;
      yield* sleep(this.#env.costs.eventfdGet);
      return this.#irqfd(decodeIrqfd(arg), fds);
    }
    if (cmd === KVM_SET_GSI_ROUTING) return yield* this.#setRouting(arg);
    if (cmd === KVM_SET_IRQCHIP) return this.#setIrqchip(arg);
    return -ENOTTY;
  }

  /** kvm_vm_ioctl_set_irqchip; of the chips only the IOAPIC is modelled. */
  #setIrqchip(arg: Uint8Array): number {
    if (this.#irqchip.isSplit) return -ENXIO;
    if (arg.length < KVM_IRQCHIP_SIZE) return -EFAULT;
    const state = decodeIoapic(arg, IOAPIC_NUM_PINS);
    if (state === null) return -EINVAL;
    this.#ioapic.set(state);
    return 0;
  }

  /** A VM exit that the in-kernel irqchip handles. */
  exit(exit: VmExit): number {
    if (exit.reason === "ioapic-write") this.#ioapic.write(exit.pin, exit.low, exit.high);
    else this.#ioapic.eoi(exit.vector);
    return 0;
  }

  /** kvm_irqfd_release: the VM is gone. */
  release(): void {
    for (const irqfd of this.#irqfds.values()) irqfd.shutdown();
    this.#irqfds.clear();
    this.#ioapic.settle();
  }

  /** Counts what waits in the irqchip at the end. */
  settle(): void {
    this.#ioapic.settle();
  }

  gone(irqfd: Irqfd): void {
    if (this.#irqfds.get(irqfd.ctx) !== irqfd) return;
    this.#irqfds.delete(irqfd.ctx);
    irqfd.shutdown();
    this.#resamplerGone(irqfd);
  }

  /** irqfd_resampler_shutdown: the line falls when nobody is left who could let go of it. */
  #resamplerGone({ gsi, resample }: Irqfd): void {
    if (resample === null) return;
    for (const other of this.#irqfds.values()) {
      if (other.resample !== null && other.gsi === gsi) return;
    }
    const target = this.#routing.target(gsi);
    if (target?.kind === "ioapic") this.#ioapic.resample(target.pin);
  }

  /** irqfd_wakeup. Hot path. */
  inject(irqfd: Irqfd, row: number, meter: DeviceMeter | null): void {
    const target = irqfd.target;
    this.#env.clock.spend(this.#env.costs.irqfdInject);
    if (target === null) {
      meter?.dropped(row, "dropped-no-handler");
    } else if (target.kind === "msi") {
      // With a split irqchip a line, too, comes by a message.
      if (row === meter?.rows.base) this.#deliverLevel(target.vcpu, target.vector, row, meter);
      else this.#deliver(target.vcpu, target.vector, row, meter);
    } else {
      this.#ioapic.assert(target.pin, row, meter);
      if (irqfd.resample === null) this.#ioapic.deassert(target.pin);
    }
  }

  /** kvm_irq_delivery_to_apic for a message: each is one token. Hot path. */
  #deliver(vcpu: number, vector: number, row: number, meter: DeviceMeter | null): void {
    const port = this.#port;
    if (vcpu >= port.shape.vcpus || vector < FIRST_VECTOR) {
      meter?.dropped(row, "dropped-no-handler");
    } else if (requestInterrupt(port, vcpu, vector)) {
      port.wakeGuest.wake();
      meter?.injected(row);
    } else {
      meter?.merged(row, "coalesced-irr");
    }
  }

  /** The same for a line, whose request may repeat an old one (no token) or meet another. */
  #deliverLevel(vcpu: number, vector: number, row: number, meter: DeviceMeter | null): void {
    const port = this.#port;
    if (vcpu >= port.shape.vcpus || vector < FIRST_VECTOR) {
      meter?.dropped(row, "dropped-no-handler");
      return;
    }
    meter?.levelRequested(row);
    requestInterrupt(port, vcpu, vector);
    port.wakeGuest.wake();
    meter?.injected(row);
  }

  /** irqfd_resampler_ack: the line falls, and whoever drives it looks again. */
  #resample(pin: number): void {
    const gsis = this.#routing.gsisOfPin(pin);
    const resamplers = [...this.#irqfds.values()].filter(
      (irqfd) => irqfd.resample !== null && gsis.includes(irqfd.gsi),
    );
    if (resamplers.length === 0) return;
    this.#ioapic.resample(pin);
    for (const irqfd of resamplers) irqfd.resample!.signal(-1, null);
  }

  #irqfd(args: KvmIrqfd, fds: EventfdLookup): number {
    if ((args.flags & ~IRQFD_FLAGS) !== 0) return -EINVAL;
    if ((args.flags & KVM_IRQFD_FLAG_DEASSIGN) !== 0) return this.#deassign(args, fds);
    const resamples = (args.flags & KVM_IRQFD_FLAG_RESAMPLE) !== 0;
    // kvm_arch_irqfd_allowed: without the kernel's IOAPIC nobody would tell of an EOI.
    if (resamples && this.#irqchip.isSplit) return -EINVAL;
    const ctx = fds.eventfdGet(args.fd);
    if (typeof ctx === "number") return ctx;
    let resample = null;
    if (resamples) {
      resample = fds.eventfdGet(args.resamplefd);
      if (typeof resample === "number") {
        ctx.put();
        return resample;
      }
    }
    if (this.#irqfds.has(ctx)) {
      ctx.put();
      resample?.put();
      return -EBUSY;
    }
    this.#assign(new Irqfd(this, ctx, args.gsi, resample));
    return 0;
  }

  #assign(irqfd: Irqfd): void {
    irqfd.target = this.#routing.target(irqfd.gsi);
    this.#irqfds.set(irqfd.ctx, irqfd);
    irqfd.ctx.addListener(irqfd);
    this.#env.tracer.emit("kvm_irqfd_assign", { gsi: irqfd.gsi });
    irqfd.ctx.signalPending(irqfd);
    this.posted?.assigned(irqfd);
  }

  #deassign(args: KvmIrqfd, fds: EventfdLookup): number {
    const ctx = fds.eventfdGet(args.fd);
    if (typeof ctx === "number") return ctx;
    const irqfd = this.#irqfds.get(ctx);
    if (irqfd?.gsi === args.gsi) {
      this.#irqfds.delete(ctx);
      irqfd.shutdown();
      this.#resamplerGone(irqfd);
      this.#env.tracer.emit("kvm_irqfd_deassign", { gsi: irqfd.gsi });
    }
    ctx.put();
    return 0;
  }

  *#setRouting(arg: Uint8Array): Process<number> {
    if (arg.length < KVM_IRQ_ROUTING_HEADER_SIZE) return -EFAULT;
    const [nr, flags] = [wordAt(arg, 0), wordAt(arg, 4)];
    if (nr > KVM_MAX_IRQ_ROUTES || flags !== 0) return -EINVAL;
    const bytes = KVM_IRQ_ROUTING_HEADER_SIZE + nr * KVM_IRQ_ROUTING_ENTRY_SIZE;
    if (arg.length < bytes) return -EFAULT;
    const routes = decodeRouting(arg);
    if (routes === null) return -EINVAL;
    const { kvmRouting, kvmRoutingPerIrqfd } = this.#env.costs;
    yield* sleep(kvmRouting + kvmRoutingPerIrqfd * this.#irqfds.size);
    const result = this.#routing.replace(routes);
    if (result < 0) return result;
    for (const irqfd of this.#irqfds.values()) {
      const old = irqfd.target;
      irqfd.target = this.#routing.target(irqfd.gsi);
      this.posted?.rerouted(irqfd, old);
    }
    this.#env.tracer.emit("kvm_set_gsi_routing", { routes: routes.length });
    return 0;
  }
}
