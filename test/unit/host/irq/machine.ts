/** A machine with nothing but an IRQ pool and PCI functions on a virtual clock. */
import { createIrqPool } from "../../../../host/irq/platform.ts";
import type { SystemIrqPool } from "../../../../host/irq/system-irq-pool.ts";
import type { IrqAction, IrqClient } from "../../../../host/irq/types.ts";
import { IrTable } from "../../../../host/irq/vtd.ts";
import { type CapabilitySpec, PciFunction } from "../../../../src/pci/function.ts";
import type { HostSpec } from "../../../../src/scenario/types.ts";
import { DEFAULT_COSTS } from "../../../../src/time/costs.ts";
import type { Process } from "../../../../src/time/process.ts";
import { Scheduler } from "../../../../src/time/scheduler.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";
import { TraceRecorder } from "../../../../src/trace/trace.ts";

/** The recorded machine: 201 vectors a CPU, 65,536 entries. */
export const RECORDED_HOST: HostSpec = {
  kernel: "linux-6.12",
  platform: "x86-vtd",
  cpus: 2,
  irtes: 65_536,
  vectorsPerCpu: 201,
  retention: "cache",
  nointxmask: false,
};

export interface FunctionShape {
  readonly msix?: number;
  readonly msi?: number;
  readonly perVectorMask?: boolean;
  /** 0 for a function without INTx. */
  readonly pin?: number;
  readonly line?: number;
  /** The bridge's requester ID, for a function behind one. */
  readonly requester?: string;
}

/** A client that remembers which interrupts were lost. */
export interface TestClient extends IrqClient {
  readonly lostLog: string[];
}

export class Machine {
  readonly clock = new VirtualClock();
  readonly scheduler = new Scheduler(this.clock);
  readonly trace = new TraceRecorder(this.clock, "host");
  readonly pool: SystemIrqPool;
  #functions = 0;

  constructor(host: Partial<HostSpec> = {}) {
    const env = { clock: this.clock, costs: DEFAULT_COSTS, tracer: this.trace };
    this.pool = createIrqPool({ ...RECORDED_HOST, ...host }, env);
  }

  /** The remapping table of an x86-vtd machine. */
  get table(): IrTable {
    const { remapping } = this.pool;
    if (!(remapping instanceof IrTable)) throw new Error("no VT-d in this machine");
    return remapping;
  }

  /** Runs a process, and all else that is due, to the end. */
  run<T>(process: Process<T>): T {
    let result: { value: T } | null = null;
    this.scheduler.spawn(
      "test",
      (function* (): Process {
        result = { value: yield* process };
      })(),
    );
    while (this.scheduler.runNext());
    if (result === null) throw new Error("the process did not end");
    return (result as { value: T }).value;
  }

  /** A function on the bus, as firmware leaves it: bus master on, everything else off. */
  client(shape: FunctionShape = {}): TestClient {
    const { msix = 0, msi = 0, perVectorMask = false, pin = 1, line = 16 } = shape;
    const pm: CapabilitySpec = { kind: "pm", offset: 0x40, noSoftReset: true, pme: false };
    const capabilities: CapabilitySpec[] = [pm];
    if (msi > 0)
      capabilities.push({ kind: "msi", offset: 0x50, vectors: msi, a64: true, perVectorMask });
    if (msix > 0) {
      const table = { bar: 0, offset: 0 };
      const pba = { bar: 0, offset: 0x8000 };
      capabilities.push({ kind: "msix", offset: 0x70, vectors: msix, table, pba });
    }
    const name = `f${this.#functions++}`;
    const fn = new PciFunction({
      name,
      capabilities,
      vendorId: 0x1b36,
      deviceId: 0x10,
      classCode: 0x010802,
      interruptPin: pin,
      command: 0x6,
      bars: [{ index: 0, kind: "mem64", size: 0x10000 }],
    });
    const lostLog: string[] = [];
    const client: TestClient = {
      fn,
      bdf: `0000:00:${(4 + this.#functions).toString(16).padStart(2, "0")}.0`,
      ...(shape.requester === undefined ? {} : { requester: shape.requester }),
      line: pin === 0 ? -1 : line,
      intxInService: false,
      lostLog,
      lost: (kind, vector, how) => lostLog.push(`${kind} ${vector} ${how}`),
    };
    fn.sink = {
      message: (kind, vector) => this.pool.message(client, kind, vector),
      wire: (asserted) => this.pool.wire(client, asserted),
      ended: (kind, vector, how) => lostLog.push(`${kind} ${vector} ${how}`),
    };
    return client;
  }

  enable(client: IrqClient, nvec: number, kind: "msi" | "msix" = "msix"): number {
    return this.run(this.pool.pciAllocIrqVectors(client, 1, nvec, kind));
  }

  /** As vfio_msi_enable: a short grant is given back at once, and its size returned. */
  vfioEnable(client: IrqClient, nvec: number, kind: "msi" | "msix" = "msix"): number {
    const granted = this.enable(client, nvec, kind);
    if (granted === nvec) return 0;
    if (granted > 0) this.disable(client);
    return granted;
  }

  disable(client: IrqClient): void {
    this.run(this.pool.pciFreeIrqVectors(client));
  }

  request(client: IrqClient, index: number, action: IrqAction = new Counter()): number {
    return this.run(this.pool.requestIrq(client, index, action));
  }

  free(client: IrqClient, index: number): void {
    this.run(this.pool.freeIrq(client, index));
  }

  /** Kernel messages since the last call. */
  klog(): string[] {
    const events = this.trace.events.splice(0);
    return events.filter((e) => e.point === "printk").map((e) => String(e.args.text));
  }
}

/** An interrupt handler that counts. */
export class Counter implements IrqAction {
  count = 0;

  handleIrq(): boolean {
    this.count++;
    return true;
  }
}
