/**
 * Interrupt source groups: eventfds made at once, GSIs and irqfds as vectors are unmasked, and one
 * route table for all devices (cloud-hypervisor/cloud-hypervisor: vmm/src/interrupt.rs,
 * vm-allocator/src/gsi.rs).
 */
import { E2BIG } from "../../../src/base/errno.ts";
import type { Process } from "../../../src/time/process.ts";
import type { KvmRoute } from "../../../src/uapi/kvm.ts";
import type { VmmContext } from "../common/context.ts";
import { IOAPIC_PINS, type KvmClient } from "../common/kvm-client.ts";
import type { Notifier } from "../common/main-loop.ts";
import type { Message } from "../common/msi-routes.ts";
import { RealizeError } from "../errors.ts";
import type { CloudHypervisorProfile } from "./profile.ts";

interface RoutingEntry {
  readonly route: KvmRoute;
  readonly masked: boolean;
}

/** What it needs of a KVM virtual machine. */
export type RoutedVm = Pick<KvmClient, "setRouting" | "assignIrqfd" | "deassignIrqfd">;

/** Routes and GSIs of one VM. */
export class MsiManager {
  readonly ctx: Pick<VmmContext, "events">;
  readonly kvm: RoutedVm;
  readonly profile: CloudHypervisorProfile;
  readonly #routes = new Map<number, RoutingEntry>();
  /** The pins' numbers come first; a number is used by the same vector for good. */
  #nextGsi = IOAPIC_PINS;
  readonly #freeGsis: number[] = [];

  constructor(ctx: MsiManager["ctx"], kvm: RoutedVm, profile: CloudHypervisorProfile) {
    this.ctx = ctx;
    this.kvm = kvm;
    this.profile = profile;
  }

  /** There is always one: that KVM knows no GSI beyond 4095 shows when it is told a route. */
  allocateGsi(): number {
    return this.#freeGsis.shift() ?? this.#nextGsi++;
  }

  /** A device is gone. */
  freeGsi(gsi: number): void {
    this.#routes.delete(gsi);
    this.#freeGsis.push(gsi);
  }

  /** Masked entries are kept here and left out of what KVM is told. 0 or a negative errno. */
  *set(gsi: number, message: Message, masked: boolean): Process<number> {
    const { addressLo, addressHi, data } = message;
    this.#routes.set(gsi, { route: { gsi, type: "msi", addressLo, addressHi, data }, masked });
    const told = [...this.#routes.values()].filter((entry) => !entry.masked);
    if (told.length > this.profile.routesMax) return -E2BIG;
    return yield* this.kvm.setRouting(told.map(({ route }) => route));
  }
}

interface InterruptRoute {
  readonly notifiers: Notifier[];
  gsi: number | null;
  registered: boolean;
}

export class MsiGroup {
  readonly #manager: MsiManager;
  readonly #routes: InterruptRoute[] = [];

  private constructor(manager: MsiManager) {
    this.#manager = manager;
  }

  /** An eventfd for each of `count` interrupts; `row` is the ledger row of each. */
  static *create(
    manager: MsiManager,
    count: number,
    row: (index: number) => number,
  ): Process<MsiGroup> {
    const group = new MsiGroup(manager);
    for (let index = 0; index < count; index++) {
      yield* group.add(index, row(index));
      if (!manager.profile.lazyGsis) group.#routes[index]!.gsi = manager.allocateGsi();
    }
    return group;
  }

  /** One more eventfd for interrupt `index`. */
  *add(index: number, row: number): Process<Notifier> {
    this.#routes[index] ??= { notifiers: [], gsi: null, registered: false };
    const notifier = yield* this.#manager.ctx.events.create(row);
    if (notifier === null) throw new RealizeError("failed to create an interrupt's eventfd");
    const route = this.#routes[index];
    route.notifiers.push(notifier);
    const { gsi, registered } = route;
    if (registered) yield* this.#manager.kvm.assignIrqfd(notifier, gsi!, null);
    return notifier;
  }

  /** An eventfd that `add` made goes. */
  *remove(index: number, notifier: Notifier): Process {
    const { notifiers, registered, gsi } = this.#routes[index]!;
    notifiers.splice(notifiers.indexOf(notifier), 1);
    if (registered) yield* this.#manager.kvm.deassignIrqfd(notifier, gsi!);
    yield* this.#manager.ctx.events.close(notifier);
  }

  /** The eventfds as vfio is given them. */
  fds(count = this.#routes.length): number[] {
    return this.#routes.slice(0, count).map(({ notifiers }) => notifiers[0]!.fd);
  }

  /**
   * The interrupt's message or mask is new. Masked: irqfd off, then routes. Unmasked: routes, then
   * irqfd on; a route that KVM refuses stays in the table and spoils every later update.
   */
  *update(index: number, message: Message, masked: boolean): Process<number> {
    const route = this.#routes[index];
    if (route === undefined || (masked && route.gsi === null)) return 0;
    route.gsi ??= this.#manager.allocateGsi();
    if (masked) yield* this.#disable(route);
    const result = yield* this.#manager.set(route.gsi, message, masked);
    if (result < 0) return result;
    return masked ? 0 : yield* this.#enable(route);
  }

  *#enable(route: InterruptRoute): Process<number> {
    if (route.registered || route.gsi === null) return 0;
    for (const notifier of route.notifiers) {
      const result = yield* this.#manager.kvm.assignIrqfd(notifier, route.gsi, null);
      if (result < 0) return result;
    }
    route.registered = true;
    return 0;
  }

  *#disable(route: InterruptRoute): Process {
    if (!route.registered || route.gsi === null) return;
    for (const notifier of route.notifiers) {
      yield* this.#manager.kvm.deassignIrqfd(notifier, route.gsi);
    }
    route.registered = false;
  }

  /** All irqfds on that have a GSI: 0 or the first error. */
  *enable(): Process<number> {
    for (const route of this.#routes) {
      const result = yield* this.#enable(route);
      if (result < 0) return result;
    }
    return 0;
  }

  /** All irqfds off. */
  *disable(): Process {
    for (const route of this.#routes) yield* this.#disable(route);
  }

  /** The device is gone: eventfds close, and what hangs on them. */
  *destroy(): Process {
    for (const route of this.#routes.splice(0)) {
      yield* this.#disable(route);
      for (const notifier of route.notifiers) yield* this.#manager.ctx.events.close(notifier);
      if (route.gsi !== null) this.#manager.freeGsi(route.gsi);
    }
  }
}
