/** A PCI function as software sees it: header, capabilities, and every way it can interrupt. */
import { assert } from "../base/assert.ts";
import {
  PCI_BIST,
  PCI_BIST_START,
  PCI_CFG_SPACE_EXP_SIZE,
  PCI_CFG_SPACE_SIZE,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_MASTER,
  PCI_INTERRUPT_LINE,
  PCI_PM_CTRL,
  PCI_PM_CTRL_STATE_MASK,
  PCI_STATUS,
  PCI_STATUS_INTERRUPT,
} from "../uapi/pci-regs.ts";
import { ConfigSpace } from "./config-space.ts";
import { buildHeader, type FunctionIdentity } from "./header.ts";
import { MsiCapability, type MsiSpec } from "./msi.ts";
import { MsixCapability, type MsixSpec } from "./msix.ts";
import { addPcieCapability, addPmCapability, type PcieSpec, type PmSpec } from "./plain-caps.ts";
import type { FunctionFate, InterruptSink, MessageBus, PciIrqKind } from "./types.ts";

export type CapabilitySpec = MsiSpec | MsixSpec | PmSpec | PcieSpec;

export interface PciFunctionOptions extends FunctionIdentity {
  readonly name: string;
  /** In list order; each says its offset. */
  readonly capabilities: readonly CapabilitySpec[];
  /** It is alone on its bus: resetting that resets it. */
  readonly busReset?: boolean;
}

/** What pci_save_state keeps over a reset. */
export interface PciSavedState {
  readonly config: Uint8Array;
  readonly table: Uint32Array | null;
}

/** D3hot in PMCSR. */
export const POWER_D3HOT = 3;

/**
 * INTx is a level, so its token is owned in two steps. `raise("intx", 0)` makes the function assert
 * the wire and holds the token; the interrupt handler that signals it onwards takes the token with
 * `takeIntx()`, and a function that de-asserts a wire nobody took ends it as "dropped-withdrawn".
 */
export class PciFunction implements MessageBus {
  readonly name: string;
  readonly config: ConfigSpace;
  readonly msi: MsiCapability | null;
  readonly msix: MsixCapability | null;
  /** The bus above; null while the function is connected to nothing: its interrupts vanish. */
  sink: InterruptSink | null = null;
  /** Software starts the self test (PCI 3.0, 6.2.4), after which nothing is as it was. */
  onSelfTest: (() => void) | null = null;
  readonly flr: boolean;
  /** It can be reset by itself: by FLR, or by a change of its power state. */
  readonly canReset: boolean;
  readonly #pm: number;
  readonly #resetConfig: Uint8Array;
  #busMaster = false;
  #intxDisabled = false;
  #asserted = false;
  /** The asserted wire stands for an interrupt that no handler has taken. */
  #intxWaiting = false;
  #wire = false;

  constructor(options: PciFunctionOptions) {
    this.name = options.name;
    const express = options.capabilities.some(({ kind }) => kind === "pcie");
    this.config = new ConfigSpace(express ? PCI_CFG_SPACE_EXP_SIZE : PCI_CFG_SPACE_SIZE);
    buildHeader(this.config, options);
    let msi: MsiCapability | null = null;
    let msix: MsixCapability | null = null;
    let pm = 0;
    let flr = false;
    for (const spec of options.capabilities) {
      if (spec.kind === "msi") msi = new MsiCapability(spec, this.config, this);
      else if (spec.kind === "msix") msix = new MsixCapability(spec, this.config, this);
      else if (spec.kind === "pm") pm = addPmCapability(this.config, spec);
      else flr = addPcieCapability(this.config, spec);
    }
    this.msi = msi;
    this.msix = msix;
    this.flr = flr;
    this.#pm = pm;
    this.canReset =
      flr ||
      options.busReset === true ||
      options.capabilities.some((cap) => cap.kind === "pm" && !cap.noSoftReset);
    this.#resetConfig = this.config.bytes.slice();
    // Power-on state has an empty command register; what firmware set comes after.
    this.config.set(PCI_COMMAND, 2, options.command ?? 0);
    this.config.set(PCI_INTERRUPT_LINE, 1, options.interruptLine ?? 0);
    this.#sync();
  }

  /** The device interrupts. Hot path: `kind` is what the device decided by its enable bits. */
  raise(kind: PciIrqKind, vector: number): void {
    if (kind === "msix") this.msix!.raise(vector);
    else if (kind === "msi") this.msi!.raise(vector);
    else this.#assertIntx();
  }

