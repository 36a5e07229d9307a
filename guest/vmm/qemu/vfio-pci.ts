/** An assigned device in QEMU: realize, config space, BARs, reset (hw/vfio/pci.c, 7.2 to 11.1). */
import { errnoName } from "../../../src/base/errno.ts";
import { FATE } from "../../../src/measure/fates.ts";
import { rowOf } from "../../../src/measure/rows.ts";
import type { PciFunction } from "../../../src/pci/function.ts";
import type { FunctionFate, InterruptSink, PciIrqKind } from "../../../src/pci/types.ts";
import type { Process } from "../../../src/time/process.ts";
import {
  PCI_BASE_ADDRESS_0,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_STD_NUM_BARS,
} from "../../../src/uapi/pci-regs.ts";
import { VFIO_PCI_OFFSET_UNIT } from "../../../src/uapi/vfio.ts";
import {
  emulatesByte,
  holdsPba,
  holdsTable,
  touchesMsi,
  touchesMsix,
  vectorAt,
} from "../common/emulated-function.ts";
import { RealizeError } from "../errors.ts";
import { configOffset, type VfioClient } from "../vfio-client.ts";
import { DROPPED_RESET, type QemuContext } from "./context.ts";
import { HostEvents } from "./host-events.ts";
import { VfioIntx, type WireSink } from "./intx.ts";
import { VfioMsi } from "./msi.ts";
import { VfioMsix } from "./msix.ts";
import { type Probed, probe, type Slot } from "./probe.ts";
import type { VectorTable } from "./vectors.ts";

/** How the device interrupts at present: VFIO_INT_*. */
export type InterruptMode = "none" | "intx" | "msi" | "msix";

const COALESCED_PBA = FATE["coalesced-virtual-pba"];
const PENDING_GUEST = FATE["pending-guest"];

export class VfioPciDevice implements InterruptSink {
  readonly ctx: QemuContext;
  readonly slot: Slot;
  readonly fn: PciFunction;
  readonly client: VfioClient;
  readonly msix: VfioMsix;
  readonly msi: VfioMsi;
  readonly intx: VfioIntx;
  readonly #probed: Probed;
  readonly #events: HostEvents;
  readonly #wires: WireSink;
  mode: InterruptMode = "none";
  readonly vectorTable: VectorTable = { nr: 0, vectors: [] };
  /** False once the guest has ejected it. */
  present = true;
  /** Vectors a write of the guest has unmasked while they were pending; null: send at once. */
  #unmasked: Set<number> | null = null;

  private constructor(ctx: QemuContext, slot: Slot, wires: WireSink, probed: Probed, gsi: number) {
    this.ctx = ctx;
    this.slot = slot;
    this.#wires = wires;
    this.#probed = probed;
    this.client = probed.client;
    this.fn = probed.fn;
    this.fn.sink = this;
    this.#events = new HostEvents(this.client, ctx.loop, slot.index);
    this.msix = new VfioMsix(this, probed.noresize);
    this.msi = new VfioMsi(this);
    this.intx = new VfioIntx(this, gsi);
  }

  /**
   * vfio_realize; INTx is connected to `gsi`. Throws RealizeError where QEMU prints an error and
   * exits.
   */
  static *realize(
    ctx: QemuContext,
    slot: Slot,
    wires: WireSink,
    gsi: number,
  ): Process<VfioPciDevice> {
    const device = new VfioPciDevice(ctx, slot, wires, yield* probe(ctx, slot), gsi);
    const result = yield* device.intx.enable();
    if (result < 0) {
      yield* ctx.sys.close(device.client.fd);
      throw new RealizeError(`vfio ${slot.name}: failed to set up INTx: ${errnoName(result)}`);
    }
    yield* device.#events.register(device.#probed.hasErr);
    return device;
  }

