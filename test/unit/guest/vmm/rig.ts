/** A VMM process on a virtual clock, its fake host, and hands for the guest. */
import { createVmm } from "../../../../guest/vmm/create.ts";
import type { VirtualFunction, VirtualMachine } from "../../../../guest/vmm/types.ts";
import { Prng } from "../../../../src/base/prng.ts";
import { FATES, type Fate, FateCounts } from "../../../../src/measure/fates.ts";
import { layoutRows } from "../../../../src/measure/rows.ts";
import type { GuestPlan, MachineEnv } from "../../../../src/run/contract.ts";
import { borderShape } from "../../../../src/run/plan.ts";
import type { GuestSpec } from "../../../../src/scenario/types.ts";
import { createBorder, type GuestPort, guestPort, hostPort } from "../../../../src/shm/border.ts";
import { DEFAULT_COSTS } from "../../../../src/time/costs.ts";
import type { Process } from "../../../../src/time/process.ts";
import { Scheduler } from "../../../../src/time/scheduler.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";
import { TraceRecorder } from "../../../../src/trace/trace.ts";
import { type FakeDevice, FakeHost } from "./fake-host.ts";

const NOBODY = () => ({ wake: () => {} });

export interface RigOptions extends Partial<FakeDevice> {
  readonly vmm?: GuestSpec["vmm"];
  /** Devices of the VM, all alike; default: one. */
  readonly functions?: number;
  readonly version?: GuestSpec["vmmVersion"];
  readonly path?: GuestSpec["path"];
  readonly irqchip?: GuestSpec["irqchip"];
  readonly intremap?: boolean;
  readonly vcpus?: number;
}

export interface Rig {
  readonly vm: VirtualMachine;
  readonly fn: VirtualFunction;
  readonly host: FakeHost;
  readonly port: GuestPort;
  readonly tracer: TraceRecorder;
  /** Runs a process of the guest to its end, with all that it causes. */
  run<T>(process: Process<T>): T;
  /** Runs until nothing is left to do. */
  settle(): void;
  /** Starts a process and runs the guest until it waits for the host, which does nothing. */
  begin(process: Process): void;
  /** Runs what is due without polling anybody. */
  events(): void;
  /** Powers on and forgets the calls that made. */
  powerOn(): void;
  fates(row: number): Partial<Record<Fate, number>>;
  row(kind: "intx" | "msi" | "msix", vector?: number): number;
  /** Vectors taken from the virtual APIC, as "vcpu:vector". */
  injected(): string[];
}

export function createRig(options: RigOptions = {}): Rig {
  const device: FakeDevice = { msixVectors: 4, msiVectors: 0, noresize: false, ...options };
  const plan = planFor(options, device);
  const shape = borderShape(plan);
  const memory = createBorder(shape);
  const port = guestPort(memory, shape, NOBODY);
  const host = new FakeHost(hostPort(memory, shape, NOBODY), device);
  const clock = new VirtualClock();
  const scheduler = new Scheduler(clock);
  const tracer = new TraceRecorder(clock, "g1");
  const env: MachineEnv = {
    clock,
    scheduler,
    costs: DEFAULT_COSTS,
    tracer,
    random: (name) => Prng.stream(1, name),
  };
  const vm = createVmm(env, plan, port);
  const fates = new FateCounts(shape.rows, port.guestFates);
  const turn = (): boolean => {
    const ran = scheduler.runNext();
    return host.poll() + vm.poll() > 0 || ran;
  };
  const settle = (): void => {
    while (turn());
  };
  return {
    vm,
    fn: vm.functions[0]!,
    host,
    port,
    tracer,
    settle,
    run<T>(process: Process<T>): T {
      let result: { value: T } | null = null;
      function* body(): Process {
        result = { value: yield* process };
      }
      scheduler.spawn("guest", body());
      settle();
      if (result === null) throw new Error("the process never ended");
      return (result as { value: T }).value;
    },
    begin(process) {
      scheduler.spawn("guest", process);
      while (scheduler.runNext()) vm.poll();
    },
    events() {
      while (scheduler.runNext());
    },
    powerOn() {
      this.run(vm.realize());
      host.take();
    },
    fates: (row) =>
      Object.fromEntries(
        FATES.map((fate, i) => [fate, fates.get(row, i)] as const).filter(([, n]) => n !== 0),
      ),
    row: (kind, vector = 0) => {
      const { base, msi } = plan.rows[0]!;
      if (kind === "intx") return base;
      return base + 1 + vector + (kind === "msix" ? msi : 0);
    },
    injected: () => {
      const out = new Int32Array(plan.spec.vcpus * 256);
      vm.lapics.collect();
      return Array.from(out.subarray(0, vm.lapics.take(out)), (v) => `${v >> 8}:${v & 0xff}`);
    },
  };
}

function planFor(options: RigOptions, device: FakeDevice): GuestPlan {
  const { vmm = "qemu", functions = 1 } = options;
  const names = Array.from({ length: functions }, (_, i) => `nvme${i}`);
  const spec: GuestSpec = {
    name: "g1",
    vmm,
    vmmVersion: options.version ?? (vmm === "qemu" ? "10.0" : "main"),
    vcpus: options.vcpus ?? 2,
    devices: names,
    driver: "nvme",
    path: options.path ?? (vmm === "dpdk" ? "userspace" : "irqfd"),
    ...(options.irqchip && { irqchip: options.irqchip }),
    ...(options.intremap && { intremap: true }),
    workload: { arrivals: "none", rate: 0, per: "queue", depth: 1 },
    timeline: [],
  } as GuestSpec;
  const { msixVectors, msiVectors } = device;
  const devices = names.map((name) => ({
    name,
    model: "nvme" as const,
    msixVectors,
    msiVectors,
  }));
  const rows = layoutRows(names.map((name) => ({ name, msi: msiVectors, msix: msixVectors })));
  const doorbells = names.map((_, i) => ({ base: 8 * i, count: 8 }));
  return { spec, devices, rows, doorbells, stages: "full" } as GuestPlan;
}

/** What a guest kernel writes. */
export class Hands {
  readonly #rig: Rig;
  readonly #fn: VirtualFunction;
  readonly #table: number;
  readonly #msixCap: number;

  constructor(rig: Rig, table = 0x2000, msixCap = 0x70, fn = rig.fn) {
    this.#rig = rig;
    this.#fn = fn;
    this.#table = table;
    this.#msixCap = msixCap;
  }

  /** Message Control: bit 15 enables, bit 14 masks the function. */
  control(value: number): void {
    const { vm } = this.#rig;
    this.#rig.run(vm.configWrite(this.#fn, this.#msixCap + 2, 2, value));
  }

  entry(vector: number, field: 0 | 4 | 8 | 12, value: number): void {
    const { vm } = this.#rig;
    this.#rig.run(vm.mmioWrite(this.#fn, 0, this.#table + 16 * vector + field, 4, value));
  }

  message(vector: number, vcpu: number, data: number): void {
    this.entry(vector, 0, 0xfee00000 + vcpu * 0x1000);
    this.entry(vector, 4, 0);
    this.entry(vector, 8, data);
  }

  mask(vector: number): void {
    this.entry(vector, 12, 1);
  }

  unmask(vector: number): void {
    this.entry(vector, 12, 0);
  }
}

/** Only the calls of one interrupt index, "MSIX" say. */
export function only(log: readonly string[], ...beginnings: string[]): string[] {
  return log.filter((line) => beginnings.some((begin) => line.startsWith(begin)));
}
