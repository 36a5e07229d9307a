/** An irqfd a vector, made at the vector's first use: its eventfd, its GSI and its route. */
import { EMFILE } from "../../../src/base/errno.ts";
import type { Process } from "../../../src/time/process.ts";
import type { KvmClient } from "./kvm-client.ts";
import type { Notifier } from "./main-loop.ts";
import type { Message, MsiRoutes } from "./msi-routes.ts";
import type { Passthrough } from "./passthrough.ts";

interface IrqfdVector {
  readonly event: Notifier;
  readonly gsi: number;
}

export class IrqfdVectors {
  readonly #device: Passthrough;
  readonly #kind: "msi" | "msix";
  readonly #kvm: KvmClient;
  readonly #routes: MsiRoutes;
  readonly #vectors: (IrqfdVector | null)[];

  constructor(
    device: Passthrough,
    kind: "msi" | "msix",
    count: number,
    board: { readonly kvm: KvmClient; readonly routes: MsiRoutes },
  ) {
    this.#device = device;
    this.#kind = kind;
    this.#kvm = board.kvm;
    this.#routes = board.routes;
    this.#vectors = new Array<IrqfdVector | null>(count).fill(null);
  }

  /** Its eventfd, or null before the first use. */
  get(vector: number): Notifier | null {
    return this.#vectors[vector]?.event ?? null;
  }

  get anyUsed(): boolean {
    return this.#vectors.some((vector) => vector !== null);
  }

  /** 0, or a negative errno: no eventfd, no GSI or no irqfd to be had. */
  *ensure(vector: number): Process<number> {
    if (this.#vectors[vector] !== null) return 0;
    const { events } = this.#device.ctx;
    const event = yield* events.create(this.#device.row(this.#kind, vector));
    if (event === null) return -EMFILE;
    const gsi = this.#routes.allocate();
    const result = gsi < 0 ? gsi : yield* this.#kvm.assignIrqfd(event, gsi, null);
    if (result < 0) {
      if (gsi >= 0) this.#routes.release(gsi);
      yield* events.close(event);
      return result;
    }
    this.#vectors[vector] = { event, gsi };
    return 0;
  }

  /** 0 or a negative errno. A vector without an irqfd has no route to change. */
  *route(vector: number, message: Message): Process<number> {
    const irqfd = this.#vectors[vector];
    return irqfd === null || irqfd === undefined ? 0 : yield* this.#routes.set(irqfd.gsi, message);
  }

  /** All irqfds off, eventfds closed. */
  *releaseAll(): Process {
    for (const [vector, irqfd] of this.#vectors.entries()) {
      if (irqfd === null) continue;
      this.#vectors[vector] = null;
      yield* this.#kvm.deassignIrqfd(irqfd.event, irqfd.gsi);
      this.#routes.release(irqfd.gsi);
      yield* this.#device.ctx.events.close(irqfd.event);
    }
  }
}
