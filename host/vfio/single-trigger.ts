/** ERR and REQ: an index with a single eventfd (vfio_pci_set_ctx_trigger_single). */
import { EINVAL } from "../../src/base/errno.ts";
import {
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
} from "../../src/uapi/vfio.ts";
import type { KernelProfile } from "../kernel-profile.ts";
import type { EventfdCtx } from "../process/eventfd-ctx.ts";
import type { EventfdLookup } from "../process/fd-table.ts";
import type { IrqSetCall } from "./set-irqs.ts";

export class SingleTrigger {
  readonly #profile: KernelProfile;
  readonly #fds: EventfdLookup;
  #ctx: EventfdCtx | null = null;

  constructor(profile: KernelProfile, fds: EventfdLookup) {
    this.#profile = profile;
    this.#fds = fds;
  }

  /** Tells userspace; false if it has not asked to be told. */
  signal(): boolean {
    this.#ctx?.signal(-1, null);
    return this.#ctx !== null;
  }

  set(call: IrqSetCall): number {
    const { start, count, flags } = call;
    if (start !== 0 || count > 1) return -EINVAL;
    if ((flags & VFIO_IRQ_SET_DATA_NONE) !== 0) {
      if (this.#ctx === null) return -EINVAL;
      if (count === 1) this.#ctx.signal(-1, null);
      else this.clear();
      return 0;
    }
    if (count === 0) return -EINVAL;
    if ((flags & VFIO_IRQ_SET_DATA_BOOL) !== 0) {
      if (call.bool(0)) this.#ctx?.signal(-1, null);
      return 0;
    }
    return (flags & VFIO_IRQ_SET_DATA_EVENTFD) !== 0 ? this.#setEventfd(call.fd(0)) : -EINVAL;
  }

  clear(): void {
    this.#ctx?.put();
    this.#ctx = null;
  }

  #setEventfd(fd: number): number {
    if (fd === -1) {
      this.clear();
      return 0;
    }
    if (fd < 0) return this.#profile.reqErrNegativeFdIsNoop ? 0 : -EINVAL;
    const ctx = this.#fds.eventfdGet(fd);
    if (typeof ctx === "number") return ctx;
    this.clear();
    this.#ctx = ctx;
    return 0;
  }
}
