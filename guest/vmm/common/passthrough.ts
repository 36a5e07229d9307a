/** An assigned PCI function in a VMM: who answers an access, and what the VMM makes of a write. */
import { FATE } from "../../../src/measure/fates.ts";
import { rowOf } from "../../../src/measure/rows.ts";
import type { PciFunction } from "../../../src/pci/function.ts";
import type { FunctionFate, InterruptSink, PciIrqKind } from "../../../src/pci/types.ts";
import type { Process } from "../../../src/time/process.ts";
import type { VfioClient } from "../vfio-client.ts";
import type { AssignedDevice, PlannedFunction, VmmContext } from "./context.ts";
import {
  emulatesByte,
  holdsPba,
  holdsTable,
  touchesMsi,
  touchesMsix,
  vectorAt,
} from "./emulated-function.ts";
import type { OpenedDevice } from "./open-device.ts";
import { RegionAccess } from "./region-access.ts";

const COALESCED_PBA = FATE["coalesced-virtual-pba"];

/** One MSI-X table entry, as the guest has written it. */
export interface TableEntry {
  readonly addressLo: number;
  readonly addressHi: number;
  readonly data: number;
  readonly masked: boolean;
}

export abstract class Passthrough implements AssignedDevice, InterruptSink {
  readonly ctx: VmmContext;
  readonly planned: PlannedFunction;
  readonly client: VfioClient;
  readonly opened: OpenedDevice;
  /** What the VMM emulates of the function. */
  readonly fn: PciFunction;
  readonly #access: RegionAccess;

  constructor(ctx: VmmContext, opened: OpenedDevice) {
    this.ctx = ctx;
    this.opened = opened;
    this.planned = opened.planned;
    this.client = opened.client;
    this.fn = opened.fn;
    this.fn.sink = this;
    this.#access = new RegionAccess(ctx.sys, opened.client.fd);
  }

  get fd(): number {
    return this.client.fd;
  }

  /** The guest wrote MSI-X's control word; `fn` has the new one. */
  protected abstract msixControlWritten(wasEnabled: boolean, wasMasked: boolean): Process;
  /** The guest wrote a table entry; `fn` has it. */
  protected abstract entryWritten(vector: number, before: TableEntry): Process;
  /** The guest wrote within the MSI capability. */
  protected abstract msiWritten(wasEnabled: boolean): Process;
  abstract release(): Process;
  abstract reset(): Process;
  abstract vectorFired(vector: number): void;

  /** None of these VMMs reads INTx's eventfd: KVM has it. */
  intxFired(): void {}

  /** True if the VMM answers for this byte of config space. */
  protected emulates(offset: number): boolean {
    return emulatesByte(this.fn, offset);
  }

  /** True if the device is to see a write of config space as well. */
  protected passes(_offset: number): boolean {
    return true;
  }

  /** After an access of a BAR that left the guest. */
  protected *barAccessed(): Process {}

  row(kind: PciIrqKind, vector: number): number {
    return rowOf(this.planned.rows, kind, vector);
  }

  entry(vector: number): TableEntry {
    const msix = this.fn.msix!;
    return {
      addressLo: msix.addressLo(vector),
      addressHi: msix.addressHi(vector),
      data: msix.data(vector),
      masked: msix.isVectorMasked(vector),
    };
  }

  /** An error the VMM prints while the guest sees success. */
  error(what: string, vector: number, result: number): void {
    const device = this.planned.spec.name;
    this.ctx.counters.add(what);
    this.ctx.env.tracer.emit("vfio_msix_fixup_error", { device, vector, result });
  }

  *configRead(offset: number, size: number): Process<number> {
    let value = 0;
    const physical = yield* this.#access.configRead(offset, size);
    for (let i = 0; i < size; i++) {
      const byte = this.emulates(offset + i)
        ? this.fn.configRead(offset + i, 1)
        : Math.floor(physical / 2 ** (8 * i)) & 0xff;
      value += byte * 2 ** (8 * i);
    }
    return value;
  }

  /** Interrupts are set up before the device sees the write: MSI's enable bit needs the mode. */
  *configWrite(offset: number, size: number, value: number): Process {
    const { fn } = this;
    const { msi, msix } = fn;
    const wasMsi = msi?.enabled ?? false;
    const wasMsix = msix?.enabled ?? false;
    const wasMasked = msix?.functionMasked ?? false;
    fn.configWrite(offset, size, value);
    if (touchesMsi(fn, offset, size)) yield* this.msiWritten(wasMsi);
    if (touchesMsix(fn, offset, size)) yield* this.msixControlWritten(wasMsix, wasMasked);
    if (this.passes(offset)) yield* this.#access.configWrite(offset, size, value);
  }

  traps(bar: number, offset: number): boolean {
    const { msix } = this.fn;
    return holdsTable(msix, bar, offset) || holdsPba(msix, bar, offset);
  }

  *barRead(bar: number, offset: number, size: number): Process<number> {
    const { msix } = this.fn;
    if (!this.traps(bar, offset)) return yield* this.#access.barRead(bar, offset, size);
    const value = holdsTable(msix, bar, offset)
      ? this.fn.tableRead(offset - msix!.table.offset, size)
      : this.fn.pbaRead(offset - msix!.pba.offset, size);
    yield* this.barAccessed();
    return value;
  }

  *barWrite(bar: number, offset: number, size: number, value: number): Process {
    const { msix } = this.fn;
    if (!this.traps(bar, offset)) {
      yield* this.#access.barWrite(bar, offset, size, value);
      return;
    }
    if (holdsTable(msix, bar, offset)) {
      const vector = vectorAt(msix!, offset);
      const before = this.entry(vector);
      this.fn.tableWrite(offset - msix!.table.offset, size, value);
      yield* this.entryWritten(vector, before);
    }
    yield* this.barAccessed();
  }

  /** InterruptSink: an interrupt that waited in the emulated function goes out. */
  message(kind: "msi" | "msix", vector: number): void {
    this.inject(kind, vector);
  }

  /**
   * The VMM writes to the eventfd of an irqfd, and KVM sends the message of its route. Here the
   * message goes to the local APIC at once, so that the token stays in sight.
   */
  protected inject(kind: "msi" | "msix", vector: number): void {
    const { msi, msix } = this.fn;
    const address = kind === "msix" ? msix!.addressLo(vector) : msi!.addressLo;
    const data = kind === "msix" ? msix!.data(vector) : msi!.data;
    this.ctx.tokens.inject(this.row(kind, vector), (address >>> 12) & 0xff, data & 0xff);
  }

  /** InterruptSink: the emulated wire leads nowhere, since KVM has INTx's eventfd. */
  wire(_asserted: boolean): void {}

  ended(kind: PciIrqKind, vector: number, how: FunctionFate): void {
    const { tokens } = this.ctx;
    const row = this.row(kind, vector);
    if (how === "coalesced-pba") tokens.count(row, COALESCED_PBA, 1);
    else tokens.drop(row, FATE[how], 1);
  }

  settle(fate: number): void {
    const { msix } = this.fn;
    for (let v = 0; v < (msix?.vectors ?? 0); v++) {
      if (msix!.clearPending(v)) this.ctx.tokens.drop(this.row("msix", v), fate, 1);
    }
  }
}
