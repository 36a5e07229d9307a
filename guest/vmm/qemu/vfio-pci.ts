/** An assigned device in QEMU: realize, config space, BARs, reset (hw/vfio/pci.c, 7.2 to 11.1). */
import { errnoName } from "../../../src/base/errno.ts";
import { FATE } from "../../../src/measure/fates.ts";
import { type DeviceRows, rowOf } from "../../../src/measure/rows.ts";
import type { PciFunction } from "../../../src/pci/function.ts";
import type { FunctionFate, InterruptSink, PciIrqKind } from "../../../src/pci/types.ts";
import type { Process } from "../../../src/time/process.ts";
import {
  PCI_BASE_ADDRESS_0,
  PCI_CFG_SPACE_SIZE,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_STD_NUM_BARS,
} from "../../../src/uapi/pci-regs.ts";
import {
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_IRQ_INFO_NORESIZE,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_ERR_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_OFFSET_UNIT,
  VFIO_PCI_REQ_IRQ_INDEX,
} from "../../../src/uapi/vfio.ts";
import { RealizeError } from "../errors.ts";
import { VfioClient } from "../vfio-client.ts";
import { DROPPED_RESET, type QemuContext } from "./context.ts";
import {
  emulatedFunction,
  emulatesByte,
  holdsPba,
  holdsTable,
  touchesMsi,
  touchesMsix,
  vectorAt,
} from "./emulated-function.ts";
import { VfioIntx, type WireSink } from "./intx.ts";
import { SET_EVENTFD_TRIGGER } from "./irq-set.ts";
import { HANDLER_ERR, HANDLER_REQ, type Notifier } from "./main-loop.ts";
import { VfioMsi } from "./msi.ts";
import { VfioMsix } from "./msix.ts";

/** How the device interrupts at present: VFIO_INT_*. */
export type InterruptMode = "none" | "intx" | "msi" | "msix";

const COALESCED_PBA = FATE["coalesced-virtual-pba"];
const PENDING_GUEST = FATE["pending-guest"];

/** Where QEMU's bus has placed a device. */
export interface Slot {
  readonly index: number;
  readonly name: string;
  readonly rows: DeviceRows;
  /** GSI of its INTx after the kernel's routing. */
  readonly intxPin: number;
}

export class VfioPciDevice implements InterruptSink {
  readonly ctx: QemuContext;
  readonly slot: Slot;
  readonly fn: PciFunction;
  readonly client: VfioClient;
  readonly msix: VfioMsix;
  readonly msi: VfioMsi;
  readonly intx: VfioIntx;
  readonly #resetWorks: boolean;
  readonly #wires: WireSink;
  mode: InterruptMode = "none";
  /** False once the guest has ejected it. */
  present = true;
  #err: Notifier | null = null;
  #req: Notifier | null = null;
  /** Vectors a write of the guest has unmasked while they were pending; null: send at once. */
  #unmasked: Set<number> | null = null;

  private constructor(
    ctx: QemuContext,
    slot: Slot,
    wires: WireSink,
    found: { client: VfioClient; fn: PciFunction; noresize: boolean; resetWorks: boolean },
  ) {
    this.ctx = ctx;
    this.slot = slot;
    this.#wires = wires;
    this.client = found.client;
    this.fn = found.fn;
    this.fn.sink = this;
    this.#resetWorks = found.resetWorks;
    this.msix = new VfioMsix(this, found.noresize || !ctx.profile.dynamicMsix);
    this.msi = new VfioMsi(this);
    this.intx = new VfioIntx(this);
  }

