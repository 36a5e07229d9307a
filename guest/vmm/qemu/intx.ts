/** INTx of an assigned device: eventfd, irqfd with resample, end of interrupt (hw/vfio/pci.c). */
import { EMFILE } from "../../../src/base/errno.ts";
import { type GuestPort, writeEventfd } from "../../../src/shm/border.ts";
import type { Process } from "../../../src/time/process.ts";
import { PCI_INTERRUPT_PIN } from "../../../src/uapi/pci-regs.ts";
import { VFIO_PCI_INTX_IRQ_INDEX } from "../../../src/uapi/vfio.ts";
import {
  SET_EVENTFD_TRIGGER,
  SET_EVENTFD_UNMASK,
  SET_NONE_MASK,
  SET_NONE_TRIGGER,
  SET_NONE_UNMASK,
} from "../common/irq-set.ts";
import { HANDLER_INTX, type Notifier } from "../common/main-loop.ts";
import type { VfioPciDevice } from "./vfio-pci.ts";

/** The interrupt controller behind the emulated INTx wires. */
export interface WireSink {
  setWire(pin: number, asserted: boolean): void;
}

export class VfioIntx {
  readonly #device: VfioPciDevice;
  /** GSI it was connected to when INTx was last turned on or rerouted. */
  pin: number;
  /** GSI the chipset routes it to; a reset of the chipset tells nobody. */
  #chipsetPin: number;
  /** The eventfd was read and the guest has not been seen to deal with it: BARs are trapped. */
  pending = false;
  #interrupt: Notifier | null = null;
  /** With KVM: the resample eventfd, which unmasks in the kernel. */
  #resample: Notifier | null = null;

  constructor(device: VfioPciDevice, gsi: number) {
    this.#device = device;
    this.#chipsetPin = gsi;
    this.pin = gsi;
  }

  get chipsetPin(): number {
    return this.#chipsetPin;
  }

  get #row(): number {
    return this.#device.row("intx", 0);
  }

  *#set(flags: number, count = 1, fds: readonly number[] = []): Process<number> {
    return yield* this.#device.client.setIrqs(VFIO_PCI_INTX_IRQ_INDEX, 0, count, flags, fds);
  }

  /** vfio_intx_enable: 0 (also for a device without a pin) or a negative errno. */
  *enable(): Process<number> {
    const { ctx, slot, fn } = this.#device;
    if (fn.configRead(PCI_INTERRUPT_PIN, 1) === 0) return 0;
    this.pin = this.#chipsetPin;
    const interrupt = yield* ctx.loop.newNotifier(this.#row);
    if (interrupt === null) return -EMFILE;
    ctx.loop.setHandler(interrupt, HANDLER_INTX, slot.index, 0);
    const result = yield* this.#set(SET_EVENTFD_TRIGGER, 1, [interrupt.fd]);
    if (result !== 0) {
      yield* ctx.loop.closeNotifier(interrupt);
      ctx.counters.add("intx_errors");
      return result;
    }
    this.#interrupt = interrupt;
    yield* this.#enableKvm();
    this.#device.mode = "intx";
    ctx.env.tracer.emit("vfio_intx_enable_qemu", { device: slot.name });
    return 0;
  }

  /** vfio_intx_enable_kvm: from here the kernel injects and unmasks by itself. */
  *#enableKvm(): Process {
    const { loop, kvm, profile } = this.#device.ctx;
    const interrupt = this.#interrupt!;
    if (kvm === null || !profile.bypass.intx || this.pin < 0) return;
    loop.clearHandler(interrupt);
    yield* this.#set(SET_NONE_MASK);
    this.#settled();
    const resample = yield* loop.newNotifier(-1);
    const added = resample === null ? -EMFILE : yield* kvm.addIrqfd(interrupt, resample, this.pin);
    if (added === 0) {
      yield* this.#set(SET_EVENTFD_UNMASK, 1, [resample!.fd]);
      this.#resample = resample;
    } else {
      if (resample !== null) yield* loop.closeNotifier(resample);
      loop.setHandler(interrupt, HANDLER_INTX, this.#device.slot.index, 0);
    }
    yield* this.#set(SET_NONE_UNMASK);
  }

  /** vfio_intx_disable_kvm: masked, nobody listening, then QEMU takes over. */
  *#disableKvm(): Process {
    const { loop, kvm } = this.#device.ctx;
    const resample = this.#resample;
    if (resample === null) return;
    yield* this.#set(SET_NONE_MASK);
    this.#settled();
    yield* kvm!.removeIrqfd(this.#interrupt!, this.pin);
    // The kernel's side of the unmask eventfd goes with the descriptor.
    yield* loop.closeNotifier(resample);
    loop.setHandler(this.#interrupt!, HANDLER_INTX, this.#device.slot.index, 0);
    this.#resample = null;
    yield* this.#set(SET_NONE_UNMASK);
  }

  /** vfio_intx_disable. */
  *disable(): Process {
    const { ctx, slot } = this.#device;
    yield* this.#disableKvm();
    yield* this.#set(SET_NONE_TRIGGER, 0);
    this.#settled();
    this.#device.mode = "none";
    yield* ctx.loop.closeNotifier(this.#interrupt!);
    this.#interrupt = null;
    ctx.env.tracer.emit("vfio_intx_disable_qemu", { device: slot.name });
  }

  /** Nothing pending, wire low. */
  #settled(): void {
    this.pending = false;
    this.#device.fn.deassertIntx();
  }

  /** vfio_intx_routing_notifier: it was moved to another GSI, or (negative) is led nowhere. */
  *route(pin: number): Process {
    this.#chipsetPin = pin;
    if (pin === this.pin || this.#device.mode !== "intx") return;
    yield* this.#disableKvm();
    const high = this.#device.fn.intxWire;
    if (high) this.#device.wire(false);
    this.pin = pin;
    if (pin < 0) return;
    if (high) this.#device.wire(true);
    yield* this.#enableKvm();
    yield* this.endOfInterrupt();
  }

  /** EOI of its pin, where QEMU hears of that: the kernel unmasks. */
  resample(port: GuestPort): void {
    if (this.#resample !== null) writeEventfd(port, this.#resample.slot, 1);
  }

  /** Reset of the chipset: PCI lines lead to the IOAPIC's upper pins again. */
  resetRoute(): void {
    this.#chipsetPin = this.#device.slot.intxPin;
  }

  /** vfio_intx_interrupt: the eventfd was readable. */
  fired(): void {
    this.pending = true;
    this.#device.fn.raise("intx", 0);
  }

  /**
   * vfio_intx_eoi, at the guest's next access of a BAR after the interrupt: wire low, and unmask in
   * the kernel, which signals again if the device still asserts INTx.
   */
  *endOfInterrupt(): Process {
    if (this.acknowledge()) yield* this.unmask();
  }

  /** The part of vfio_intx_eoi within QEMU; false if there is nothing to end. */
  acknowledge(): boolean {
    if (!this.pending) return false;
    this.#settled();
    this.#device.ctx.env.tracer.emit("vfio_intx_eoi", { device: this.#device.slot.name });
    return true;
  }

  /** The part of vfio_intx_eoi that is the kernel's. */
  *unmask(): Process {
    if (this.#device.mode === "intx") yield* this.#set(SET_NONE_UNMASK);
  }
}
