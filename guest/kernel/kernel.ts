/** One booted guest kernel: what drivers find there. A reboot makes a new one. */
import type { DeviceRows } from "../../src/measure/rows.ts";
import type { GuestPlan, MachineEnv } from "../../src/run/contract.ts";
import type { Process } from "../../src/time/process.ts";
import type { Task } from "../../src/time/scheduler.ts";
import type { VirtualMachine } from "../vmm/types.ts";
import {
  type Choices,
  GUEST_KERNELS,
  type GuestKernelRules,
  type IrqCore,
  Numbers,
} from "./guest-irq.ts";
import type { GuestInterrupts } from "./interrupts.ts";
import type { IrqTable } from "./irq-table.ts";
import { VectorMatrix } from "./vector-matrix.ts";

/** Numbers of message interrupts begin behind the IOAPIC's pins. */
const FIRST_MSI_IRQ = 24;

/** What may be other than Linux 6.12's own. */
export interface KernelOptions {
  readonly rules?: GuestKernelRules;
  readonly choices?: Choices;
}

export class GuestKernel implements IrqCore {
  readonly env: MachineEnv;
  readonly plan: GuestPlan;
  readonly vm: VirtualMachine;
  readonly interrupts: GuestInterrupts;
  readonly matrix: VectorMatrix;
  readonly table: IrqTable;
  readonly rules: GuestKernelRules;
  readonly choices: Choices | null;
  readonly irqNumbers: Numbers;
  readonly entries = new Numbers(0);
  readonly #tasks = new Set<Task>();
  #online: number[];

  constructor(
    env: MachineEnv,
    plan: GuestPlan,
    vm: VirtualMachine,
    interrupts: GuestInterrupts,
    options: KernelOptions = {},
  ) {
    this.env = env;
    this.plan = plan;
    this.vm = vm;
    this.interrupts = interrupts;
    this.rules = options.rules ?? GUEST_KERNELS[plan.spec.kernel ?? "linux-6.12"];
    this.choices = options.choices ?? null;
    // Choices of others know which vectors the rest of the machine has.
    this.matrix = new VectorMatrix(vm.vcpus, this.choices === null ? undefined : () => 0);
    // The root port before each device has an interrupt of its own.
    this.irqNumbers = new Numbers(FIRST_MSI_IRQ + vm.functions.length);
    this.table = interrupts.table;
    this.#online = Array.from({ length: vm.vcpus }, (_, vcpu) => vcpu);
  }

  get online(): readonly number[] {
    return this.#online;
  }

  /** False if `vcpu` is not there, is so already, or is the last one online. */
  setOnline(vcpu: number, on: boolean): boolean {
    const is = this.#online.includes(vcpu);
    if (vcpu < 0 || vcpu >= this.vm.vcpus || is === on) return false;
    if (!on && this.#online.length === 1) return false;
    const rest = this.#online.filter((other) => other !== vcpu);
    this.#online = on ? [...rest, vcpu].sort((a, b) => a - b) : rest;
    return true;
  }

  /** maxcpus=1, and whatever runs before a kernel does. */
  bootProcessorOnly(): void {
    for (let vcpu = 1; vcpu < this.vm.vcpus; vcpu++) this.setOnline(vcpu, false);
  }

  spawn(name: string, process: Process): void {
    for (const task of this.#tasks) if (task.done) this.#tasks.delete(task);
    this.#tasks.add(this.env.scheduler.spawn(name, process, this.plan.spec.name));
  }

  /** No more code of it runs. */
  halt(): void {
    for (const task of this.#tasks) this.env.scheduler.kill(task);
    this.#tasks.clear();
  }

  /** Kernel messages about a device that did not work: the guest goes on. */
  driverError(rows: DeviceRows, what: string, errno: number): void {
    this.env.tracer.emit("guest_driver_error", { device: rows.device, what, errno });
  }
}
