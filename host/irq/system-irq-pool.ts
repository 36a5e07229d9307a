/** The pool as drivers see it: PCI/MSI and request_irq of one machine, over its domains. */
import { assert } from "../../src/base/assert.ts";
import { EBUSY, EINVAL, ENODEV, ENOSYS } from "../../src/base/errno.ts";
import type {
  HoldingsReport,
  PoolInspection,
  PoolReport,
  TableInspection,
} from "../../src/run/contract.ts";
import { type Process, sleep } from "../../src/time/process.ts";
import {
  PCI_CLASS_DEVICE,
  PCI_COMMAND,
  PCI_COMMAND_MEMORY,
  PCI_INTERRUPT_LINE,
} from "../../src/uapi/pci-regs.ts";
import { AllocationFailures, type IdleView } from "./failures.ts";
import { idleView } from "./idle-view.ts";
import {
  FIRST_PIRQ_PIN,
  type IoApicLine,
  type IoApicLines,
  type LinesEnv,
  q35IntxPin,
  swizzledPin,
} from "./ioapic-lines.ts";
import { ClientIrqs } from "./irq-desc.ts";
import type { MsiParent } from "./msi-parent.ts";
import { PciMsi } from "./pci-msi.ts";
import type { PostedIrte } from "./posted-irte.ts";
import type { IrqRemapping } from "./remapping.ts";
import type { Shortage, Shortages } from "./shortage.ts";
import type { IrqAction, IrqClient, IrqPool } from "./types.ts";
import type { VectorMatrix } from "./vector-matrix.ts";

/** What an x86 machine has beneath its domains: the recordings look at it by themselves. */
export interface X86Tables {
  readonly matrix: VectorMatrix;
  readonly remapping: IrqRemapping | null;
}

export interface SystemIrqPoolOptions {
  readonly lines: IoApicLines;
  readonly domain: MsiParent;
  /** What the kernel can; the domain must be able to, too. */
  readonly dynamicMsix: boolean;
  readonly shortages: Shortages;
  /** What all functions share beneath the domain: remapping entries, LPIs, SPIs. */
  readonly tables: { inspect(): TableInspection[] } | null;
  readonly x86?: X86Tables;
  /**
   * Linux irq numbers of the INTx pins from FIRST_PIRQ_PIN up, on a machine without firmware: the
   * kernel writes them to the functions' interrupt line registers. Default: a pin's own number.
   */
  readonly lineIrqs?: readonly number[];
}

/** Base class and subclass of USB controllers (include/linux/pci_ids.h). */
const PCI_CLASS_SERIAL_USB = 0x0c03;

/** Irqs of the 8259 that SeaBIOS gives the pins A to D, and E to H (src/fw/pciinit.c). */
const FIRMWARE_IRQS = [10, 10, 11, 11];

export class SystemIrqPool implements IrqPool {
  readonly canAllocDynamically: boolean;
  readonly #env: LinesEnv;
  readonly #domain: MsiParent;
  readonly #shortages: Shortages;
  readonly #tables: { inspect(): TableInspection[] } | null;
  readonly #x86: X86Tables | null;
  readonly #lineIrqs: readonly number[] | null;
  readonly #msi: PciMsi;
  readonly #lines: IoApicLines;
  /** All functions that ever asked for something. */
  readonly #clients: ClientIrqs[] = [];
  readonly #failures: AllocationFailures;

