/** MSI and MSI-X of a vfio-pci device (drivers/vfio/pci/vfio_pci_intrs.c, Linux 6.1 and 6.12). */
import { assert } from "../../src/base/assert.ts";
import { EINVAL, ENOSPC } from "../../src/base/errno.ts";
import { type Process, sleep, step } from "../../src/time/process.ts";
import {
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_NUM_IRQS,
} from "../../src/uapi/vfio.ts";
import { type VfioCoreDevice, withMemoryEnabled } from "./core-device.ts";
import { MsiTrigger } from "./msi-trigger.ts";
import type { DeviceRetention } from "./retention/device-retention.ts";
import type { IrqSetCall } from "./set-irqs.ts";

export class VfioMsi {
  readonly #dev: VfioCoreDevice;
  readonly #retention: DeviceRetention;
  /** Contexts by vector: the ones that have a trigger. */
  readonly #triggers: (MsiTrigger | null)[];
  /** Vectors allocated at enable; static kernels check every range against it. */
  #numCtx = 0;

  constructor(dev: VfioCoreDevice) {
    this.#dev = dev;
    this.#retention = dev.host.retention.of(dev.fn.name);
    const size = Math.max(dev.fn.msi?.vectors ?? 0, dev.fn.msix?.vectors ?? 0);
    this.#triggers = new Array<MsiTrigger | null>(size).fill(null);
  }

  /** Ascending vectors that have a trigger. */
  armed(): number[] {
    const vectors: number[] = [];
    for (let vector = 0; vector < this.#triggers.length; vector++) {
      if (this.#triggers[vector] !== null) vectors.push(vector);
    }
    return vectors;
  }

  /** vfio_pci_set_msi_trigger. */
  *setTrigger(call: IrqSetCall): Process<number> {
    const result = yield* this.#setTrigger(call);
    yield* this.#retention.callEnded();
    return result;
  }

  *#setTrigger(call: IrqSetCall): Process<number> {
    const { index, start, count, flags } = call;
    const dev = this.#dev;
    const on = dev.irqType === index;
    if (on && count === 0 && (flags & VFIO_IRQ_SET_DATA_NONE) !== 0) {
      yield* this.disable();
      return 0;
    }
    if (!on && dev.irqType !== VFIO_PCI_NUM_IRQS) return -EINVAL;
    if ((flags & VFIO_IRQ_SET_DATA_EVENTFD) !== 0) {
      if (on) return yield* this.#setBlock(call);
      const enabled = yield* this.#enable(start + count, index);
      if (enabled !== 0) return enabled;
      const result = yield* this.#setBlock(call);
      if (result !== 0) yield* this.disable();
      return result;
    }
    if (!on || this.#outsideStaticRange(start, count, true)) return -EINVAL;
    yield* this.#loopback(call);
    return 0;
  }

  /** vfio_msi_disable: every trigger goes, then every irq. */
  *disable(): Process {
    const dev = this.#dev;
    for (const vector of this.armed()) yield* this.#teardown(vector);
    yield* withMemoryEnabled(dev, () => dev.host.pool.pciFreeIrqVectors(dev.client));
    this.#retention.disabled();
    dev.irqType = VFIO_PCI_NUM_IRQS;
    this.#numCtx = 0;
    dev.host.env.tracer.emit("vfio_msi_disable", { device: dev.fn.name });
  }

  /** vfio_msi_enable: 0, a positive number of vectors that could be had, or a negative errno. */
  *#enable(vectors: number, index: number): Process<number> {
    const dev = this.#dev;
    const { env } = dev.host;
    const msix = index === VFIO_PCI_MSIX_IRQ_INDEX;
    const got = yield* withMemoryEnabled(dev, () => this.#allocVectors(vectors, msix));
    env.tracer.emit("vfio_msi_enable", { device: dev.fn.name, vectors, got, msix: msix ? 1 : 0 });
    if (got < vectors) return got;
    dev.irqType = index;
    this.#numCtx = vectors;
    this.#retention.enabled(vectors);
    if (!msix) dev.msiQmax = 31 - Math.clz32(vectors * 2 - 1);
    return 0;
  }

  *#allocVectors(vectors: number, msix: boolean): Process<number> {
    const { client, host } = this.#dev;
    const { pool } = host;
    const got = yield* pool.pciAllocIrqVectors(client, 1, vectors, msix ? "msix" : "msi");
    if (got < vectors && got > 0) yield* pool.pciFreeIrqVectors(client);
    return got;
  }

  #outsideStaticRange(start: number, count: number, loopback: boolean): boolean {
    if (!this.#dev.host.profile.strictRangeChecks) return false;
    // A block also needs a start inside; a loopback of nothing at the end is fine.
    return start + count > this.#numCtx || (!loopback && start >= this.#numCtx);
  }

  /** vfio_msi_set_block: the first error takes back everything from `start` to the failing one. */
  *#setBlock(call: IrqSetCall): Process<number> {
    const { start, count } = call;
    const dev = this.#dev;
    if (this.#outsideStaticRange(start, count, false)) return -EINVAL;
    for (let i = 0; i < count; i++) {
      const result = yield* this.#setVectorSignal(start + i, call.fd(i));
      if (result === 0) continue;
      for (let j = 0; j <= i; j++) yield* this.#unwind(start + j);
      if (start === 0 && dev.host.bugs.includes("msi-unwind-unsigned")) yield* neverEnds(dev);
      return result;
    }
    return 0;
  }

