/** MSI of a VMM that offers a guest one message: an irqfd with a route, and one SET_IRQS call. */
import { EMFILE } from "../../../src/base/errno.ts";
import type { Process } from "../../../src/time/process.ts";
import { VFIO_PCI_MSI_IRQ_INDEX } from "../../../src/uapi/vfio.ts";
import { SET_EVENTFD_TRIGGER, SET_NONE_TRIGGER } from "./irq-set.ts";
import type { IrqfdVectors } from "./irqfd-vectors.ts";
import type { Passthrough } from "./passthrough.ts";

export class SingleMsi {
  readonly #device: Passthrough;
  readonly #irqfds: IrqfdVectors;

  constructor(device: Passthrough, irqfds: IrqfdVectors) {
    this.#device = device;
    this.#irqfds = irqfds;
  }

  /** The message is as the guest wrote it; a new one is a new route, and nothing for vfio. */
  *route(): Process {
    const { addressLo, addressHi, data } = this.#device.fn.msi!;
    if (this.#irqfds.get(0) === null) return;
    yield* this.#irqfds.route(0, { addressLo, addressHi, data });
  }

  /** 0 or more, or a negative errno: then MSI is off. */
  *enable(): Process<number> {
    const created = yield* this.#irqfds.ensure(0);
    if (created < 0) return created;
    yield* this.route();
    const irqfd = this.#irqfds.get(0);
    if (irqfd === null) return -EMFILE;
    const { client } = this.#device;
    return yield* client.setIrqs(VFIO_PCI_MSI_IRQ_INDEX, 0, 1, SET_EVENTFD_TRIGGER, [irqfd.fd]);
  }

  *disable(): Process<number> {
    return yield* this.#device.client.setIrqs(VFIO_PCI_MSI_IRQ_INDEX, 0, 0, SET_NONE_TRIGGER);
  }
}
