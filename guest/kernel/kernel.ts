/** One booted guest kernel: what drivers find there. A reboot makes a new one. */
import type { DeviceRows } from "../../src/measure/rows.ts";
import type { GuestPlan, MachineEnv } from "../../src/run/contract.ts";
import type { VirtualMachine } from "../vmm/types.ts";
import type { GuestInterrupts } from "./interrupts.ts";
import type { IrqTable } from "./irq-table.ts";
import type { IrqCore } from "./irq-vectors.ts";
import { VectorMatrix } from "./vector-matrix.ts";

export class GuestKernel implements IrqCore {
  readonly env: MachineEnv;
  readonly plan: GuestPlan;
  readonly vm: VirtualMachine;
  readonly interrupts: GuestInterrupts;
  readonly matrix: VectorMatrix;
  readonly table: IrqTable;
  #online: number[];

  constructor(env: MachineEnv, plan: GuestPlan, vm: VirtualMachine, interrupts: GuestInterrupts) {
    this.env = env;
    this.plan = plan;
    this.vm = vm;
    this.interrupts = interrupts;
    this.matrix = new VectorMatrix(vm.vcpus);
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

  /** Kernel messages about a device that did not work: the guest goes on. */
  driverError(rows: DeviceRows, what: string, errno: number): void {
    this.env.tracer.emit("guest_driver_error", { device: rows.device, what, errno });
  }
}
