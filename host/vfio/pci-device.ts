/** One device bound to vfio-pci: open, ioctls, regions, reset, close (vfio_pci_core.c). */
import { assert } from "../../src/base/assert.ts";
import { EBUSY, EINVAL, ENODEV, ENOTTY } from "../../src/base/errno.ts";
import type { PciFunction, PciSavedState } from "../../src/pci/function.ts";
import { type Process, sleep, until, WaitQueue, withLock } from "../../src/time/process.ts";
import {
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_STD_NUM_BARS,
} from "../../src/uapi/pci-regs.ts";
import {
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_PCI_HOT_RESET,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_NUM_REGIONS,
  VFIO_PCI_OFFSET_UNIT,
  VFIO_PCI_ROM_REGION_INDEX,
} from "../../src/uapi/vfio.ts";
import type { PhysicalDevice } from "../device/types.ts";
import type { IrqClient } from "../irq/types.ts";
import type { EventfdLookup } from "../process/fd-table.ts";
import type { CallResult } from "../process/system-calls.ts";
import { barAccess } from "./bar-access.ts";
import type { VfioHost } from "./core-device.ts";
import { getInfo, getIrqInfo, getRegionInfo } from "./device-info.ts";
import { checkHotReset, hotResetInfo } from "./hot-reset.ts";
import { OpenVfioDevice } from "./open-device.ts";

/** vfio_unregister_group_dev tells userspace again this often until it lets go. */
const REQUEST_INTERVAL_NS = 10_000_000_000;
/** PCI_RESET_WAIT of drivers/pci/pci.c: how long a function may take to answer after a reset. */
const BUS_WAIT_NS = 1_000_000_000;

export class VfioPciDevice {
  readonly name: string;
  readonly host: VfioHost;
  readonly physical: PhysicalDevice;
  readonly client: IrqClient;
  readonly fn: PciFunction;
  /** False once the host has taken the device away from vfio-pci. */
  bound = true;
  #resetWorks = false;
  #saved: PciSavedState | null = null;
  #state: "closed" | "opening" | "open" | "closing" = "closed";
  #open: OpenVfioDevice | null = null;
  #calls = 0;
  readonly #changed: WaitQueue;

  constructor(host: VfioHost, physical: PhysicalDevice, client: IrqClient) {
    this.name = physical.spec.name;
    this.host = host;
    this.physical = physical;
    this.client = client;
    this.fn = physical.fn;
    this.#changed = new WaitQueue(`${this.name}.changed`);
  }

  /** The device's state while a process has it open. */
  get opened(): OpenVfioDevice | null {
    return this.#open;
  }

  /** vfio_pci_core_enable: 0, -EBUSY if somebody has it, or what enabling the device gives. */
  *open(fds: EventfdLookup): Process<number> {
    if (this.#state !== "closed") return -EBUSY;
    const { meter } = this.physical;
    assert(meter !== null, `${this.name} is opened and belongs to no guest`);
    this.#state = "opening";
    this.#clearMaster();
    const enabled = yield* this.host.pool.openLine(this.client);
    if (enabled < 0) {
      this.#state = "closed";
      return enabled;
    }
    this.#enableResources();
    this.#resetWorks = this.fn.canReset;
    if (this.#resetWorks) yield* this.#tryReset();
    this.#saved = this.fn.saveState();
    const pci23 = !this.host.nointxmask;
    if (pci23) this.fn.setIntxDisable(false);
    this.#open = new OpenVfioDevice({
      host: this.host,
      client: this.client,
      meter,
      fds,
      pci23,
      reset: () => this.#lockedReset(),
    });
    this.#state = "open";
    this.host.env.tracer.emit("vfio_pci_open", { device: this.name });
    return 0;
  }