  /** vfio_exitfn: the guest has ejected the device. */
  *unrealize(): Process {
    yield* this.#events.unregister();
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

  /**
   * vfio_pci_hot_reset_multi, for what vfio_pci_compute_needs_reset says: QEMU would rather reset
   * the bus than trust a PM reset or do nothing. It quiets the device, finds that it is alone on
   * its bus and leaves that to the device's own reset.
   */
  *hotResetMulti(): Process {
    if (this.#trustsReset) return;
    yield* this.#preReset();
    yield* this.client.getHotResetInfo();
    yield* this.#postReset();
  }

  /** VFIO_DEVICE_RESET is an FLR, or the only thing that there is. */
  get #trustsReset(): boolean {
    const { resetWorks, means } = this.#probed;
    return resetWorks && (means.flr || !means.pm);
  }

  /** vfio_pci_reset, then what the bus resets in the emulated function. */
  *reset(): Process {
    this.ctx.env.tracer.emit("vfio_pci_reset_qemu", { device: this.slot.name });
    yield* this.#preReset();
    yield* this.#resetFunction();
    yield* this.#postReset();
    this.fn.reset();
  }

  /** The best reset first: FLR, then the bus (vfio_pci_hot_reset_one), then by power states. */
  *#resetFunction(): Process {
    const { resetWorks, means } = this.#probed;
    if (this.#trustsReset && (yield* this.client.reset()) === 0) return;
    const others = yield* this.client.getHotResetInfo();
    if (others === 1 && (yield* this.client.hotReset()) === 0) return;
    if (resetWorks && means.pm) yield* this.client.reset();
  }

  /** vfio_pci_pre_reset. */
  *#preReset(): Process {
    this.#dropPending();
    yield* this.#disableInterrupts();
    const stopped = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    const command = yield* this.readPhysical(PCI_COMMAND, 2);
    yield* this.#writePhysical(PCI_COMMAND, 2, command & ~(stopped | PCI_COMMAND_INTX_DISABLE));
  }

  /** vfio_pci_post_reset. */
  *#postReset(): Process {
    yield* this.intx.enable();
    for (let bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
      yield* this.#writePhysical(PCI_BASE_ADDRESS_0 + 4 * bar, 4, 0);
    }
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

  unload(): Process {
    return this.#disableInterrupts();
  }

  /**
   * vfio_pci_load_config at the end of an incoming migration: message interrupts that the guest had
   * on come on again, all vectors at once. The function stands for the one at the destination,
   * whose state its vendor's driver has loaded: what is on goes off before (`unload`).
   */
  *loadConfig(): Process {
    const { msi, msix } = this.fn;
    yield* this.intx.enable();
    if (msi?.enabled === true) yield* this.msi.enable();
    else if (msix?.enabled === true) yield* this.msix.enable();
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
    yield* this.intx.endOfInterrupt();
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
    yield* this.intx.endOfInterrupt();
  }

  /** True if an access of this BAR exits: QEMU's own areas, and all while an INTx is pending. */
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
    const row = this.row(kind, vector);
    let address = kind === "msix" ? msix!.addressLo(vector) : msi!.addressLo;
    let data = kind === "msix" ? msix!.data(vector) : this.msi.data(vector);
    const { remapping, tokens } = this.ctx;
    if (remapping !== null) {
      const sent = remapping.remap({ addressLo: address, addressHi: 0, data });
      if (sent === null) {
        // vtd_mem_ir_write: a fault, and nobody hears of the message.
        tokens.drop(row, FATE["dropped-guest-unhandled"], 1);
        return;
      }
      address = sent.addressLo;
      data = sent.data;
    }
    tokens.inject(row, (address >>> 12) & 0xff, data & 0xff);
  }

  /** The vIOMMU's table changed: messages of all routes anew; true if there are any. */
  remapRoutes(): boolean {
    if (this.mode === "msix") return this.msix.remapRoutes();
    return this.mode === "msi" && this.msi.remapRoutes();
  }

  /** InterruptSink: the emulated INTx wire, which only moves where QEMU injects itself. */
  wire(asserted: boolean): void {
    this.#wires.setWire(this.intx.pin, asserted);
  }

  /** InterruptSink: a token ended in the emulated function. */
  ended(kind: PciIrqKind, vector: number, how: FunctionFate): void {
    const { tokens } = this.ctx;
    const row = this.row(kind, vector);
    if (kind === "intx") tokens.drop(row, FATE[how], 1);
    else if (how === "coalesced-pba") tokens.count(row, COALESCED_PBA, 1);
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
    if (fn.takeIntx()) tokens.count(this.row("intx", 0), fate, 1);
  }
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
