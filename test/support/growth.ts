/**
 * QEMU on the host model with a guest kernel's hands, without the guest: a VF grows vector by
 * vector while one of its queues interrupts, or several are set up at once as after a migration.
 */
import { expect } from "vitest";
import {
  IAVF_BAR,
  ICE_VF_QUEUES,
  VFINT_DYN_CTL_INTENA,
  VFINT_DYN_CTLN1,
} from "../../guest/driver/iavf-regs.ts";
import { createVmm } from "../../guest/vmm/create.ts";
import type { VirtualFunction, VirtualMachine } from "../../guest/vmm/types.ts";
import { createHost } from "../../host/host.ts";
import { Prng } from "../../src/base/prng.ts";
import { FATES, type Fate } from "../../src/measure/fates.ts";
import type { HostMachine, MachineEnv } from "../../src/run/contract.ts";
import { borderShape, planGuests } from "../../src/run/plan.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";
import type { Scenario } from "../../src/scenario/types.ts";
import { createBorder, guestPort, hostPort } from "../../src/shm/border.ts";
import { DEFAULT_COSTS } from "../../src/time/costs.ts";
import type { Process } from "../../src/time/process.ts";
import { Scheduler } from "../../src/time/scheduler.ts";
import { VirtualClock } from "../../src/time/virtual-clock.ts";

const NOBODY = () => ({ wake: () => {} });
const PCI_COMMAND = 4;
const MEMORY_AND_MASTER = 6;
/** Of an ice-vf, which has no INTx that could take what MSI-X cannot. */
const MSIX_CAP = 0x70;
const TABLE_BAR = 3;

export interface Growth {
  readonly allocations: number;
  readonly raised: number;
  readonly injected: number;
  readonly fates: Partial<Record<Fate, number>>;
  readonly held: number;
}

export function sum(list: readonly number[]): number {
  return list.reduce((a, b) => a + b, 0);
}

/** Queue 1 interrupts on vector 1 at `rate`. */
export function growthScenario(
  kernel: string,
  vmmVersion: string,
  msixVectors: number,
  rate: string,
) {
  return scenarioFromData({
    name: "growth",
    host: { kernel, cpus: 16, irtes: 65_536 },
    devices: [{ name: "vf", model: "ice-vf", msixVectors }],
    guests: [
      { name: "g", vcpus: 2, vmmVersion, device: "vf", workload: { arrivals: "fixed", rate } },
    ],
    duration: "1s",
  });
}

/** QEMU on the host model, with a guest kernel's hands. */
export class Machine {
  readonly #clock = new VirtualClock();
  readonly #scheduler = new Scheduler(this.#clock);
  readonly #host: HostMachine;
  readonly #vm: VirtualMachine;
  /** The one under the guest's hands. */
  #fn: VirtualFunction;
  readonly #taken: Int32Array;
  #loadAt = Number.POSITIVE_INFINITY;

  constructor(scenario: Scenario) {
    const plan = planGuests(scenario)[0]!;
    const env: MachineEnv = {
      clock: this.#clock,
      scheduler: this.#scheduler,
      costs: { ...DEFAULT_COSTS, ...scenario.costs },
      tracer: { emit: () => {} },
      random: (name) => Prng.stream(1, name),
    };
    const shape = borderShape(plan);
    const memory = createBorder(shape);
    this.#host = createHost(env, scenario.host, scenario.devices);
    this.#host.attach(0, plan, hostPort(memory, shape, NOBODY));
    this.#vm = createVmm(env, plan, guestPort(memory, shape, NOBODY));
    this.#fn = this.#vm.functions[0]!;
    this.#taken = new Int32Array(plan.spec.vcpus * 256);
  }

  /** MSI-X is on, the VF's first queue about to interrupt. */
  powerOn(): void {
    this.realize();
    this.enableMsix();
  }

  realize(): void {
    this.#run(this.#vm.realize());
    for (const fn of this.#vm.functions) {
      this.#run(this.#vm.configWrite(fn, PCI_COMMAND, 2, MEMORY_AND_MASTER));
    }
  }

  enableMsix(): void {
    this.#run(this.#vm.configWrite(this.#fn, MSIX_CAP + 2, 2, 0x8000));
  }

  /** From now on it is the `nth` function that is written to. */
  turnTo(nth: number): void {
    this.#fn = this.#vm.functions[nth]!;
  }

  /** The VM goes to another QEMU, which finds its devices as the guest has set them up. */
  migrate(): void {
    this.#run(this.#vm.migrate!());
  }