  /** vfio_pci_core_close_device, after the last call under way: everything is given back. */
  *release(): Process {
    assert(this.#state === "open", `${this.name} is closed and not open`);
    this.#state = "closing";
    yield* until(this.#changed, () => this.#calls === 0);
    this.#clearMaster();
    yield* this.#open!.disableAll();
    this.#open = null;
    yield* this.#restoreAtClose();
    yield* this.host.pool.closeLine(this.client);
    this.#state = "closed";
    this.host.env.tracer.emit("vfio_pci_release", { device: this.name });
    this.#changed.wakeAll();
  }

  *ioctl(cmd: number, arg: Uint8Array): Process<CallResult> {
    const { fn, client } = this;
    const open = this.#open;
    if (open === null || this.#state !== "open") return { ret: -ENODEV };
    switch (cmd) {
      case VFIO_DEVICE_GET_INFO:
        return getInfo(arg, this.#resetWorks);
      case VFIO_DEVICE_GET_REGION_INFO:
        return getRegionInfo(arg, fn);
      case VFIO_DEVICE_GET_IRQ_INFO:
        return getIrqInfo(arg, fn, client.line, open.hasDynMsix);
      case VFIO_DEVICE_SET_IRQS:
        return { ret: yield* this.#counted(open.setIrqs(arg)) };
      case VFIO_DEVICE_RESET:
        return { ret: yield* this.#counted(this.#reset()) };
      case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
        return hotResetInfo(arg, this.#hasBus ? client.bdf : null, this.#busFunctions);
      case VFIO_DEVICE_PCI_HOT_RESET:
        return { ret: yield* this.#counted(this.#hotReset(arg, open)) };
      default:
        return { ret: -ENOTTY };
    }
  }

  /** vfio_pci_rw, read. */
  *pread(position: number, count: number): Process<CallResult> {
    const open = this.#open;
    if (open === null || this.#state !== "open" || position < 0) return { ret: -EINVAL };
    const { index, offset } = regionOf(position);
    if (index === VFIO_PCI_CONFIG_REGION_INDEX) {
      const data = yield* this.#counted(open.config.read(offset, count));
      return typeof data === "number" ? { ret: data } : { ret: data.length, data };
    }
    if (index >= VFIO_PCI_ROM_REGION_INDEX) return { ret: -EINVAL };
    const bytes = new Uint8Array(count);
    const ret = yield* this.#counted(this.#bar(open, index, offset, bytes, false));
    return ret < 0 ? { ret } : { ret, data: bytes.subarray(0, ret) };
  }

  /** vfio_pci_rw, write. */
  *pwrite(position: number, data: Uint8Array): Process<number> {
    const open = this.#open;
    if (open === null || this.#state !== "open" || position < 0) return -EINVAL;
    const { index, offset } = regionOf(position);
    if (index === VFIO_PCI_CONFIG_REGION_INDEX) {
      return yield* this.#counted(open.config.write(offset, data));
    }
    if (index >= VFIO_PCI_ROM_REGION_INDEX) return -EINVAL;
    return yield* this.#counted(this.#bar(open, index, offset, data, true));
  }

  /** The host takes the device away: userspace is asked again and again until it closes it. */
  *unbind(): Process {
    if (!this.bound) return;
    this.bound = false;
    const { scheduler } = this.host.env;
    while (this.#state !== "closed") {
      const asked = this.#open?.request() ?? false;
      this.host.env.tracer.emit("vfio_pci_req_notify", { device: this.name, asked: asked ? 1 : 0 });
      let due = false;
      const timer = scheduler.at(scheduler.clock.now() + REQUEST_INTERVAL_NS, () => {
        due = true;
        this.#changed.wakeAll();
      });
      yield* until(this.#changed, () => due || this.#state === "closed");
      timer.cancelled = true;
    }
    this.host.pool.removeDeviceDomain(this.client);
  }

  bind(): void {
    this.bound = true;
  }

  /** Runs a call that holds the file: the device is not closed under it. */
  *#counted<T>(call: Process<T>): Process<T> {
    this.#calls++;
    try {
      return yield* call;
    } finally {
      this.#calls--;
      this.#changed.wakeAll();
    }
  }

  #bar(
    open: OpenVfioDevice,
    bar: number,
    offset: number,
    bytes: Uint8Array,
    write: boolean,
  ): Process<number> {
    const target = {
      physical: this.physical,
      memoryEnabled: () => open.config.memoryEnabled,
      memoryLock: open.memoryLock,
      accessNs: this.host.env.costs.configAccess,
    };
    return barAccess(target, bar, offset, bytes, write);
  }

  *#reset(): Process<number> {
    if (!this.#resetWorks) return -EINVAL;
    const result = yield* this.#lockedReset();
    this.host.env.tracer.emit("vfio_pci_reset", { device: this.name, result });
    return result;
  }

  /** It is behind a port of its own, whose secondary bus can be reset. */
  get #hasBus(): boolean {
    return this.physical.spec.recorded?.hotReset !== undefined;
  }

  get #busFunctions(): number {
    return this.physical.spec.recorded?.busFunctions ?? 1;
  }

  /** vfio_pci_dev_set_hot_reset. A bus whose function does not come back takes a second longer. */
  *#hotReset(arg: Uint8Array, open: OpenVfioDevice): Process<number> {
    const checked = checkHotReset(arg, this.#hasBus, this.#busFunctions, open.fds);
    if (checked < 0) return checked;
    const result = this.physical.spec.recorded!.hotReset!;
    yield* this.#lockedReset();
    if (result < 0) yield* sleep(BUS_WAIT_NS);
    return result;
  }

  /** vfio_pci_zap_and_down_write_memory_lock around the reset of an open device. */
  #lockedReset(): Process<number> {
    return withLock(this.#open!.memoryLock, () => {
      this.fn.setPowerState(0);
      return this.#tryReset();
    });
  }

  /** pci_try_reset_function: state saved, interrupts off, reset, state written back. */
  *#tryReset(): Process<number> {
    this.#tellReset("resetting");
    const saved = this.fn.saveState();
    this.fn.configWrite(PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
    // The function is reset when the bit is written (pcie_flr); then it has 100 ms to come back.
    this.physical.reset();
    yield* sleep(this.host.env.costs.deviceReset);
    this.fn.restoreState(saved);
    this.#tellReset("reset done");
    return 0;
  }

  #tellReset(words: string): void {
    if (!this.host.profile.tellsResets) return;
    this.host.env.tracer.emit("printk", { text: `vfio-pci ${this.client.bdf}: ${words}` });
  }

  /** The end of vfio_pci_core_disable: the function is left as it was found at open. */
  *#restoreAtClose(): Process {
    const saved = this.#saved!;
    this.#saved = null;
    this.fn.configWrite(PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
    if (this.#resetWorks) {
      this.physical.reset();
      yield* sleep(this.host.env.costs.deviceReset);
    }
    // pci_restore_state writes MSI registers only where MSI was on: the vectors granted last stay.
    const granted = this.fn.msi?.allotted ?? 1;
    this.fn.restoreState(saved);
    this.fn.msi?.setControl(undefined, granted);
  }

  /** pci_enable_resources: the function decodes what it has BARs for; firmware may have done it. */
  #enableResources(): void {
    let decode = 0;
    for (let bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
      const kind = this.fn.config.bar(bar)?.kind;
      if (kind !== undefined) decode |= kind === "io" ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
    }
    const command = this.fn.configRead(PCI_COMMAND, 2);
    if ((command & decode) === decode) return;
    this.fn.configWrite(PCI_COMMAND, 2, command | decode);
    const words = [command, command | decode].map((word) => word.toString(16).padStart(4, "0"));
    const text = `vfio-pci ${this.client.bdf}: enabling device (${words.join(" -> ")})`;
    this.host.env.tracer.emit("printk", { text });
  }

  #clearMaster(): void {
    const command = this.fn.configRead(PCI_COMMAND, 2);
    this.fn.configWrite(PCI_COMMAND, 2, command & ~PCI_COMMAND_MASTER);
  }
}

/** A file position: region index and offset in it. */
function regionOf(position: number): { index: number; offset: number } {
  const index = Math.floor(position / VFIO_PCI_OFFSET_UNIT);
  return {
    index: Math.min(index, VFIO_PCI_NUM_REGIONS),
    offset: position - index * VFIO_PCI_OFFSET_UNIT,
  };
}