  constructor(options: SystemIrqPoolOptions) {
    const { lines, domain, dynamicMsix, shortages, tables, x86, lineIrqs } = options;
    const { env } = lines;
    this.canAllocDynamically = dynamicMsix && domain.dynamicMsix;
    this.#env = env;
    this.#shortages = shortages;
    this.#tables = tables;
    this.#x86 = x86 ?? null;
    this.#lineIrqs = lineIrqs ?? null;
    this.#domain = domain;
    this.#msi = new PciMsi(domain, env.costs);
    this.#lines = lines;
    const look = (shortage: Shortage): IdleView => idleView(shortage, this.#clients, domain);
    this.#failures = new AllocationFailures(env.clock, look);
    shortages.failures = this.#failures;
  }

  get relief(): IrqPool["relief"] {
    return this.#msi.relief;
  }

  set relief(relief: IrqPool["relief"]) {
    this.#msi.relief = relief;
  }

  room(client: IrqClient): { readonly free: number; readonly size: number } | null {
    return this.#domain.tableOf(this.#irqsOf(client));
  }

  sharesTable(a: IrqClient, b: IrqClient): boolean {
    const table = this.#domain.tableOf(this.#irqsOf(a));
    return table !== null && table === this.#domain.tableOf(this.#irqsOf(b));
  }

  get matrix(): VectorMatrix {
    assert(this.#x86 !== null, "only x86 has a vector matrix");
    return this.#x86.matrix;
  }

  get remapping(): IrqRemapping | null {
    return this.#x86?.remapping ?? null;
  }

  /** Firmware or pci_assign_irq; where no firmware ran the function also decodes nothing yet. */
  functionAdded(client: IrqClient): void {
    if (this.#lineIrqs !== null) {
      // quirk_usb_early_handoff enables every USB controller at boot.
      const usb = client.fn.configRead(PCI_CLASS_DEVICE, 2) === PCI_CLASS_SERIAL_USB;
      client.fn.configWrite(PCI_COMMAND, 2, usb ? PCI_COMMAND_MEMORY : 0);
    }
    if (client.line < 0) return;
    const irq = this.#lineIrqs === null ? FIRMWARE_IRQS[client.line & 3]! : this.#lineIrq(client);
    client.fn.config.set(PCI_INTERRUPT_LINE, 1, irq);
  }

  *pciAllocIrqVectors(
    client: IrqClient,
    min: number,
    max: number,
    kind: "msi" | "msix",
  ): Process<number> {
    const irqs = this.#irqsOf(client);
    const { tracer } = this.#env;
    const device = client.fn.name;
    tracer.emit("pci_alloc_irq_vectors", { device, min, max, msix: kind === "msix" ? 1 : 0 });
    const ret =
      kind === "msix"
        ? yield* this.#msi.enableMsixRange(irqs, min, max)
        : yield* this.#msi.enableMsiRange(irqs, min, max);
    tracer.emit("pci_alloc_irq_vectors_return", { device, ret });
    this.#shortages.settle(irqs, { device, kind, asked: max, got: ret });
    return ret;
  }

  removeDeviceDomain(client: IrqClient): void {
    if (client.irqState !== undefined) this.#domain.removeDeviceDomain(client.irqState);
  }

  *pciFreeIrqVectors(client: IrqClient): Process {
    yield* this.#msi.disable(this.#irqsOf(client));
  }

  *pciMsixAllocIrqAt(client: IrqClient, index: number): Process<number> {
    if (!this.canAllocDynamically) return -EINVAL;
    const irqs = this.#irqsOf(client);
    const ret = yield* this.#msi.msixAllocIrqAt(irqs, index);
    const got = ret === 0 ? 1 : ret;
    this.#shortages.settle(irqs, { device: client.fn.name, kind: "msix", asked: 1, got });
    return ret;
  }

  *pciMsixFreeIrq(client: IrqClient, index: number): Process {
    yield* this.#msi.msixFreeIrq(this.#irqsOf(client), index);
  }

  holds(client: IrqClient, index: number): boolean {
    return client.irqState?.holds(index) === true;
  }

  held(client: IrqClient): { kind: "msi" | "msix" | null; indexes: number[] } {
    const irqs = this.#irqsOf(client);
    return { kind: irqs.kind, indexes: irqs.indexes() };
  }

  /** MSI puts its first irq in pdev->irq; MSI-X leaves the line's number there. */
  irqFile(client: IrqClient): number {
    const irqs = this.#irqsOf(client);
    if (irqs.kind === "msi" && irqs.holds(0)) return irqs.virqs[0]!;
    if (client.line < 0) return 0;
    // Until the first open it is what firmware wrote for the 8259.
    const assigned = this.#lineIrqs !== null || irqs.lineAssigned;
    return assigned ? this.#lineIrq(client) : FIRMWARE_IRQS[client.line & 3]!;
  }

  *requestIrq(client: IrqClient, index: number, action: IrqAction): Process<number> {
    const irqs = this.#irqsOf(client);
    if (!irqs.holds(index)) return -EINVAL;
    if (irqs.actions[index] !== null) return -EBUSY;
    yield* sleep(this.#env.costs.requestIrq + this.#domain.vectorNs);
    if (irqs.vectors[index]! < 0) {
      const got = this.#domain.assignVector(irqs, index);
      if (got < 0) {
        const kind = irqs.kind!;
        this.#shortages.settle(irqs, { device: client.fn.name, kind, asked: 1, got });
        return got;
      }
    }
    irqs.activate(index);
    irqs.setAction(index, action);
    this.#msi.startup(irqs, index);
    irqs.replay(index, this.#env.clock, this.#env.costs.irqEntry);
    return 0;
  }

  *freeIrq(client: IrqClient, index: number): Process {
    const irqs = this.#irqsOf(client);
    if (!irqs.holds(index) || irqs.actions[index] === null) return;
    this.#msi.shutdown(irqs, index);
    irqs.setAction(index, null);
    irqs.shutdown(index);
    try {
      yield* sleep(this.#env.costs.freeIrq + this.#domain.vectorNs);
    } finally {
      if (irqs.holds(index) && this.#msi.canReserve(irqs)) this.#domain.returnVector(irqs, index);
    }
  }

  get canPost(): boolean {
    return this.#x86?.remapping?.canPost ?? false;
  }

  /** The entry is replaced as a whole (modify_irte), and the IOMMU's cache of it flushed. */
  setVcpuAffinity(client: IrqClient, index: number, entry: PostedIrte | null): number {
    if (!this.canPost) return -ENOSYS;
    const irqs = this.#irqsOf(client);
    assert(entry === null || irqs.holds(index), () => `${client.bdf} has no irq ${index} to post`);
    irqs.posted[index] = entry;
    this.#env.clock.spend(this.#env.costs.iecFlush);
    return 0;
  }

  intxLine(rootSlot: number, pin: number): number {
    // Without firmware it is a virt machine, which knows no other slots than swizzled ones.
    return this.#lineIrqs === null ? q35IntxPin(rootSlot, pin) : swizzledPin(rootSlot, pin);
  }

  *openLine(client: IrqClient): Process<number> {
    const irqs = this.#irqsOf(client);
    const { line } = irqs;
    if (line === null) return 0;
    const result = yield* this.#lines.open(client, line, this.relief);
    if (result === 0) {
      irqs.lineAssigned = true;
      this.wire(client, client.fn.intxWire);
    } else this.#lineShort(client, line, result);
    return result;
  }

  *closeLine(client: IrqClient): Process {
    const irqs = this.#irqsOf(client);
    if (irqs.line === null) return;
    // A device nobody has open is reset and quiet; its client may be gone for good.
    this.wire(client, false);
    yield* this.#lines.close(irqs.line);
  }

  *requestLine(
    client: IrqClient,
    action: IrqAction,
    shared: boolean,
    autoEnable = true,
  ): Process<number> {
    const { line } = this.#irqsOf(client);
    if (line === null) return -ENODEV;
    const result = yield* this.#lines.request(line, action, shared, autoEnable);
    if (result < 0) this.#lineShort(client, line, result);
    return result;
  }

  *freeLine(client: IrqClient, action: IrqAction): Process {
    const { line } = this.#irqsOf(client);
    if (line !== null) yield* this.#lines.free(line, action);
  }

  disableLine(client: IrqClient): void {
    const { line } = this.#irqsOf(client);
    if (line !== null) this.#lines.disable(line);
  }

  enableLine(client: IrqClient): void {
    const { line } = this.#irqsOf(client);
    if (line !== null) this.#lines.enable(line);
  }

  /** Hot path. */
  message(client: IrqClient, kind: "msi" | "msix", vector: number): void {
    const irqs = client.irqState;
    if (irqs === undefined) {
      client.lost(kind, vector, "dropped-no-handler");
      return;
    }
    const posted = irqs.posted[vector];
    if (posted !== null && posted !== undefined && irqs.kind === kind) {
      posted.post();
      return;
    }
    const action = irqs.actions[vector];
    if (action === null || action === undefined || irqs.kind !== kind) {
      irqs.unhandled(kind, vector);
      return;
    }
    this.#env.clock.spend(this.#env.costs.irqEntry);
    action.handleIrq();
  }

  /** Hot path. */
  wire(client: IrqClient, asserted: boolean): void {
    const irqs = client.irqState ?? this.#irqsOf(client);
    const { line } = irqs;
    if (line === null || irqs.wireHigh === asserted) return;
    irqs.wireHigh = asserted;
    if (!asserted) {
      line.high--;
      return;
    }
    line.high++;
    this.#lines.deliver(line);
  }

  latched(client: IrqClient, kind: "msi" | "msix", vector: number): boolean {
    const irqs = client.irqState;
    return irqs !== undefined && irqs.kind === kind && irqs.latched(vector);
  }

  report(): PoolReport {
    return { ...this.#env.samples.report(), linesSwitchedOff: this.#lines.switchedOff };
  }

  holdings(): HoldingsReport {
    return {
      dynamic: this.canAllocDynamically,
      flushes: this.remapping !== null,
      devices: this.#clients.map((irqs) => ({
        device: irqs.client.fn.name,
        held: irqs.held.report(),
      })),
      failures: this.#failures.counts(),
      shortages: this.#failures.last(),
    };
  }

  inspect(): PoolInspection {
    return {
      irqs: this.#env.samples.irqs,
      lines: this.#lines.opened,
      matrix: this.#x86?.matrix.inspect() ?? null,
      tables: this.#tables?.inspect() ?? [],
    };
  }

  #lineShort({ fn }: IrqClient, line: IoApicLine, got: number): void {
    this.#shortages.settle(line, { device: fn.name, kind: "intx", asked: 1, got });
  }

  #lineIrq({ line }: IrqClient): number {
    return this.#lineIrqs?.[line - FIRST_PIRQ_PIN] ?? line;
  }

  #irqsOf(client: IrqClient): ClientIrqs {
    if (client.irqState !== undefined) return client.irqState;
    const { msi, msix } = client.fn;
    const size = Math.max(msi?.vectors ?? 0, msix?.vectors ?? 0);
    client.irqState = new ClientIrqs(client, size, this.#lines.at(client.line), this.#env.clock);
    this.#clients.push(client.irqState);
    return client.irqState;
  }
}
