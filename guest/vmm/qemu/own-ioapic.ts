/**
 * The IOAPIC where pins are driven from QEMU: its own with kernel-irqchip=split or off. With
 * kernel-irqchip=on and no irqfd for INTx (x-no-kvm-intx) it stands for the kernel's, whose pins
 * nobody but QEMU then drives, by KVM_IRQ_LINE.
 */
import type { MachineEnv } from "../../../src/run/contract.ts";
import type { GuestPort } from "../../../src/shm/border.ts";
import type { Process } from "../../../src/time/process.ts";
import type { LocalApics } from "../../local-apic.ts";
import type { Tokens } from "../tokens.ts";
import type { QemuContext } from "./context.ts";
import type { WireSink } from "./intx.ts";
import { IOAPIC_PINS, IoApic } from "./ioapic.ts";
import type { VfioPciDevice } from "./vfio-pci.ts";

/** What it needs of its machine. */
export interface IoapicHome {
  readonly env: MachineEnv;
  readonly port: GuestPort;
  readonly tokens: Tokens;
  readonly lapics: LocalApics;
  readonly devices: readonly VfioPciDevice[];
}

export class OwnIoapic implements WireSink {
  readonly #home: IoapicHome;
  readonly #ioapic: IoApic;

  constructor(home: IoapicHome) {
    this.#home = home;
    this.#ioapic = new IoApic((pin, vcpu, vector) => this.#pinFired(pin, vcpu, vector));
  }

  reset(): void {
    this.#ioapic.reset();
  }

  setWire(pin: number, asserted: boolean): void {
    this.#ioapic.setLevel(pin, asserted);
  }

  /** A redirection entry; with KVM's local APICs ioapic_update_kvm_routes follows. */
  *write(ctx: QemuContext | null, pin: number, low: number, high: number): Process {
    this.#ioapic.write(pin, low, high);
    if (ctx !== null) yield* this.updateKvmRoutes(ctx);
  }

  /** ioapic_update_kvm_routes: KVM learns of every pin that is not masked. */
  *updateKvmRoutes({ kvm, profile, remapping }: QemuContext): Process {
    if (kvm === null || profile.irqchip.hasKernelIoapic) return;
    for (let gsi = 0; gsi < IOAPIC_PINS; gsi++) {
      const sent = this.#ioapic.message(gsi);
      const message = sent === null || remapping === null ? sent : remapping.remap(sent);
      if (message !== null) kvm.updateMsiRoute(gsi, message);
    }
    yield* kvm.commitRoutes();
  }

  /** ioapic_eoi_broadcast, and before that kvm_resample_fd_notify for irqfds on its pins. */
  eoi(vector: number): void {
    const pins = this.#ioapic.levelPins(vector);
    for (const { intx } of this.#home.devices) {
      if (pins.includes(intx.pin)) intx.resample(this.#home.port);
    }
    for (const pin of this.#ioapic.pinsInService(vector)) this.#ioapic.endOfInterrupt(pin);
  }

  /**
   * The pin interrupts for whoever holds it high. A level that was delivered already and is still
   * high has no token: the guest is interrupted again until its driver accesses a BAR.
   */
  #pinFired(pin: number, vcpu: number, vector: number): void {
    const { env, tokens, lapics, devices } = this.#home;
    let delivered = false;
    for (const device of devices) {
      if (device.intx.pin !== pin || !device.fn.takeIntx()) continue;
      tokens.inject(device.row("intx", 0), vcpu, vector);
      delivered = true;
    }
    if (delivered || vcpu >= lapics.vcpus) return;
    env.clock.spend(env.costs.vmmInject);
    lapics.request(vcpu, vector);
  }
}
