/** Irqs that change their vCPU: affinity, CPU hotplug (kernel/irq/migration.c, cpuhotplug.c). */
import { EINVAL, EIO } from "../../src/base/errno.ts";
import { type Process, until, WaitQueue } from "../../src/time/process.ts";
import type { GuestIrq } from "./guest-irq.ts";
import { type IrqChip, NO_SLOT } from "./irq-chip.ts";
import type { IrqDomain } from "./irq-domain.ts";
import type { IrqHandler } from "./irq-table.ts";

/** What the mover asks of those it moves for. */
export interface MoverHost {
  readonly device: string;
  /** irq_startup of a managed irq whose vCPU is back: 0 or a negative errno. */
  startup(irq: GuestIrq): Process<number>;
}

export class IrqMover {
  readonly #domain: IrqDomain;
  readonly #chip: IrqChip;
  readonly #host: MoverHost;
  readonly #moved = new WaitQueue("irq.moved");

  constructor(domain: IrqDomain, chip: IrqChip, host: MoverHost) {
    this.#domain = domain;
    this.#chip = chip;
    this.#host = host;
  }

  /**
   * A write of /proc/irq/N/smp_affinity: 0, or a negative errno. A message moves with the next
   * interrupt, when the vCPU that takes it can rewrite it; an entry of the remapping table at once.
   */
  *setAffinity(irq: GuestIrq, vcpus: readonly number[]): Process<number> {
    const { core, isRemapped } = this.#domain;
    if (irq.managed !== null) return -EIO;
    if (!vcpus.some((vcpu) => core.online.includes(vcpu))) return -EINVAL;
    if (irq.slot === NO_SLOT) {
      irq.affinity = vcpus;
      return 0;
    }
    irq.pending = vcpus;
    if (isRemapped) yield* this.#follow(irq);
    else this.#watch(irq);
    return 0;
  }

  /** The next interrupt finds the move pending before the driver's handler runs. */
  #watch(irq: GuestIrq): void {
    const { core } = this.#domain;
    const { handler } = irq;
    if (handler === null || irq.slot === NO_SLOT) return;
    const watcher: IrqHandler = {
      ownsEoi: handler.ownsEoi,
      handleIrq: (slot) => {
        core.table.setHandler(slot, irq.handler);
        core.spawn(`${this.#host.device}.irq_move`, this.interrupt(irq));
        return handler.handleIrq(slot);
      },
    };
    core.table.setHandler(irq.slot, watcher);
  }

  /** Its handler was set anew: a move that is pending stays so. */
  started(irq: GuestIrq): void {
    if (irq.pending !== null) this.#watch(irq);
  }

  /** irq_move_irq, as the vCPU acknowledges an interrupt: does what is pending, masked. */
  *interrupt(irq: GuestIrq): Process {
    if (irq.pending === null || irq.slot === NO_SLOT || irq.isMoving) return;
    const isBusy = this.#domain.core.choices?.isMoveBusy(this.#host.device, irq.vector) ?? false;
    irq.isMoving = true;
    try {
      yield* this.#chip.mask(irq.vector);
      // -EBUSY of apic_set_affinity: the vector before the present one is not cleaned up yet.
      if (!isBusy) yield* this.#follow(irq);
      yield* this.#chip.unmask(irq.vector);
    } finally {
      irq.isMoving = false;
      this.#moved.wakeAll();
    }
    if (irq.pending !== null) this.#watch(irq);
  }

  /** The irq's descriptor is locked while it moves: who wants it waits. */
  *settled(irq: GuestIrq): Process {
    yield* until(this.#moved, () => !irq.isMoving);
  }

  /** What was wished holds from now on. */
  *#follow(irq: GuestIrq): Process {
    const wished = irq.pending;
    irq.pending = null;
    if (wished === null) return;
    irq.affinity = wished;
    yield* this.#setVector(irq, this.#domain.allowed(irq));
  }

  /** apic_set_affinity and msi_set_affinity: a vector that is right already stays. */
  *#setVector(irq: GuestIrq, vcpus: readonly number[]): Process<boolean> {
    const domain = this.#domain;
    const from = irq.slot;
    if (!vcpus.includes(from >> 8)) {
      domain.forgetOldSlot(irq);
      if (!(yield* domain.place(irq, this.#chip.level, vcpus))) return false;
      domain.core.matrix.free(from);
      irq.oldSlot = from;
    }
    if (domain.isRemapped) return true;
    const between = (from & ~0xff) | (irq.slot & 0xff);
    const kind = this.#chip.maskable ? "maskable" : "unmaskable";
    const isTwoStep = domain.core.rules.twoStepMoves === kind && !this.#chip.level;
    if (isTwoStep && between !== from && between !== irq.slot) {
      yield* domain.write(this.#chip, irq, between);
    }
    yield* domain.write(this.#chip, irq, irq.slot);
    return true;
  }

  /** fixup_irqs of a vCPU that has just left `online`: its irqs move, or are shut down. */
  *cpuOffline(irqs: readonly GuestIrq[], vcpu: number): Process {
    for (const irq of irqs) {
      yield* this.settled(irq);
      if (irq.slot === NO_SLOT || irq.slot >> 8 !== vcpu) continue;
      yield* this.#migrate(irq);
    }
  }

  /** migrate_one_irq: a pending move is done instead, if its vCPUs are there. */
  *#migrate(irq: GuestIrq): Process {
    const chip = this.#chip;
    const domain = this.#domain;
    // A remapped irq can be moved at any time, and needs no mask.
    const isMasked = !domain.isRemapped;
    if (isMasked) yield* chip.mask(irq.vector);
    if (domain.isShutDown(irq)) {
      yield* this.#shutdown(irq);
      return;
    }
    const { online } = domain.core;
    const wished = irq.pending?.some((vcpu) => online.includes(vcpu)) ? irq.pending : irq.affinity;
    irq.pending = null;
    yield* this.#setVector(irq, domain.allowed(irq, wished));
    if (isMasked) yield* chip.unmask(irq.vector);
  }

  /** irq_shutdown_and_deactivate: masks, whether the hotplug core has done so or not. */
  *#shutdown(irq: GuestIrq): Process {
    yield* this.#chip.mask(irq.vector);
    yield* this.#domain.write(this.#chip, irq, NO_SLOT);
    yield* this.#domain.release(irq);
  }

  /** irq_restore_affinity_of_irq: a managed irq that was shut down starts again. */
  *cpuOnline(irqs: readonly GuestIrq[], vcpu: number): Process<number> {
    for (const irq of irqs) {
      if (irq.handler === null || irq.slot !== NO_SLOT) continue;
      if (irq.managed?.includes(vcpu) !== true) continue;
      const started = yield* this.#host.startup(irq);
      if (started < 0) return started;
    }
    return 0;
  }
}
