/**
 * What cloud-hypervisor builds for a VM: KVM with a split irqchip and an IOAPIC of its own, whose
 * pins are messages (cloud-hypervisor/cloud-hypervisor: devices/src/ioapic.rs, vmm/src/vm.rs).
 */

import type { GuestSpec } from "../../../src/scenario/types.ts";
import type { Process } from "../../../src/time/process.ts";
import type {
  AssignedDevice,
  Board,
  PlannedFunction,
  VmmContext,
  VmmModel,
} from "../common/context.ts";
import { IOAPIC_PINS, KvmClient } from "../common/kvm-client.ts";
import type { Message } from "../common/msi-routes.ts";
import { openWith } from "../common/open-device.ts";
import { CloudHypervisorDevice } from "./device.ts";
import { MsiGroup, MsiManager } from "./msi-groups.ts";
import { cloudHypervisorProfile } from "./profile.ts";

/** Bits of a redirection entry (82093AA datasheet, 3.2.4) and of a message (SDM vol. 3, 11.11). */
const VECTOR_DELIVERY_AND_TRIGGER = 0xff | (7 << 8) | (1 << 15);
const DESTINATION_LOGICAL = 1 << 11;
const PIN_MASKED = 1 << 16;
const APIC_ADDRESS = 0xfee00000;
const MESSAGE_LOGICAL = 1 << 2;

export class CloudHypervisorBoard implements Board {
  readonly ctx: VmmContext;
  readonly manager: MsiManager;
  /** The IOAPIC's pins: an interrupt each, with the eventfds of the devices on it. */
  readonly pins: MsiGroup;
  readonly #kvm: KvmClient;

  constructor(ctx: VmmContext, kvm: KvmClient, manager: MsiManager, pins: MsiGroup) {
    this.ctx = ctx;
    this.#kvm = kvm;
    this.manager = manager;
    this.pins = pins;
  }

  *realize(fn: PlannedFunction): Process<AssignedDevice> {
    return yield* openWith(this.ctx, fn, (opened) =>
      CloudHypervisorDevice.realize(this.ctx, opened, this),
    );
  }

  /** update_entry: the pin's message and mask. */
  *ioapicWrite(pin: number, low: number, high: number): Process {
    const message = pinMessage(low, high);
    const result = yield* this.pins.update(pin, message, (low & PIN_MASKED) !== 0);
    if (result < 0) this.ctx.counters.add("failed_updating_ioapic_entry");
  }

  /** end_of_interrupt clears the entry's remote IRR, which nothing here waits for. */
  eoi(): void {}

  /** A reboot makes a new one. */
  *reset(): Process {}

  *close(): Process {
    yield* this.#kvm.close();
  }
}

function pinMessage(low: number, high: number): Message {
  const logical = (low & DESTINATION_LOGICAL) === 0 ? 0 : MESSAGE_LOGICAL;
  const addressLo = APIC_ADDRESS + (high >>> 24) * 2 ** 12 + logical;
  return { addressLo, addressHi: 0, data: low & VECTOR_DELIVERY_AND_TRIGGER };
}

/** A reboot shuts the VM down, devices and all, and makes a new one in the same process. */
export function cloudHypervisor(spec: GuestSpec): VmmModel {
  return {
    startsIn: "kernel",
    reboot: "rebuild",
    *powerOn(ctx: VmmContext): Process<Board> {
      const kvm = yield* KvmClient.open(ctx, "split");
      const manager = new MsiManager(ctx, kvm, cloudHypervisorProfile(spec));
      const pins = yield* MsiGroup.create(manager, IOAPIC_PINS, () => -1);
      return new CloudHypervisorBoard(ctx, kvm, manager, pins);
    },
  };
}