  /** vfio_realize. Throws RealizeError where QEMU prints an error and exits. */
  static *realize(ctx: QemuContext, slot: Slot, wires: WireSink): Process<VfioPciDevice> {
    const path = `/dev/vfio/${slot.name}`;
    const fd = yield* ctx.sys.open(path);
    if (fd < 0) throw new RealizeError(`vfio ${slot.name}: open ${path}: ${errnoName(fd)}`);
    const client = new VfioClient(ctx.sys, fd, ctx.counters);
    const info = yield* client.getDeviceInfo();
    if (typeof info === "number") {
      throw new RealizeError(`vfio ${slot.name}: no device info: ${errnoName(info)}`);
    }
    const err = yield* client.getIrqInfo(VFIO_PCI_ERR_IRQ_INDEX);
    const barSizes: number[] = [];
    for (let bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
      const region = yield* client.getRegionInfo(bar);
      barSizes.push(typeof region === "number" ? 0 : region.size);
    }
    const config = yield* ctx.sys.pread(fd, configOffset(0), PCI_CFG_SPACE_SIZE);
    if (config.ret < PCI_CFG_SPACE_SIZE) {
      throw new RealizeError(`vfio ${slot.name}: short config space: ${config.ret}`);
    }
    const fn = emulatedFunction(slot.name, config.data, barSizes);
    let noresize = false;
    if (ctx.profile.dynamicMsix && fn.msix !== null) {
      const msix = yield* client.getIrqInfo(VFIO_PCI_MSIX_IRQ_INDEX);
      // Unknown is as good as impossible.
      noresize = typeof msix === "number" || (msix.flags & VFIO_IRQ_INFO_NORESIZE) !== 0;
    }
    const resetWorks = (info.flags & VFIO_DEVICE_FLAGS_RESET) !== 0;
    const device = new VfioPciDevice(ctx, slot, wires, { client, fn, noresize, resetWorks });
    const result = yield* device.intx.enable();
    if (result < 0) {
      throw new RealizeError(`vfio ${slot.name}: failed to set up INTx: ${errnoName(result)}`);
    }
    yield* device.#registerNotifiers(typeof err !== "number");
    return device;
  }