  /** What QEMU has counted. */
  counted(name: string): number {
    return this.#vm.counters()[name] ?? 0;
  }

  /** System calls so far. */
  ioctls(name: string): number {
    return this.#host.report().ioctls[name] ?? 0;
  }

  startQueue(): void {
    this.#write(IAVF_BAR, VFINT_DYN_CTLN1, VFINT_DYN_CTL_INTENA);
    this.#write(IAVF_BAR, ICE_VF_QUEUES, 1);
  }

  unmask(vector: number): void {
    this.#write(TABLE_BAR, 16 * vector, 0xfee0_0000);
    this.#write(TABLE_BAR, 16 * vector + 8, 0x40 + (vector % 128));
    this.#write(TABLE_BAR, 16 * vector + 12, 0);
  }

  end(): Growth {
    this.#host.quiesce();
    this.#host.settle();
    const { guests, retention } = this.#host.report();
    const { raised, injected, fates } = guests[0]!;
    const ofFate = (fate: number): number => sum(fates.filter((_, i) => i % FATES.length === fate));
    return {
      allocations: sum(retention.devices.map(({ held }) => held.allocations)),
      raised: sum(raised),
      injected: sum(injected),
      fates: Object.fromEntries(
        FATES.map((fate, i) => [fate, ofFate(i)] as const).filter(([, n]) => n > 0),
      ),
      held: this.#host.inspect("vf").held.length,
    };
  }

  #write(bar: number, offset: number, value: number): void {
    this.#run(this.#vm.mmioWrite(this.#fn, bar, offset, 4, value));
  }

  #run(process: Process): void {
    const task = this.#scheduler.spawn("vcpu", process);
    for (;;) {
      if (this.#host.poll() + this.#vm.poll() > 0) continue;
      if (task.done && !this.#host.busy()) break;
      this.#awaitLoad();
      if (!this.#scheduler.runOn(Number.POSITIVE_INFINITY)) break;
    }
    expect(task.done).toBe(true);
    this.#vm.lapics.collect();
    this.#vm.lapics.take(this.#taken);
  }

  /** The device goes on interrupting while a call is under way. */
  #awaitLoad(): void {
    const next = this.#host.nextAt();
    if (next >= this.#loadAt) return;
    this.#loadAt = Math.max(next, this.#clock.now());
    const due = (): void => {
      this.#loadAt = Number.POSITIVE_INFINITY;
    };
    this.#scheduler.at(this.#loadAt, due, "load");
  }
}

/** Vectors 0 to `vectors` - 1 are unmasked one by one; 1 interrupts as soon as it can. */
export function grow(kernel: string, vmmVersion: string, vectors: number, rate: string): Growth {
  const machine = new Machine(growthScenario(kernel, vmmVersion, vectors, rate));
  machine.powerOn();
  for (let v = 0; v < vectors; v++) {
    machine.unmask(v);
    if (v === 1) machine.startQueue();
  }
  const growth = machine.end();
  expect(growth.held).toBe(vectors);
  // Nothing is unaccounted for: what went on to the guest, and what the host knows the fate of.
  expect(growth.injected + sum(Object.values(growth.fates))).toBe(growth.raised);
  return growth;
}

export interface SetUp {
  /** KVM_SET_GSI_ROUTING. */
  readonly calls: number;
  /** Until all devices are as the guest had them. */
  readonly ns: number;
}

/**
 * The end of a migration: QEMU turns MSI-X of each device on with all its vectors live. `perIrqfd`
 * is what a call costs for each irqfd that is there.
 */
export function afterMigration(
  devices: number,
  vectors: number,
  defersRoutes: boolean,
  perIrqfd: string,
): SetUp {
  const names = Array.from({ length: devices }, (_, i) => `vf${i}`);
  const machine = new Machine(
    scenarioFromData({
      name: "set-up",
      host: { cpus: 16 },
      devices: names.map((name) => ({ name, model: "ice-vf", msixVectors: vectors })),
      guests: [{ name: "g", vcpus: 2, devices: names, defersRoutes }],
      duration: "1s",
      costs: { kvmRoutingPerIrqfd: perIrqfd },
    }),
  );
  machine.realize();
  for (let device = 0; device < devices; device++) {
    machine.turnTo(device);
    for (let v = 0; v < vectors; v++) machine.unmask(v);
    machine.enableMsix();
  }
  const before = machine.ioctls("KVM_SET_GSI_ROUTING");
  machine.migrate();
  const calls = machine.ioctls("KVM_SET_GSI_ROUTING") - before;
  return { calls, ns: machine.counted("migration_ns") };
}
