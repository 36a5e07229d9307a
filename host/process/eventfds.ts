/** The eventfds of one VM process: which slot of the shared table is whose (fs/eventfd.c). */
import { EINVAL, EMFILE } from "../../src/base/errno.ts";
import type { HostPort } from "../../src/shm/border.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE } from "../../src/uapi/eventfd.ts";
import { EventfdCtx } from "./eventfd-ctx.ts";

const EFD_FLAGS = EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK;

export class ProcessEventfds {
  readonly #port: HostPort;
  readonly #bySlot: (EventfdCtx | null)[];
  readonly #freeSlots: number[] = [];

  constructor(port: HostPort) {
    this.#port = port;
    this.#bySlot = new Array<EventfdCtx | null>(port.eventfds.slots).fill(null);
    for (let slot = port.eventfds.slots - 1; slot >= 0; slot--) this.#freeSlots.push(slot);
  }

  /** Slots in use, those that only the kernel still refers to included. */
  get used(): number {
    return this.#bySlot.length - this.#freeSlots.length;
  }

  /** eventfd2: -EINVAL for unknown flags, -EMFILE when the process's share is used up. */
  create(initval: number, flags: number): EventfdCtx | number {
    if ((flags & ~EFD_FLAGS) !== 0) return -EINVAL;
    const slot = this.#freeSlots.pop();
    if (slot === undefined) return -EMFILE;
    this.#port.eventfds.init(slot, initval, (flags & EFD_SEMAPHORE) !== 0);
    const ctx = new EventfdCtx(slot, this.#port, (freed) => {
      this.#bySlot[freed.slot] = null;
      this.#freeSlots.push(freed.slot);
    });
    this.#bySlot[slot] = ctx;
    return ctx;
  }

  /** The guest marked `slot` after a write; any number may come from a hostile one. */
  written(slot: number): void {
    this.#bySlot[slot]?.written();
  }
}
