/** A device's place in the machine: what its interrupts reach, and where lost ones are counted. */
import type { FunctionFate, InterruptSink, PciIrqKind } from "../src/pci/types.ts";
import type { DevicePlace } from "../src/scenario/types.ts";
import { PCI_INTERRUPT_PIN } from "../src/uapi/pci-regs.ts";
import { endedToMeter } from "./device/ended.ts";
import type { DeviceMeter } from "./device/meter.ts";
import type { PhysicalDevice } from "./device/types.ts";
import type { ClientIrqs } from "./irq/irq-desc.ts";
import type { IrqClient, IrqPool } from "./irq/types.ts";

const SLOTS_PER_BUS = 32;
/** INTA to INTD. */
const PINS = 4;

export class BusSlot implements IrqClient, InterruptSink {
  readonly physical: PhysicalDevice;
  readonly bdf: string;
  readonly requester: string;
  readonly line: number;
  irqState?: ClientIrqs;
  intxInService = false;
  owner?: string;
  readonly #pool: IrqPool;
  /** MSI-X vectors that somebody wanted to hear and could not. */
  readonly #refused = new Set<number>();

  /** `index` numbers the machine's devices; slot 0 of bus 0 is the host bridge. */
  constructor(physical: PhysicalDevice, index: number, pool: IrqPool) {
    this.physical = physical;
    this.#pool = pool;
    const { bdf, rootSlot } = physical.spec.place ?? nextPlace(index);
    this.bdf = bdf;
    const { bridge } = physical.spec;
    this.requester = bridge === undefined ? bdf : `bridge ${bridge}`;
    const pin = physical.fn.configRead(PCI_INTERRUPT_PIN, 1);
    this.line = pin === 0 ? -1 : pool.intxLine(rootSlot, swizzle(bdf, pin - 1));
    physical.fn.sink = this;
    pool.functionAdded(this);
  }

  get fn(): PhysicalDevice["fn"] {
    return this.physical.fn;
  }

  /** Hot path. */
  message(kind: "msi" | "msix", vector: number): void {
    this.#pool.message(this, kind, vector);
  }

  /** Hot path. */
  wire(asserted: boolean): void {
    this.#pool.wire(this, asserted);
  }

  refused(vector: number, is: boolean): void {
    if (is) this.#refused.add(vector);
    else this.#refused.delete(vector);
  }

  ended(kind: PciIrqKind, vector: number, how: FunctionFate): void {
    // Its irq was refused: the pending bit that it merges with waits for nobody.
    if (how === "coalesced-pba" && kind === "msix" && this.#refused.has(vector)) {
      const { meter } = this.physical;
      meter?.dropped(meter.row(kind, vector), "dropped-no-handler");
      return;
    }
    // Asserted behind the mask and acknowledged before the unmask: the interrupt in service, whose
    // handler found both causes, stands for this one too. It is not lost.
    const served = kind === "intx" && how === "dropped-withdrawn" && this.intxInService;
    endedToMeter(this.physical.meter, kind, vector, served ? "coalesced-line" : how);
  }

  lost(kind: "msi" | "msix", vector: number, how: "dropped-no-handler" | "coalesced-pba"): void {
    const { meter } = this.physical;
    if (meter === null) return;
    const row = meter.row(kind, vector);
    if (how === "coalesced-pba") meter.merged(row, how);
    else meter.dropped(row, how);
  }

  /** Counts what waits in the function, or latched in an irq, at the end of the run. */
  settle(): void {
    const { meter, fn } = this.physical;
    if (meter === null) return;
    const { msi, msix } = fn;
    for (let vector = 0; vector < (msi?.vectors ?? 0); vector++) {
      if (msi!.isPending(vector)) meter.pending(meter.row("msi", vector), "pending-host");
      this.#settleLatched(meter, "msi", vector);
    }
    for (let vector = 0; vector < (msix?.vectors ?? 0); vector++) {
      if (msix!.isPending(vector)) meter.pending(meter.row("msix", vector), "pending-host");
      this.#settleLatched(meter, "msix", vector);
    }
    if (fn.intxWaiting) meter.pending(meter.row("intx", 0), "pending-host");
  }

  #settleLatched(meter: DeviceMeter, kind: "msi" | "msix", vector: number): void {
    if (this.#pool.latched(this, kind, vector)) {
      meter.pending(meter.row(kind, vector), "pending-host");
    }
  }
}

/** The machine's devices fill one bus after the other; slot 0 of bus 0 is the host bridge. */
function nextPlace(index: number): DevicePlace {
  const slot = (index + 1) % SLOTS_PER_BUS;
  const bus = Math.floor((index + 1) / SLOTS_PER_BUS);
  return { bdf: `0000:${hex2(bus)}:${hex2(slot)}.0`, rootSlot: bus === 0 ? slot : 0 };
}

/** pci_swizzle_interrupt_pin: the bridge before a device turns its pin by the device's slot. */
function swizzle(bdf: string, pin: number): number {
  const [, bus, slot] = bdf.split(/[:.]/).map((part) => Number.parseInt(part, 16));
  return bus === 0 ? pin : (pin + slot!) % PINS;
}

function hex2(n: number): string {
  return n.toString(16).padStart(2, "0");
}
