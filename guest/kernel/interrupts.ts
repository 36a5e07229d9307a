/** The vCPUs' interrupt delivery: from the virtual APIC to the driver's handler and the EOI. */
import { FATE, FateCounts } from "../../src/measure/fates.ts";
import { StageRecorder } from "../../src/measure/stages.ts";
import type { GuestPlan, MachineEnv } from "../../src/run/contract.ts";
import type { GuestPort } from "../../src/shm/border.ts";
import { STAMP_SIGNALLED } from "../../src/shm/stamps.ts";
import type { VirtualMachine } from "../vmm/types.ts";
import { type IrqTable, NO_ROW } from "./irq-table.ts";

/** Columns of stages.ts MOMENTS that the guest fills; the first three are the host's. */
const WOKEN = 3;
const INJECTED = 4;
const ISR = 5;
const MOMENTS = 6;

const DELIVERED = FATE.delivered;
const UNHANDLED = FATE["dropped-guest-unhandled"];
const RESET = FATE["dropped-guest-reset"];
const PENDING = FATE["pending-guest"];
const COALESCED_IRR = FATE["coalesced-irr"];

/**
 * A token in the virtual APIC belongs to the guest as soon as it is taken. While the vCPUs do not
 * take interrupts (halted after a panic, in reset, in firmware) taken requests are held here, as an
 * IRR would, so that the loop's poll set still runs empty.
 */
export class GuestInterrupts {
  readonly table: IrqTable;
  /** Handlers that ran and took their interrupt. */
  delivered = 0;
  /** Vectors that nobody handled. */
  spurious = 0;
  /** A level that was injected again for an assertion already delivered: no token of its own. */
  repeated = 0;
  readonly #env: MachineEnv;
  readonly #port: GuestPort;
  readonly #vm: VirtualMachine;
  readonly #fates: FateCounts;
  readonly #stages: StageRecorder;
  readonly #full: boolean;
  /** The engine's wake-up is the kick of an irqfd; a VMM that injects kicks the vCPU itself. */
  readonly #kicked: boolean;
  readonly #taken: Int32Array;
  readonly #moments = new Float64Array(MOMENTS);
  readonly #held: Uint8Array;
  #heldCount = 0;
  #accepting = false;

  constructor(
    env: MachineEnv,
    port: GuestPort,
    vm: VirtualMachine,
    table: IrqTable,
    plan: GuestPlan,
  ) {
    this.#env = env;
    this.#port = port;
    this.#vm = vm;
    this.table = table;
    this.#fates = new FateCounts(port.shape.rows, port.guestFates);
    this.#full = plan.stages === "full";
    this.#kicked = plan.spec.path === "userspace";
    this.#stages = new StageRecorder(this.#full);
    this.#taken = new Int32Array(vm.vcpus * 256);
    this.#held = new Uint8Array(vm.vcpus * 256);
  }

  get stages(): StageRecorder {
    return this.#stages;
  }

  /** True while vCPUs take interrupts. */
  get accepting(): boolean {
    return this.#accepting;
  }

  /** The kernel runs with interrupts on; what was held is delivered now. */
  enable(): void {
    this.#accepting = true;
    if (this.#heldCount === 0) return;
    const woken = this.#env.clock.now();
    for (let slot = 0; slot < this.#held.length; slot++) {
      if (this.#held[slot] === 0) continue;
      this.#held[slot] = 0;
      this.#dispatch(slot, woken);
    }
    this.#heldCount = 0;
  }

  /** The vCPUs stop taking interrupts: panic, reset, end. */
  disable(): void {
    this.#accepting = false;
  }

  /** Takes what is in the virtual APIC; returns how many vectors there were. Hot path. */
  poll(): number {
    const apic = this.#port.apic;
    if (!apic.pending()) return 0;
    const woken = this.#full ? this.#env.clock.now() : 0;
    const taken = this.#taken;
    const count = apic.take(taken);
    if (!this.#accepting) {
      for (let i = 0; i < count; i++) this.#hold(taken[i]!);
      return count;
    }
    for (let i = 0; i < count; i++) this.#dispatch(taken[i]!, woken);
    return count;
  }

  /** Reset of the vCPUs: IRRs are cleared, what was in them is lost. */
  reset(): void {
    this.#accepting = false;
    this.#takeAll();
    this.#empty(RESET);
  }

  /** At the end: what still waits is pending. Call once. */
  settle(): void {
    this.#takeAll();
    this.#empty(PENDING);
  }

  #takeAll(): void {
    const count = this.#port.apic.take(this.#taken);
    for (let i = 0; i < count; i++) this.#hold(this.#taken[i]!);
  }

  #empty(fate: number): void {
    for (let slot = 0; slot < this.#held.length; slot++) {
      if (this.#held[slot] === 0) continue;
      this.#held[slot] = 0;
      this.#end(slot, fate);
    }
    this.#heldCount = 0;
  }

  #hold(slot: number): void {
    if (this.#held[slot] === 0) {
      this.#held[slot] = 1;
      this.#heldCount++;
      return;
    }
    // A level has one token at most; what is injected again for it is no other.
    const row = this.table.rows[slot]!;
    if (row !== NO_ROW && this.table.level[slot] === 0) this.#fates.count(row, COALESCED_IRR);
  }

  /** A token that reaches no handler. */
  #end(slot: number, fate: number): void {
    const row = this.table.rows[slot]!;
    if (row === NO_ROW) return;
    const stamped = this.#port.stamps.take(row, this.#moments);
    if (stamped || this.table.level[slot] === 0) this.#fates.count(row, fate);
  }

  #dispatch(slot: number, wokenNs: number): void {
    const { clock, costs } = this.#env;
    const handler = this.table.handlers[slot]!;
    let injected = 0;
    if (this.#kicked) clock.spend(costs.vcpuKick);
    if (this.#full) injected = clock.now();
    clock.spend(costs.guestIsrEntry);
    if (handler === null) this.#unhandled(slot);
    else {
      const row = this.table.rows[slot]!;
      const moments = this.#moments;
      const stamped = this.#port.stamps.take(row, moments);
      if (stamped) moments[ISR] = clock.now();
      if (!handler.handleIrq(slot)) this.#unhandled(slot);
      else if (stamped || this.table.level[slot] === 0) {
        if (stamped) this.#record(wokenNs, injected);
        this.#fates.count(row, DELIVERED);
        this.delivered++;
      } else this.repeated++;
      clock.spend(costs.guestIsr);
      if (handler.ownsEoi) return;
    }
    if (this.table.level[slot] !== 0) this.eoi(slot);
  }

  /** End of a level-triggered interrupt. */
  eoi(slot: number): void {
    this.#vm.eoi(slot >> 8, slot & 0xff);
  }

  #record(wokenNs: number, injectedNs: number): void {
    const moments = this.#moments;
    if (this.#full) {
      // Signalled after the loop had looked at the clock: it noticed no earlier than that.
      const woken = Math.max(wokenNs, moments[STAMP_SIGNALLED]!);
      moments[WOKEN] = woken;
      moments[INJECTED] = Math.max(injectedNs, woken);
    }
    this.#stages.record(moments);
  }

  #unhandled(slot: number): void {
    this.spurious++;
    this.#end(slot, UNHANDLED);
    const row = this.table.rows[slot]!;
    const vector = slot & 0xff;
    this.#env.tracer.emit("guest_spurious_vector", { vcpu: slot >> 8, vector, row });
  }
}