  /** vfio_register_err_notifier, vfio_register_req_notifier. */
  *#registerNotifiers(hasErr: boolean): Process {
    if (hasErr) this.#err = yield* this.#register(VFIO_PCI_ERR_IRQ_INDEX, HANDLER_ERR);
    const req = yield* this.client.getIrqInfo(VFIO_PCI_REQ_IRQ_INDEX);
    if (typeof req === "number" || req.count < 1) return;
    this.#req = yield* this.#register(VFIO_PCI_REQ_IRQ_INDEX, HANDLER_REQ);
  }

  *#register(index: number, handler: number): Process<Notifier | null> {
    const { loop } = this.ctx;
    const notifier = yield* loop.newNotifier(-1);
    if (notifier === null) return null;
    loop.setHandler(notifier, handler, this.slot.index, 0);
    const result = yield* this.client.setIrqs(index, 0, 1, SET_EVENTFD_TRIGGER, [notifier.fd]);
    if (result === 0) return notifier;
    yield* loop.closeNotifier(notifier);
    return null;
  }

  *#unregister(index: number, notifier: Notifier | null): Process {
    if (notifier === null) return;
    yield* this.client.setIrqs(index, 0, 1, SET_EVENTFD_TRIGGER, [-1]);
    yield* this.ctx.loop.closeNotifier(notifier);
  }

  /** vfio_exitfn: the guest has ejected the device. */
  *unrealize(): Process {
    yield* this.#unregister(VFIO_PCI_REQ_IRQ_INDEX, this.#req);
    yield* this.#unregister(VFIO_PCI_ERR_IRQ_INDEX, this.#err);
    this.#req = null;
    this.#err = null;
    yield* this.#disableInterrupts();
    this.present = false;
    yield* this.ctx.sys.close(this.client.fd);
  }

  /** vfio_disable_interrupts: leaving MSI or MSI-X turns INTx on, which then has to go too. */
  *#disableInterrupts(): Process {
    if (this.mode === "msix") yield* this.msix.disable();
    else if (this.mode === "msi") yield* this.msi.disable();
    if (this.mode === "intx") yield* this.intx.disable();
  }

  /** What MSI and MSI-X do first when they are turned on. */
  *leaveOtherModes(): Process {
    yield* this.#disableInterrupts();
  }

  /** vfio_pci_reset, then what the bus resets in the emulated function. */
  *reset(): Process {
    this.ctx.env.tracer.emit("vfio_pci_reset_qemu", { device: this.slot.name });
    this.#dropPending();
    yield* this.#disableInterrupts();
    const stopped = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    const command = yield* this.readPhysical(PCI_COMMAND, 2);
    yield* this.#writePhysical(PCI_COMMAND, 2, command & ~(stopped | PCI_COMMAND_INTX_DISABLE));
    if (this.#resetWorks) yield* this.client.reset();
    yield* this.intx.enable();
    for (let bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
      yield* this.#writePhysical(PCI_BASE_ADDRESS_0 + 4 * bar, 4, 0);
    }
    this.fn.reset();
  }

  /** Emulated pending bits do not outlive a system reset. */
  #dropPending(): void {
    const { msix } = this.fn;
    if (msix === null) return;
    for (let v = 0; v < msix.vectors; v++) {
      if (msix.clearPending(v)) this.ctx.tokens.drop(this.row("msix", v), DROPPED_RESET, 1);
    }
  }

  *readPhysical(offset: number, size: number): Process<number> {
    const { ret, data } = yield* this.ctx.sys.pread(this.client.fd, configOffset(offset), size);
    return ret === size ? littleEndian(data, size) : 2 ** (8 * size) - 1;
  }

  *#writePhysical(offset: number, size: number, value: number): Process {
    const bytes = toBytes(value, size);
    yield* this.ctx.sys.pwrite(this.client.fd, configOffset(offset), bytes);
  }

  /** vfio_pci_read_config: 1, 2 or 4 bytes. */
  *configRead(offset: number, size: number): Process<number> {
    let emulated = 0;
    for (let i = 0; i < size; i++) if (emulatesByte(this.fn, offset + i)) emulated++;
    if (emulated === size) return this.fn.configRead(offset, size);
    const physical = yield* this.readPhysical(offset, size);
    if (emulated === 0) return physical;
    let value = 0;
    for (let i = 0; i < size; i++) {
      const byte = emulatesByte(this.fn, offset + i)
        ? this.fn.configRead(offset + i, 1)
        : Math.floor(physical / 2 ** (8 * i)) & 0xff;
      value += byte * 2 ** (8 * i);
    }
    return value;
  }

  /** vfio_pci_write_config: the device sees every write; then QEMU's own copy follows. */
  *configWrite(offset: number, size: number, value: number): Process {
    yield* this.#writePhysical(offset, size, value);
    const { fn } = this;
    if (fn.msi !== null && touchesMsi(fn, offset, size)) {
      const before = fn.msi.enabled;
      const unmasked = this.#collect(() => fn.configWrite(offset, size, value));
      for (const vector of unmasked) this.#inject("msi", vector);
      if (before !== fn.msi.enabled) yield* before ? this.msi.disable() : this.msi.enable();
      else if (before) yield* this.msi.update();
    } else if (fn.msix !== null && touchesMsix(fn, offset, size)) {
      yield* this.#msixControlWrite(offset, size, value);
    } else {
      fn.configWrite(offset, size, value);
    }
  }

  *#msixControlWrite(offset: number, size: number, value: number): Process {
    const msix = this.fn.msix!;
    const wasEnabled = msix.enabled;
    const wasOpen = wasEnabled && !msix.functionMasked;
    const unmasked = this.#collect(() => this.fn.configWrite(offset, size, value));
    if (wasEnabled && msix.enabled) {
      const open = !msix.functionMasked;
      if (open === wasOpen) return;
      for (let v = 0; v < msix.vectors; v++) {
        if (!msix.isVectorMasked(v)) yield* this.#maskUpdate(v, open, unmasked);
      }
      return;
    }
    for (const vector of unmasked) this.#inject("msix", vector);
    if (wasEnabled !== msix.enabled) yield* wasEnabled ? this.msix.disable() : this.msix.enable();
  }

  /** msix_table_mmio_write. */
  *#tableWrite(offset: number, size: number, value: number): Process {
    const msix = this.fn.msix!;
    const vector = vectorAt(msix, offset);
    const wasLive = msix.isLive(vector);
    const unmasked = this.#collect(() => {
      this.fn.tableWrite(offset - msix.table.offset, size, value);
    });
    const live = msix.isLive(vector);
    if (live !== wasLive) yield* this.#maskUpdate(vector, live, unmasked);
  }

  /** msix_handle_mask_update: first the notifier, then what was pending goes out. */
  *#maskUpdate(vector: number, live: boolean, unmasked: ReadonlySet<number>): Process {
    if (live) yield* this.msix.vectorUse(vector);
    else yield* this.msix.vectorRelease(vector);
    if (unmasked.has(vector)) this.#inject("msix", vector);
  }

  /** Runs a register write and returns the pending vectors that it let go. */
  #collect(write: () => void): ReadonlySet<number> {
    const unmasked = new Set<number>();
    this.#unmasked = unmasked;
    write();
    this.#unmasked = null;
    return unmasked;
  }

  /** A register of a BAR: the MSI-X table and PBA are QEMU's, all others the device's. */
  *barRead(bar: number, offset: number, size: number): Process<number> {
    const { msix } = this.fn;
    if (holdsTable(msix, bar, offset)) return this.fn.tableRead(offset - msix!.table.offset, size);
    if (holdsPba(msix, bar, offset)) return this.fn.pbaRead(offset - msix!.pba.offset, size);
    const at = bar * VFIO_PCI_OFFSET_UNIT + offset;
    const { ret, data } = yield* this.ctx.sys.pread(this.client.fd, at, size);
    yield* this.intx.barAccessed();
    return ret === size ? littleEndian(data, size) : 2 ** (8 * size) - 1;
  }

  *barWrite(bar: number, offset: number, size: number, value: number): Process {
    const { msix } = this.fn;
    if (holdsTable(msix, bar, offset)) {
      yield* this.#tableWrite(offset, Math.min(size, 4), value % 2 ** 32);
      if (size === 8) yield* this.#tableWrite(offset + 4, 4, Math.floor(value / 2 ** 32));
      return;
    }
    if (holdsPba(msix, bar, offset)) return;
    const at = bar * VFIO_PCI_OFFSET_UNIT + offset;
    yield* this.ctx.sys.pwrite(this.client.fd, at, toBytes(value, size));
    yield* this.intx.barAccessed();
  }

  /** True if an access of this BAR leaves the guest: QEMU's own areas, and all while INTx is due. */
  traps(bar: number, offset: number): boolean {
    const { msix } = this.fn;
    return this.intx.pending || holdsTable(msix, bar, offset) || holdsPba(msix, bar, offset);
  }

  row(kind: PciIrqKind, vector: number): number {
    return rowOf(this.slot.rows, kind, vector);
  }

  /** vfio_msi_interrupt: a token came through a vector's own eventfd. Hot path. */
  vectorFired(vector: number): void {
    if (this.mode === "msix") this.fn.raise("msix", vector);
    else if (this.mode === "msi") this.fn.raise("msi", vector);
  }

  /** InterruptSink: the emulated function sends a message. Hot path. */
  message(kind: "msi" | "msix", vector: number): void {
    if (this.#unmasked === null) this.#inject(kind, vector);
    else this.#unmasked.add(vector);
  }

  #inject(kind: "msi" | "msix", vector: number): void {
    const { msi, msix } = this.fn;
    const address = kind === "msix" ? msix!.addressLo(vector) : msi!.addressLo;
    const data = kind === "msix" ? msix!.data(vector) : this.msi.data(vector);
    this.ctx.tokens.inject(this.row(kind, vector), (address >>> 12) & 0xff, data & 0xff);
  }

  /** InterruptSink: the emulated INTx wire, which only moves where QEMU injects itself. */
  wire(asserted: boolean): void {
    this.#wires.setWire(this.intx.pin, asserted);
  }

  /** InterruptSink: a token ended in the emulated function. */
  ended(kind: PciIrqKind, vector: number, how: FunctionFate): void {
    const { tokens } = this.ctx;
    const row = this.row(kind, vector);
    if (kind === "intx") {
      if (how === "dropped-withdrawn") tokens.endLevel(row, FATE[how]);
    } else if (how === "coalesced-pba") tokens.count(row, COALESCED_PBA, 1);
    else tokens.drop(row, how === "dropped-withdrawn" ? DROPPED_RESET : FATE[how], 1);
  }

  /** Ends what waits in the emulated function, at the end of the run or of the process. */
  settle(fate = PENDING_GUEST): void {
    const { fn } = this;
    const { tokens } = this.ctx;
    for (let v = 0; v < (fn.msix?.vectors ?? 0); v++) {
      if (fn.msix!.clearPending(v)) tokens.count(this.row("msix", v), fate, 1);
    }
    for (let v = 0; v < (fn.msi?.vectors ?? 0); v++) {
      if (fn.msi!.isPending(v)) tokens.count(this.row("msi", v), fate, 1);
    }
    if (fn.takeIntx()) tokens.endLevel(this.row("intx", 0), fate);
  }
}

function configOffset(offset: number): number {
  return VFIO_PCI_CONFIG_REGION_INDEX * VFIO_PCI_OFFSET_UNIT + offset;
}

function littleEndian(bytes: Uint8Array, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[i]!;
  return value;
}

function toBytes(value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = Math.floor(value / 2 ** (8 * i)) % 256;
  return bytes;
}
