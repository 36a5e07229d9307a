/**
 * A DPDK process: no guest and no KVM, a driver on vfio-pci in its own address space (DPDK/dpdk:
 * drivers/bus/pci/linux/pci_vfio.c). What starts in it is the driver itself.
 */
import { errnoName } from "../../../src/base/errno.ts";
import { type Process, sleep } from "../../../src/time/process.ts";
import { PCI_COMMAND, PCI_COMMAND_MASTER, PCI_COMMAND_MEMORY } from "../../../src/uapi/pci-regs.ts";
import { VFIO_PCI_REQ_IRQ_INDEX } from "../../../src/uapi/vfio.ts";
import type {
  AssignedDevice,
  Board,
  PlannedFunction,
  VmmContext,
  VmmModel,
} from "../common/context.ts";
import { SET_EVENTFD_TRIGGER, SET_NONE_TRIGGER } from "../common/irq-set.ts";
import { HANDLER_REQ, type Notifier } from "../common/main-loop.ts";
import { type OpenedDevice, openWith } from "../common/open-device.ts";
import { RegionAccess } from "../common/region-access.ts";
import { RealizeError } from "../errors.ts";
import { DpdkInterrupts } from "./interrupts.ts";

class DpdkDevice implements AssignedDevice {
  readonly fd: number;
  readonly interrupts: DpdkInterrupts;
  readonly #ctx: VmmContext;
  readonly #opened: OpenedDevice;
  readonly #access: RegionAccess;
  #request: Notifier | null = null;

  constructor(ctx: VmmContext, opened: OpenedDevice) {
    this.#ctx = ctx;
    this.#opened = opened;
    this.fd = opened.client.fd;
    this.#access = new RegionAccess(ctx.sys, this.fd);
    this.interrupts = new DpdkInterrupts(ctx, opened.client, opened.planned);
  }

  /** pci_rte_vfio_setup_device, pci_vfio_enable_notifier: no interrupt but REQ is armed. */
  *setUp(): Process {
    const { client, canReset, planned } = this.#opened;
    const command = yield* this.configRead(PCI_COMMAND, 2);
    const on = command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    if (on !== command) yield* this.configWrite(PCI_COMMAND, 2, on);
    if (canReset) yield* client.reset();
    const request = yield* this.#ctx.events.create(-1);
    if (request === null) return;
    this.#request = request;
    this.#ctx.loop.setHandler(request, HANDLER_REQ, planned.index, 0);
    const flags = SET_EVENTFD_TRIGGER;
    const result = yield* client.setIrqs(VFIO_PCI_REQ_IRQ_INDEX, 0, 1, flags, [request.fd]);
    if (result === 0) return;
    throw new RealizeError(
      `${planned.spec.name}: fail to enable req notifier: ${errnoName(result)}`,
    );
  }

  configRead(offset: number, size: number): Process<number> {
    return this.#access.configRead(offset, size);
  }

  configWrite(offset: number, size: number, value: number): Process {
    return this.#access.configWrite(offset, size, value);
  }

  barRead(bar: number, offset: number, size: number): Process<number> {
    return this.#access.barRead(bar, offset, size);
  }

  barWrite(bar: number, offset: number, size: number, value: number): Process {
    return this.#access.barWrite(bar, offset, size, value);
  }

  /** BARs are mapped into the process. */
  traps(): boolean {
    return false;
  }

  vectorFired(vector: number): void {
    this.interrupts.fired(vector);
  }

  /** INTx comes as vector 0 of its kind. */
  intxFired(): void {}

  /** pci_vfio_unmap_resource: the driver has given its vectors back before. */
  *release(): Process {
    const { client } = this.#opened;
    if (this.#request === null) return;
    yield* client.setIrqs(VFIO_PCI_REQ_IRQ_INDEX, 0, 0, SET_NONE_TRIGGER);
    yield* this.#ctx.events.close(this.#request);
    this.#request = null;
  }

  /** Nothing resets a process: see DPDK. */
  *reset(): Process {
    yield* this.release();
  }

  /** It reads an eventfd and is done: nothing waits here. */
  settle(): void {}
}

class DpdkProcess implements Board {
  readonly #ctx: VmmContext;
  readonly #devices: DpdkDevice[] = [];

  constructor(ctx: VmmContext) {
    this.#ctx = ctx;
  }

  *realize(fn: PlannedFunction): Process<AssignedDevice> {
    return yield* openWith(this.#ctx, fn, (opened) => this.#setUp(opened));
  }

  *#setUp(opened: OpenedDevice): Process<DpdkDevice> {
    const device = new DpdkDevice(this.#ctx, opened);
    yield* device.setUp();
    this.#devices.push(device);
    return device;
  }

  /** There is no interrupt controller. */
  *ioapicWrite(): Process {}

  /** A driver is done with an INTx, whichever it is. */
  eoi(): void {
    for (const { interrupts } of this.#devices) interrupts.acknowledge();
  }

  *reset(): Process {}

  /** The kernel closes what is left. */
  *close(): Process {}
}

/** Rebooting is ending the process and starting it again. */
export const DPDK: VmmModel = {
  startsIn: "driver",
  reboot: "restart",
  /** rte_eal_intr_init: a pipe and an epoll instance for the interrupt thread. */
  *powerOn(ctx: VmmContext): Process<Board> {
    yield* sleep(2 * ctx.env.costs.syscall);
    return new DpdkProcess(ctx);
  },
};
