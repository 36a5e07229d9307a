/** An eventfd by which userspace makes the kernel do something (drivers/vfio/virqfd.c). */
import { EBUSY } from "../../src/base/errno.ts";
import type { TimedEvent } from "../../src/time/event-heap.ts";
import type { Scheduler } from "../../src/time/scheduler.ts";
import type { EventfdCtx, EventfdListener } from "../process/eventfd-ctx.ts";
import type { EventfdLookup } from "../process/fd-table.ts";

/** What a virqfd does: `handler` at once; if it returns true, `thread` from a work queue. */
export interface VirqfdWork {
  readonly name: string;
  handler(): boolean;
  thread(): void;
}

class Virqfd implements EventfdListener {
  readonly #ctx: EventfdCtx;
  readonly #slot: VirqfdSlot;

  constructor(ctx: EventfdCtx, slot: VirqfdSlot) {
    this.#ctx = ctx;
    this.#slot = slot;
  }

  /** virqfd_wakeup, EPOLLIN. */
  signalled(): void {
    this.#slot.signalled();
  }

  /** virqfd_wakeup, EPOLLHUP: the descriptor is closed, so it detaches. */
  hangup(): void {
    this.#slot.disable();
  }

  shutdown(): void {
    this.#ctx.removeListener(this);
    this.#ctx.put();
  }
}

/** One place that can have a virqfd, such as INTx unmask. */
export class VirqfdSlot {
  readonly #work: VirqfdWork;
  readonly #scheduler: Scheduler;
  readonly #workqueueNs: number;
  #virqfd: Virqfd | null = null;
  #inject: TimedEvent | null = null;
  readonly #runInject = (): void => {
    this.#inject = null;
    this.#work.thread();
  };

  /** `workqueueNs` passes until a queued work runs. */
  constructor(work: VirqfdWork, scheduler: Scheduler, workqueueNs: number) {
    this.#work = work;
    this.#scheduler = scheduler;
    this.#workqueueNs = workqueueNs;
  }

  /** vfio_virqfd_enable: the descriptor is judged before the slot is. */
  enable(fd: number, fds: EventfdLookup): number {
    const ctx = fds.eventfdGet(fd);
    if (typeof ctx === "number") return ctx;
    if (this.#virqfd !== null) {
      ctx.put();
      return -EBUSY;
    }
    const virqfd = new Virqfd(ctx, this);
    this.#virqfd = virqfd;
    ctx.addListener(virqfd);
    // Readable before it was attached: acts now, and the count stays for userspace to read.
    if (ctx.readable) this.signalled();
    return 0;
  }

  /** vfio_virqfd_disable: detaches; work under way is finished first. */
  disable(): void {
    const virqfd = this.#virqfd;
    if (virqfd === null) return;
    this.#virqfd = null;
    virqfd.shutdown();
    this.flush();
  }

  /** vfio_virqfd_flush_thread. */
  flush(): void {
    if (this.#inject === null) return;
    this.#inject.cancelled = true;
    this.#runInject();
  }

  signalled(): void {
    if (!this.#work.handler() || this.#inject !== null) return;
    const at = this.#scheduler.clock.now() + this.#workqueueNs;
    this.#inject = this.#scheduler.at(at, this.#runInject, this.#work.name);
  }
}
