/** A vfio-pci device while it is open: its mode, its triggers, its virtual configuration space. */
import { ENOTTY } from "../../src/base/errno.ts";
import type { PciFunction } from "../../src/pci/function.ts";
import { Mutex, type Process, withLock } from "../../src/time/process.ts";
import {
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_TYPE_MASK,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_PCI_ERR_IRQ_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_NUM_IRQS,
  VFIO_PCI_REQ_IRQ_INDEX,
} from "../../src/uapi/vfio.ts";
import type { DeviceMeter } from "../device/meter.ts";
import type { IrqClient } from "../irq/types.ts";
import type { EventfdLookup } from "../process/fd-table.ts";
import { VfioConfig } from "./config.ts";
import type { VfioCoreDevice, VfioHost } from "./core-device.ts";
import { irqCount, isPciExpress } from "./device-info.ts";
import { VfioIntx } from "./intx.ts";
import { VfioMsi } from "./msi.ts";
import { type IrqSetCall, parseIrqSet } from "./set-irqs.ts";
import { SingleTrigger } from "./single-trigger.ts";

export interface OpenOptions {
  readonly host: VfioHost;
  readonly client: IrqClient;
  readonly meter: DeviceMeter;
  readonly fds: EventfdLookup;
  readonly pci23: boolean;
  /** Resets the function, all set-up saved and restored. */
  reset(): Process<number>;
}

export class OpenVfioDevice implements VfioCoreDevice {
  readonly host: VfioHost;
  readonly client: IrqClient;
  readonly fn: PciFunction;
  readonly igate: Mutex;
  readonly memoryLock: Mutex;
  readonly fds: EventfdLookup;
  readonly meter: DeviceMeter;
  readonly pci23: boolean;
  readonly hasDynMsix: boolean;
  irqType: number = VFIO_PCI_NUM_IRQS;
  virqDisabled = false;
  msiQmax = 0;
  readonly config: VfioConfig;
  readonly intx: VfioIntx;
  readonly msi: VfioMsi;
  readonly #err: SingleTrigger;
  readonly #req: SingleTrigger;

  constructor(options: OpenOptions) {
    const { host, client, meter, fds, pci23, reset } = options;
    this.host = host;
    this.client = client;
    this.fn = client.fn;
    this.fds = fds;
    this.meter = meter;
    this.pci23 = pci23;
    this.igate = new Mutex(`${client.fn.name}.igate`);
    this.memoryLock = new Mutex(`${client.fn.name}.memoryLock`);
    this.hasDynMsix = client.fn.msix !== null && host.pool.canAllocDynamically;
    this.intx = new VfioIntx(this);
    this.msi = new VfioMsi(this);
    host.retention.of(this.fn.name).opened(this);
    this.#err = new SingleTrigger(host.profile, fds);
    this.#req = new SingleTrigger(host.profile, fds);
    this.config = new VfioConfig(this, {
      intxMask: () => this.intx.mask(),
      intxUnmask: () => this.intx.unmask(),
      reset,
    });
  }

  /** vfio_pci_ioctl_set_irqs. */
  *setIrqs(arg: Uint8Array): Process<number> {
    const call = parseIrqSet(arg, (index) => irqCount(this.fn, this.client.line, index));
    if (typeof call === "number") return call;
    const ret = yield* withLock(this.igate, () => this.#dispatch(call));
    this.host.retention.lookAround();
    const { index, start, count, flags } = call;
    const device = this.fn.name;
    this.host.env.tracer.emit("vfio_pci_set_irqs", { device, index, start, count, flags, ret });
    return ret;
  }

  /** vfio_pci_core_request: false if userspace has not asked to be told. */
  request(): boolean {
    return this.#req.signal();
  }

  /** Close: the mode that is on is disabled, ERR and REQ are forgotten. */
  *disableAll(): Process {
    if (this.irqType === VFIO_PCI_INTX_IRQ_INDEX) yield* this.intx.disable();
    else if (this.irqType !== VFIO_PCI_NUM_IRQS) yield* this.msi.disable();
    this.host.retention.of(this.fn.name).closed();
    this.virqDisabled = false;
    this.#err.clear();
    this.#req.clear();
  }

  /** vfio_pci_set_irqs_ioctl: no handler for this index and action is -ENOTTY. */
  *#dispatch(call: IrqSetCall): Process<number> {
    const action = call.flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
    if (call.index === VFIO_PCI_INTX_IRQ_INDEX) {
      if (action === VFIO_IRQ_SET_ACTION_MASK) return this.intx.setMask(call);
      if (action === VFIO_IRQ_SET_ACTION_UNMASK) return this.intx.setUnmask(call);
    }
    if (action !== VFIO_IRQ_SET_ACTION_TRIGGER) return -ENOTTY;
    switch (call.index) {
      case VFIO_PCI_INTX_IRQ_INDEX:
        return yield* this.intx.setTrigger(call);
      case VFIO_PCI_MSI_IRQ_INDEX:
      case VFIO_PCI_MSIX_IRQ_INDEX:
        return yield* this.msi.setTrigger(call);
      case VFIO_PCI_ERR_IRQ_INDEX:
        return isPciExpress(this.fn) ? this.#err.set(call) : -ENOTTY;
      case VFIO_PCI_REQ_IRQ_INDEX:
        return this.#req.set(call);
      default:
        return -ENOTTY;
    }
  }
}
