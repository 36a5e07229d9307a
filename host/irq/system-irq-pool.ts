/** The pool as drivers see it: PCI/MSI and request_irq of one machine, over its domains. */
import { EBUSY, EINVAL, ENODEV } from "../../src/base/errno.ts";
import type { PoolReport } from "../../src/run/contract.ts";
import { type Process, sleep } from "../../src/time/process.ts";
import type { IoApicLines, LinesEnv } from "./ioapic-lines.ts";
import { ClientIrqs } from "./irq-desc.ts";
import type { MsiDomain } from "./msi-domain.ts";
import { PciMsi } from "./pci-msi.ts";
import type { IrqAction, IrqClient, IrqPool } from "./types.ts";
import type { VectorMatrix } from "./vector-matrix.ts";
import type { IrTable } from "./vtd.ts";

export class SystemIrqPool implements IrqPool {
  readonly canAllocDynamically: boolean;
  /** For those who look at the pool as the recordings do: `pool` and `irte`. */
  readonly matrix: VectorMatrix;
  readonly table: IrTable | null;
  readonly #env: LinesEnv;
  readonly #domain: MsiDomain;
  readonly #msi: PciMsi;
  readonly #lines: IoApicLines;
  readonly #flushNs: number;

  /** `dynamicMsix`: what the kernel can; both x86 domains are able to add vectors. */
  constructor(lines: IoApicLines, domain: MsiDomain, dynamicMsix: boolean) {
    const { env } = lines;
    this.canAllocDynamically = dynamicMsix;
    this.matrix = env.matrix;
    this.table = env.table;
    this.#env = env;
    this.#domain = domain;
    this.#msi = new PciMsi(domain, env.costs);
    this.#lines = lines;
    this.#flushNs = env.table === null ? 0 : env.costs.iecFlush;
  }

  *pciAllocIrqVectors(
    client: IrqClient,
    min: number,
    max: number,
    kind: "msi" | "msix",
  ): Process<number> {
    const irqs = this.#irqsOf(client);
    if (kind === "msix") return yield* this.#msi.enableMsixRange(irqs, min, max);
    return yield* this.#msi.enableMsiRange(irqs, min, max);
  }

  *pciFreeIrqVectors(client: IrqClient): Process {
    yield* this.#msi.disable(this.#irqsOf(client));
  }

  *pciMsixAllocIrqAt(client: IrqClient, index: number): Process<number> {
    if (!this.canAllocDynamically) return -EINVAL;
    return yield* this.#msi.msixAllocIrqAt(this.#irqsOf(client), index);
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
    return Math.max(client.line, 0);
  }

  *requestIrq(client: IrqClient, index: number, action: IrqAction): Process<number> {
    const irqs = this.#irqsOf(client);
    if (!irqs.holds(index)) return -EINVAL;
    if (irqs.actions[index] !== null) return -EBUSY;
    yield* sleep(this.#env.costs.requestIrq + this.#flushNs);
    if (irqs.vectors[index]! < 0) {
      const assigned = this.#domain.assignVector(irqs, index);
      if (assigned < 0) return assigned;
    }
    irqs.activate(index);
    irqs.actions[index] = action;
    this.#msi.startup(irqs, index);
    irqs.replay(index, this.#env.clock, this.#env.costs.irqEntry);
    return 0;
  }

  *freeIrq(client: IrqClient, index: number): Process {
    const irqs = this.#irqsOf(client);
    if (!irqs.holds(index) || irqs.actions[index] === null) return;
    this.#msi.shutdown(irqs, index);
    irqs.actions[index] = null;
    irqs.shutdown(index);
    try {
      yield* sleep(this.#env.costs.freeIrq + this.#flushNs);
    } finally {
      if (irqs.holds(index) && this.#msi.canReserve(irqs)) this.#domain.returnVector(irqs, index);
    }
  }

  *openLine(client: IrqClient): Process<number> {
    const { line } = this.#irqsOf(client);
    if (line === null) return 0;
    const result = yield* this.#lines.open(client, line);
    if (result === 0) this.wire(client, client.fn.intxWire);
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
    return yield* this.#lines.request(line, action, shared, autoEnable);
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
    return this.#env.samples.report();
  }

  #irqsOf(client: IrqClient): ClientIrqs {
    if (client.irqState !== undefined) return client.irqState;
    const { msi, msix } = client.fn;
    const size = Math.max(msi?.vectors ?? 0, msix?.vectors ?? 0);
    client.irqState = new ClientIrqs(client, size, this.#lines.at(client.line));
    return client.irqState;
  }
}
