/** ERR and REQ: the host tells of a bus error, or wants the device back (hw/vfio/pci.c). */
import type { Process } from "../../../src/time/process.ts";
import { VFIO_PCI_ERR_IRQ_INDEX, VFIO_PCI_REQ_IRQ_INDEX } from "../../../src/uapi/vfio.ts";
import { SET_EVENTFD_TRIGGER } from "../common/irq-set.ts";
import { HANDLER_ERR, HANDLER_REQ, type MainLoop, type Notifier } from "../common/main-loop.ts";
import type { VfioClient } from "../vfio-client.ts";

export class HostEvents {
  readonly #client: VfioClient;
  readonly #loop: MainLoop;
  readonly #device: number;
  #err: Notifier | null = null;
  #req: Notifier | null = null;

  constructor(client: VfioClient, loop: MainLoop, device: number) {
    this.#client = client;
    this.#loop = loop;
    this.#device = device;
  }

  /** vfio_register_err_notifier (only if the device has the index), vfio_register_req_notifier. */
  *register(hasErr: boolean): Process {
    if (hasErr) this.#err = yield* this.#arm(VFIO_PCI_ERR_IRQ_INDEX, HANDLER_ERR);
    const req = yield* this.#client.getIrqInfo(VFIO_PCI_REQ_IRQ_INDEX);
    if (typeof req === "number" || req.count < 1) return;
    this.#req = yield* this.#arm(VFIO_PCI_REQ_IRQ_INDEX, HANDLER_REQ);
  }

  /** The way back, in the opposite order. */
  *unregister(): Process {
    yield* this.#disarm(VFIO_PCI_REQ_IRQ_INDEX, this.#req);
    yield* this.#disarm(VFIO_PCI_ERR_IRQ_INDEX, this.#err);
    this.#req = null;
    this.#err = null;
  }

  /** QEMU goes on without an event it cannot have. */
  *#arm(index: number, handler: number): Process<Notifier | null> {
    const notifier = yield* this.#loop.newNotifier(-1);
    if (notifier === null) return null;
    this.#loop.setHandler(notifier, handler, this.#device, 0);
    const result = yield* this.#client.setIrqs(index, 0, 1, SET_EVENTFD_TRIGGER, [notifier.fd]);
    if (result === 0) return notifier;
    yield* this.#loop.closeNotifier(notifier);
    return null;
  }

  *#disarm(index: number, notifier: Notifier | null): Process {
    if (notifier === null) return;
    yield* this.#client.setIrqs(index, 0, 1, SET_EVENTFD_TRIGGER, [-1]);
    yield* this.#loop.closeNotifier(notifier);
  }
}
