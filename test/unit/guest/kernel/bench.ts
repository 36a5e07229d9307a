/** What guest tests stand on: a fake VM, its border, a virtual clock, and a run to rest. */
import { GuestInterrupts } from "../../../../guest/kernel/interrupts.ts";
import { IrqTable } from "../../../../guest/kernel/irq-table.ts";
import { Prng } from "../../../../src/base/prng.ts";
import { FATE, type Fate, FateCounts } from "../../../../src/measure/fates.ts";
import { layoutRows } from "../../../../src/measure/rows.ts";
import type { GuestPlan, MachineEnv } from "../../../../src/run/contract.ts";
import type {
  DeviceSpec,
  GuestSpec,
  TimelineEntry,
  WorkloadSpec,
} from "../../../../src/scenario/types.ts";
import { createBorder, guestPort, hostPort, requestInterrupt } from "../../../../src/shm/border.ts";
import { DEFAULT_COSTS } from "../../../../src/time/costs.ts";
import type { Process } from "../../../../src/time/process.ts";
import { Scheduler } from "../../../../src/time/scheduler.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";
import { TraceRecorder } from "../../../../src/trace/trace.ts";
import { FakeVm } from "./fake-vm.ts";

export const NVME: DeviceSpec = { name: "n64", model: "nvme", msixVectors: 64, msiVectors: 1 };
export const EDU: DeviceSpec = { name: "edu0", model: "edu", msixVectors: 0, msiVectors: 1 };

export interface BenchOptions {
  readonly vcpus?: number;
  readonly device?: DeviceSpec;
  readonly workload?: Partial<WorkloadSpec>;
  readonly timeline?: readonly TimelineEntry[];
  readonly stages?: "full" | "ends";
  readonly path?: "irqfd" | "userspace";
}

export class Bench {
  readonly clock = new VirtualClock();
  readonly scheduler = new Scheduler(this.clock);
  readonly vm: FakeVm;
  readonly plan: GuestPlan;
  readonly env: MachineEnv & { tracer: TraceRecorder };
  readonly host;
  readonly guest;
  readonly fates: FateCounts;
  readonly #sent: number[];

  constructor(options: BenchOptions = {}) {
    const device = options.device ?? NVME;
    const vcpus = options.vcpus ?? 2;
    const rows = layoutRows([
      { name: device.name, msi: device.msiVectors, msix: device.msixVectors },
    ]);
    const spec: GuestSpec = {
      name: "g1",
      vmm: "qemu",
      vmmVersion: "10.0",
      vcpus,
      devices: [device.name],
      driver: device.model === "edu" ? "edu" : "nvme",
      path: options.path ?? "irqfd",
      workload: { arrivals: "none", rate: 0, per: "queue", depth: 1, ...options.workload },
      timeline: options.timeline ?? [],
    };
    const doorbells = [{ base: 0, count: 128 }];
    const stages = options.stages ?? "full";
    this.plan = { spec, devices: [device], rows, doorbells, stages };
    const count = 1 + device.msiVectors + device.msixVectors;
    const shape = {
      eventfds: 8,
      doorbells: 128,
      vcpus,
      rows: count,
      fateDoubles: FateCounts.length(count),
      ring: { slots: 8, slotBytes: 256 },
    };
    const memory = createBorder(shape);
    const waker = { wake: (): void => {} };
    this.host = hostPort(memory, shape, () => waker);
    this.guest = guestPort(memory, shape, () => waker);
    this.fates = new FateCounts(count, this.guest.guestFates);
    this.#sent = new Array(count).fill(0);
    this.vm = new FakeVm(vcpus, [device], rows, this.guest);
    this.env = {
      clock: this.clock,
      scheduler: this.scheduler,
      costs: DEFAULT_COSTS,
      tracer: new TraceRecorder(this.clock, "g1"),
      random: (name) => Prng.stream(1, name),
    };
  }

  interrupts(): GuestInterrupts {
    return new GuestInterrupts(
      this.env,
      this.guest,
      this.vm,
      new IrqTable(this.vm.vcpus),
      this.plan,
    );
  }

  /** Runs `process` to its end and returns its result. */
  run<T>(process: Process<T>): T {
    let result: { value: T } | null = null;
    function* wrapped(): Process {
      result = { value: yield* process };
    }
    this.scheduler.spawn("test", wrapped());
    while (result === null && this.scheduler.runNext()) {}
    return result!.value;
  }

  /** Runs events up to `ns` of virtual time. */
  advance(ns: number): void {
    while (this.scheduler.runNext(ns)) {}
  }

  /** The host's half of a delivery: a token of `row`, requested and logged; a line's counts. */
  inject(row: number, slot: number, stamps: readonly number[] = []): void {
    const now = this.clock.now();
    const [raised = now, handler = raised, signalled = handler] = stamps;
    if (row === this.plan.rows[0]!.base) this.host.levelTokens.add(row);
    this.request(slot);
    this.host.log.append(row, this.#sent[row]!++, raised, handler, signalled);
  }

  /** A request that brings no token: a level that is high still, or a vector of nobody. */
  request(slot: number): void {
    requestInterrupt(this.host, slot >> 8, slot & 0xff);
  }

  count(row: number, fate: Fate): number {
    return this.fates.get(row, FATE[fate]);
  }

  points(): string[] {
    return this.env.tracer.events.map((event) => event.point);
  }
}