  *#unwind(vector: number): Process {
    if (this.#triggers[vector] === null) return;
    yield* this.#teardown(vector);
    yield* this.#retention.tornDown(vector, "unwind");
  }

  /** vfio_msi_set_vector_signal. */
  *#setVectorSignal(vector: number, fd: number): Process<number> {
    const dev = this.#dev;
    const { env } = dev.host;
    const startNs = env.clock.now();
    if (this.#triggers[vector] !== null) {
      yield* this.#teardown(vector);
      yield* this.#retention.tornDown(vector, fd < 0 ? "unset" : "swap");
      // An interrupt may come between the old trigger and the new one.
      yield* step();
    }
    if (fd < 0) return 0;
    const result = yield* this.#give(vector, fd, startNs);
    dev.client.refused?.(vector, result === -ENOSPC);
    return result;
  }

  /** A trigger for a vector without one: its irq first, if it has none. */
  *#give(vector: number, fd: number, startNs: number): Process<number> {
    const dev = this.#dev;
    const { pool } = dev.host;
    const taken = !pool.holds(dev.client, vector);
    if (taken) {
      const allocated = yield* this.#allocIrq(vector);
      if (allocated === -ENOSPC) this.#retention.refused(vector);
      if (allocated < 0) return allocated;
      this.#retention.allocated(vector);
    }
    const result = yield* this.#arm(vector, fd);
    if (result === 0) this.#retention.armed(vector, startNs);
    else if (taken) yield* this.#retention.tornDown(vector, "failed");
    return result;
  }

  /** A trigger for a vector that has an irq and no handler. */
  *#arm(vector: number, fd: number): Process<number> {
    const dev = this.#dev;
    const { pool, env } = dev.host;
    yield* sleep(env.costs.eventfdGet);
    const ctx = dev.fds.eventfdGet(fd);
    if (typeof ctx === "number") return ctx;
    const kind = dev.irqType === VFIO_PCI_MSIX_IRQ_INDEX ? "msix" : "msi";
    const irq = { pool, client: dev.client, vector };
    const trigger = new MsiTrigger(ctx, dev.meter, dev.meter.row(kind, vector), env, irq);
    const result = yield* withMemoryEnabled(dev, () => {
      // Set before the irq is requested: a latched message is delivered inside.
      this.#triggers[vector] = trigger;
      return pool.requestIrq(dev.client, vector, trigger);
    });
    if (result === 0) {
      this.#registerProducer(trigger);
      return 0;
    }
    this.#triggers[vector] = null;
    ctx.put();
    return result;
  }

  /** Without bypass interrupts still arrive, so that a failure is only told. */
  #registerProducer(trigger: MsiTrigger): void {
    const { client, host } = this.#dev;
    const result = host.bypass.registerProducer(trigger);
    if (result === 0) return;
    const producer = `irq bypass producer (${host.profile.bypassToken} ${trigger.ctx.slot})`;
    const text = `vfio-pci ${client.bdf}: ${producer} registration fails: ${result}`;
    host.env.tracer.emit("printk", { text });
  }

  /** vfio_msi_alloc_irq for a vector that has none. The irq stays, also if what follows fails. */
  *#allocIrq(vector: number): Process<number> {
    const dev = this.#dev;
    if (dev.irqType !== VFIO_PCI_MSIX_IRQ_INDEX || !dev.hasDynMsix) return -EINVAL;
    const { pool } = dev.host;
    return yield* withMemoryEnabled(dev, () => pool.pciMsixAllocIrqAt(dev.client, vector));
  }

  *#teardown(vector: number): Process {
    const dev = this.#dev;
    const trigger = this.#triggers[vector];
    assert(trigger !== null && trigger !== undefined, () => `vector ${vector} has no trigger`);
    dev.host.bypass.unregisterProducer(trigger);
    yield* withMemoryEnabled(dev, () => dev.host.pool.freeIrq(dev.client, vector));
    this.#triggers[vector] = null;
    trigger.ctx.put();
  }

  /** DATA_NONE and DATA_BOOL: signals what has a trigger, skips what has none. */
  *#loopback(call: IrqSetCall): Process {
    const { start, count, flags } = call;
    for (let i = 0; i < count; i++) {
      if ((flags & VFIO_IRQ_SET_DATA_BOOL) !== 0 && !call.bool(i)) continue;
      const trigger = this.#triggers[start + i];
      if (trigger === null || trigger === undefined) continue;
      trigger.loopback();
      yield* step();
    }
  }
}

/** An unsigned counter wraps below zero and is above `start` still; igate stays locked. */
const UNSIGNED_WRAP_NS = 2 ** 32 * 5;
/** watchdog_thresh is 10 s: a CPU that has not scheduled for twice as long is told. */
const SOFT_LOCKUP_NS = 22_000_000_000;

/** See PatchBug: for (--j; j >= (int)start; j--) with an unsigned j and a start of 0. */
function* neverEnds({ host }: VfioCoreDevice): Process {
  yield* sleep(SOFT_LOCKUP_NS);
  const text = "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [qemu-system-x86]";
  host.env.tracer.emit("printk", { text });
  for (;;) yield* sleep(UNSIGNED_WRAP_NS);
}
