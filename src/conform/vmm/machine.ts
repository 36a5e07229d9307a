/** A VM process of a recording: a VMM on the host model, on one virtual clock. */
import { assert } from "../../base/assert.ts";
import { Prng } from "../../base/prng.ts";
import { layoutRows } from "../../measure/rows.ts";
import type { CreateHost, GuestPlan, HostMachine, MachineEnv } from "../../run/contract.ts";
import { borderShape } from "../../run/plan.ts";
import type { DeviceSpec, HostSpec } from "../../scenario/types.ts";
import type { GuestPort } from "../../shm/border.ts";
import { DEFAULT_COSTS } from "../../time/costs.ts";
import type { Process } from "../../time/process.ts";
import { Scheduler } from "../../time/scheduler.ts";
import { VirtualClock } from "../../time/virtual-clock.ts";
import { BorderTap } from "./border-tap.ts";
import type { RecordedVmm } from "./recording.ts";

/** An assigned device as the VMM knows it. */
export interface ReplayedFunction {
  readonly spec: DeviceSpec;
}

/** What a replay asks of a VMM; guest/vmm/types.ts says what each of it does. */
export interface ReplayedVmm {
  readonly functions: readonly ReplayedFunction[];
  onAbort: ((assertion: string) => void) | null;
  realize(present?: readonly ReplayedFunction[]): Process;
  systemReset(): Process;
  configWrite(fn: ReplayedFunction, offset: number, size: number, value: number): Process;
  mmioWrite(
    fn: ReplayedFunction,
    bar: number,
    offset: number,
    size: number,
    value: number,
  ): Process;
  routeIntx(fn: ReplayedFunction, pin: number): Process;
  ioapicWrite(pin: number, low: number, high: number): Process;
  eject(fn: ReplayedFunction): Process;
  plug(fn: ReplayedFunction): Process;
  poll(): number;
}

export type CreateVmm = (env: MachineEnv, plan: GuestPlan, port: GuestPort) => ReplayedVmm;

/** What one input may take: a reset of all devices is over in far less. */
const INPUT_NS = 5_000_000_000;
const VCPUS = 4;
/** The recorded host: two CPUs with interrupt remapping. */
const HOST: Omit<HostSpec, "kernel"> = {
  platform: "x86-vtd",
  cpus: 2,
  irtes: 65_536,
  vectorsPerCpu: 201,
  retention: "cache",
  nointxmask: false,
};
/** The number of the one guest. */
const GUEST = 0;

export class ReplayMachine {
  readonly vmm: ReplayedVmm;
  readonly tap: BorderTap;
  readonly host: HostMachine;
  /** The assertion that ended the VMM. */
  aborted: string | null = null;
  readonly #clock = new VirtualClock();
  readonly #scheduler = new Scheduler(this.#clock);

  constructor(
    sides: { readonly createHost: CreateHost; readonly createVmm: CreateVmm },
    recorded: RecordedVmm,
    devices: readonly DeviceSpec[],
  ) {
    const env: MachineEnv = {
      clock: this.#clock,
      scheduler: this.#scheduler,
      costs: DEFAULT_COSTS,
      tracer: { emit: () => {} },
      random: (name) => Prng.stream(0, name),
    };
    const plan = planFor(recorded, devices);
    this.host = sides.createHost(env, { ...HOST, kernel: recorded.kernel }, devices);
    this.tap = new BorderTap(borderShape(plan));
    this.tap.host = this.host;
    this.host.attach(GUEST, plan, this.tap.hostPort);
    this.vmm = sides.createVmm(env, plan, this.tap.guestPort);
    this.vmm.onAbort = (assertion) => {
      this.aborted = assertion;
    };
  }

  function(device: string): ReplayedFunction {
    const found = this.vmm.functions.find(({ spec }) => spec.name === device);
    assert(found !== undefined, `no device ${device}`);
    return found;
  }

  /** Runs a process of the VMM with all that follows from it; an abort ends it, too. */
  run(process: Process): void {
    const task = this.#scheduler.spawn("vcpu", process);
    this.settle();
    assert(task.done || this.aborted !== null, "an input has not ended");
  }

  /** Until nobody has anything to do but what waits for longer than any input takes. */
  settle(): void {
    const until = this.#clock.now() + INPUT_NS;
    for (;;) {
      const moved = this.host.poll() + this.tap.pump() + this.vmm.poll();
      if (moved === 0 && !this.#scheduler.runNext(until)) return;
    }
  }

  /** The process is gone, however it ended. */
  exit(): void {
    this.host.exit(GUEST, "end of recording");
    const until = this.#clock.now() + INPUT_NS;
    while (this.host.poll() > 0 || this.#scheduler.runNext(until)) {}
  }
}

function planFor(recorded: RecordedVmm, devices: readonly DeviceSpec[]): GuestPlan {
  const { version, path, irqchip } = recorded;
  return {
    spec: {
      name: "recorded",
      vmm: "qemu",
      vmmVersion: version,
      vcpus: VCPUS,
      devices: devices.map(({ name }) => name),
      driver: "nvme",
      path,
      irqchip,
      workload: { arrivals: "none", rate: 0, per: "device", depth: 0 },
      timeline: [],
    },
    devices,
    rows: layoutRows(
      devices.map(({ name, msiVectors, msixVectors }) => ({
        name,
        msi: msiVectors,
        msix: msixVectors,
      })),
    ),
    doorbells: devices.map(() => ({ base: 0, count: 0 })),
    stages: "ends",
  };
}