  /** The device takes its INTx assertion back, usually because its driver acknowledged it. */
  deassertIntx(): void {
    if (!this.#asserted) return;
    this.#asserted = false;
    this.config.setBits(PCI_STATUS, 2, PCI_STATUS_INTERRUPT, false);
    this.#endWaiting();
    this.#driveWire();
  }

  /** Level at the device, before DisINTx: PCI_STATUS_INTERRUPT. */
  get intxAsserted(): boolean {
    return this.#asserted;
  }

  /** Level on the bus, after DisINTx. */
  get intxWire(): boolean {
    return this.#wire;
  }

  /** True while the asserted wire stands for an interrupt that no handler has taken. */
  get intxWaiting(): boolean {
    return this.#intxWaiting;
  }

  /**
   * A handler signals INTx onwards and so owns its token from here on. False if there is none: the
   * wire is high for an interrupt that was signalled before, and this signal is a repetition.
   */
  takeIntx(): boolean {
    const waiting = this.#intxWaiting;
    this.#intxWaiting = false;
    return waiting;
  }

  /** pci_intx(): clears or sets DisINTx. */
  setIntxDisable(disable: boolean): void {
    this.config.setBits(PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE, disable);
    this.#sync();
  }

  get intxDisabled(): boolean {
    return this.#intxDisabled;
  }

  get busMaster(): boolean {
    return this.#busMaster;
  }

  /** 0 is D0, 3 is D3hot; 0 without a PM capability. */
  get powerState(): number {
    if (this.#pm === 0) return 0;
    return this.config.read(this.#pm + PCI_PM_CTRL, 2) & PCI_PM_CTRL_STATE_MASK;
  }

  setPowerState(state: number): void {
    if (this.#pm === 0) return;
    this.config.setBits(this.#pm + PCI_PM_CTRL, 2, PCI_PM_CTRL_STATE_MASK, false);
    this.config.setBits(this.#pm + PCI_PM_CTRL, 2, state & PCI_PM_CTRL_STATE_MASK, true);
    this.#sync();
  }

  /** Reads 1, 2 or 4 bytes of configuration space. */
  configRead(offset: number, size: number): number {
    return this.config.read(offset, size);
  }

  /** Writes configuration space; enable and mask bits take effect at once. */
  configWrite(offset: number, size: number, value: number): void {
    this.config.write(offset, size, value);
    this.#sync();
    this.msi?.sync();
    this.msix?.sync();
    if (offset <= PCI_BIST && offset + size > PCI_BIST) this.#startSelfTest();
  }

  /** It takes no time here, and finds nothing. */
  #startSelfTest(): void {
    if ((this.config.read(PCI_BIST, 1) & PCI_BIST_START) === 0) return;
    this.config.setBits(PCI_BIST, 1, PCI_BIST_START, false);
    this.onSelfTest?.();
  }

  /** Reads 1, 2 or 4 bytes of the MSI-X table. */
  tableRead(offset: number, size: number): number {
    return this.msix?.tableRead(offset, size) ?? 0;
  }

  tableWrite(offset: number, size: number, value: number): void {
    this.msix?.tableWrite(offset, size, value);
  }

  pbaRead(offset: number, size: number): number {
    return this.msix?.pbaRead(offset, size) ?? 0;
  }

  /**
   * Function level, PM or bus reset: every register at its power-on value, waiting interrupts
   * withdrawn. Software that wants its set-up back saves it before and restores it after.
   */
  reset(): void {
    this.deassertIntx();
    this.msi?.reset();
    this.msix?.reset();
    this.config.bytes.set(this.#resetConfig);
    this.#sync();
    this.msi?.sync();
    this.msix?.sync();
  }

  /** pci_save_state: header, capabilities, MSI-X table. */
  saveState(): PciSavedState {
    return { config: this.config.bytes.slice(), table: this.msix?.saveTable() ?? null };
  }

  /**
   * pci_restore_state after a reset: the power state stays what it is, and DisINTx is set where
   * MSI or MSI-X is on, as the kernel's restore of those does.
   */
  restoreState(saved: PciSavedState): void {
    assert((saved.table === null) === (this.msix === null), `${this.name}: foreign saved state`);
    const power = this.powerState;
    this.config.bytes.set(saved.config);
    this.config.setBits(PCI_STATUS, 2, PCI_STATUS_INTERRUPT, this.#asserted);
    this.setPowerState(power);
    this.#sync();
    this.msi?.sync();
    if (saved.table !== null) this.msix!.restoreTable(saved.table);
    if (this.msi?.enabled === true || this.msix?.enabled === true) this.setIntxDisable(true);
  }

  /** MessageBus: a message leaves if the function may write to memory. Hot path. */
  send(kind: "msi" | "msix", vector: number): void {
    if (this.#busMaster) this.sink?.message(kind, vector);
    else this.sink?.ended(kind, vector, "dropped-bus-master");
  }

  /** MessageBus: an interrupt ended inside the function. */
  ended(kind: PciIrqKind, vector: number, how: FunctionFate): void {
    this.sink?.ended(kind, vector, how);
  }

  #assertIntx(): void {
    if (this.#intxWaiting) {
      this.sink?.ended("intx", 0, "coalesced-line");
      return;
    }
    this.#intxWaiting = true;
    if (this.#asserted) return;
    this.#asserted = true;
    this.config.setBits(PCI_STATUS, 2, PCI_STATUS_INTERRUPT, true);
    this.#driveWire();
  }

  #endWaiting(): void {
    if (this.takeIntx()) this.sink?.ended("intx", 0, "dropped-withdrawn");
  }

  /** Takes over what the command and power registers say. */
  #sync(): void {
    const command = this.config.read(PCI_COMMAND, 2);
    // A function in D3hot can send nothing but power management events (PM 1.2, 5.4.1).
    this.#busMaster = (command & PCI_COMMAND_MASTER) !== 0 && this.powerState !== POWER_D3HOT;
    this.#intxDisabled = (command & PCI_COMMAND_INTX_DISABLE) !== 0;
    this.#driveWire();
  }

  #driveWire(): void {
    const wire = this.#asserted && !this.#intxDisabled;
    if (wire === this.#wire) return;
    this.#wire = wire;
    this.sink?.wire(wire);
  }
}
