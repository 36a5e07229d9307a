/** The vCPUs' interrupt delivery: from the virtual APIC to the driver's handler and the EOI. */
import { FATE, FateCounts } from "../../src/measure/fates.ts";
import { StageRecorder } from "../../src/measure/stages.ts";
import { LatencyWatch } from "../../src/measure/watch.ts";
import type { GuestPlan, MachineEnv } from "../../src/run/contract.ts";
import type { GuestPort } from "../../src/shm/border.ts";
import { NOT_SINGLE } from "../../src/shm/interrupt-queue.ts";
import type { VirtualMachine } from "../vmm/types.ts";
import { type IrqHandler, type IrqTable, NO_ROW } from "./irq-table.ts";
import { SampleRate } from "./sample-rate.ts";
import { LatencySamples, STAMP_INJECTED, STAMP_ISR, STAMP_WOKEN } from "./samples.ts";

const DELIVERED = FATE.delivered;
const UNHANDLED = FATE["dropped-guest-unhandled"];
const RESET = FATE["dropped-guest-reset"];
const PENDING = FATE["pending-guest"];
const COALESCED_IRR = FATE["coalesced-irr"];
/** Where an interrupt comes in that no vCPU takes. */
const NO_SLOT = -1;
/** Samples a busy guest lets wait for their other half. */
const UNPAIRED_MAX = 64;

/**
 * Requests are collected from the host in every turn of the loop. While the vCPUs do not take
 * interrupts (halted after a panic, in reset, in firmware) they wait in the local APICs.
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
  readonly #samples: LatencySamples;
  readonly #watch: LatencyWatch | null;
  /** Null where every interrupt is a sample: on a virtual clock, or for a watch. */
  readonly #rate: SampleRate | null;
  /** Rows of INTx: a request may bring no token, or several. */
  readonly #isLevel: Uint8Array;
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
    const { sleptUntil, onBreak = () => {} } = env;
    const limitNs = plan.breakOnNs;
    this.#watch = limitNs === undefined ? null : new LatencyWatch(limitNs, onBreak);
    this.#samples = new LatencySamples(
      port.log,
      this.#stages,
      port.shape.rows,
      sleptUntil,
      this.#watch,
    );
    const all = env.clock.kind === "virtual" || this.#watch !== null;
    this.#rate = all ? null : new SampleRate(port.log, env.clock);
    this.#isLevel = new Uint8Array(port.shape.rows);
    for (const { base } of plan.rows) this.#isLevel[base] = 1;
    this.#taken = new Int32Array(vm.vcpus * 256);
  }

  get stages(): StageRecorder {
    return this.#stages;
  }

  /** The last samples up to one beyond the limit, if there is one. */
  get watch(): LatencyWatch | null {
    return this.#watch;
  }

  /** True while vCPUs take interrupts. */
  get accepting(): boolean {
    return this.#accepting;
  }

  /** The kernel runs with interrupts on; what waited is delivered in the next turn. */
  enable(): void {
    this.#accepting = true;
  }

  /** The vCPUs stop taking interrupts: panic, reset, end. */
  disable(): void {
    this.#accepting = false;
  }

  /** True if a turn would do something. */
  pending(): boolean {
    const { lapics } = this.#vm;
    return lapics.pending() || (this.#accepting && lapics.waiting > 0);
  }

  /**
   * A look that delivers what it finds, if it is a single interrupt; true if it was. For a thread
   * that spins, and has nothing but this call between the look and the handler. Hot path.
   */
  catchSingle(): boolean {
    if (!this.#accepting || this.#full) return false;
    const single = this.#vm.lapics.takeSingle();
    if (single === NOT_SINGLE) return false;
    this.#dispatch(single);
    return true;
  }

  /** Collects and delivers interrupts; returns how much there was to do. Hot path. */
  poll(): number {
    const { lapics } = this.#vm;
    if (this.#full) this.#stampWoken();
    if (this.#accepting) {
      const single = lapics.takeSingle();
      if (single !== NOT_SINGLE) {
        this.#dispatch(single);
        return 1;
      }
      const posted = lapics.takePosted(this.#taken);
      if (posted > 0) return this.#dispatchAll(posted);
    }
    const collected = lapics.collect();
    if (lapics.mergedCount > 0) this.#countMerged();
    if (!this.#accepting || lapics.waiting === 0) {
      // Samples are for idle turns; the host's log is written while its interrupts are under way.
      if (this.#samples.unpaired > 0) this.#samples.pair();
      return collected;
    }
    return collected + this.#dispatchAll(lapics.take(this.#taken));
  }

  /** The first `count` of `#taken`, in their order. */
  #dispatchAll(count: number): number {
    const taken = this.#taken;
    for (let i = 0; i < count; i++) this.#dispatch(taken[i]!);
    if (this.#samples.unpaired >= UNPAIRED_MAX) this.#samples.pair();
    return count;
  }

  /** A VMM that injects itself is about to look at its eventfds, and one is readable. */
  noticed(): void {
    if (this.#full) this.#env.clock.stamp(this.#samples.stamps, STAMP_WOKEN);
  }

  /** What a VMM injects itself was not noticed here. */
  #stampWoken(): void {
    const { stamps } = this.#samples;
    if (this.#vm.lapics.glance()) this.#env.clock.stamp(stamps, STAMP_WOKEN);
    else if (!this.#kicked) stamps[STAMP_WOKEN] = 0;
  }

  /** Reset of the vCPUs: IRRs are cleared, what was in them is lost. */
  reset(): void {
    this.#accepting = false;
    this.#endAll(RESET);
  }

  /** At the end: what still waits is pending. Call once. */
  settle(): void {
    this.#samples.pair();
    this.#endAll(PENDING);
  }

  #endAll(fate: number): void {
    const { lapics } = this.#vm;
    lapics.collect();
    this.#countMerged();
    const count = lapics.take(this.#taken);
    for (let i = 0; i < count; i++) this.#end(this.#taken[i]!, fate);
  }

  /** Requests that found their vector waiting: a message's token merges, a line's wait beside. */
  #countMerged(): void {
    const { merged, mergedCount } = this.#vm.lapics;
    for (let i = 0; i < mergedCount; i++) {
      const row = this.table.rows[merged[i]!]!;
      if (row === NO_ROW || this.#isLevel[row] !== 0) continue;
      this.#vm.sequence.merged(row);
      this.#fates.count(row, COALESCED_IRR);
    }
  }

  /** Tokens that the request in `slot` stands for: one of a message, any number of a line. */
  #tokens(row: number): number {
    return this.#isLevel[row] !== 0 ? this.#port.levelTokens.take(row) : 1;
  }

  /** A request that reaches no handler. */
  #end(slot: number, fate: number): void {
    const row = this.table.rows[slot]!;
    if (row === NO_ROW) return;
    const tokens = this.#tokens(row);
    if (tokens <= 0) return;
    this.#vm.sequence.taken(row, tokens);
    this.#fates.count(row, fate, tokens);
  }

  #dispatch(slot: number): void {
    const { clock, costs } = this.#env;
    const { stamps } = this.#samples;
    const handler = this.table.handlers[slot]!;
    const sampled = this.#isSample(this.table.rows[slot]!);
    if (this.#kicked) clock.spend(costs.vcpuKick);
    if (this.#full && sampled) clock.stamp(stamps, STAMP_INJECTED);
    clock.spend(costs.guestIsrEntry);
    if (handler === null) this.#unhandled(slot);
    else {
      if (sampled) clock.stamp(stamps, STAMP_ISR);
      if (handler.handleIrq(slot)) this.#handled(slot, sampled);
      else this.#unhandled(slot);
      clock.spend(costs.guestIsr);
      if (handler.ownsEoi) return;
    }
    if (this.table.level[slot] !== 0) this.eoi(slot);
  }

  #isSample(row: number): boolean {
    return row !== NO_ROW && this.#port.log.isSample(this.#vm.sequence.upcoming(row));
  }

  /**
   * A driver of the process's own is told of a token that its loop has read from an eventfd: the
   * reading thread calls the handler, there is no vCPU and no interrupt controller.
   */
  direct(row: number, handler: IrqHandler): void {
    const { clock, costs } = this.#env;
    const { sequence } = this.#vm;
    const { stamps } = this.#samples;
    clock.stamp(stamps, STAMP_ISR);
    stamps.fill(stamps[STAMP_ISR]!);
    sequence.requested(row, true);
    const number = sequence.taken(row, 1);
    if (!this.#accepting) {
      this.#fates.count(row, RESET);
      return;
    }
    if (handler.handleIrq(NO_SLOT)) {
      if (this.#port.log.isSample(number)) this.#samples.ran(row, number, number + 1);
      this.#fates.count(row, DELIVERED);
      this.delivered++;
      this.#rate?.count();
    } else {
      this.spurious++;
      this.#fates.count(row, UNHANDLED);
    }
    clock.spend(costs.guestIsr);
    if (!handler.ownsEoi && this.#isLevel[row] !== 0) this.eoi(NO_SLOT);
  }

  /** The driver took the interrupt; tokens that met in one request are delivered as one. */
  #handled(slot: number, sampled: boolean): void {
    const row = this.table.rows[slot]!;
    const tokens = this.#tokens(row);
    if (tokens <= 0) {
      this.repeated++;
      return;
    }
    const { sequence } = this.#vm;
    const first = sequence.taken(row, tokens);
    if (sampled) this.#samples.ran(row, first, sequence.end(row));
    if (tokens > 1) this.#fates.count(row, COALESCED_IRR, tokens - 1);
    this.#fates.count(row, DELIVERED);
    this.delivered++;
    this.#rate?.count();
  }

  /** End of a level-triggered interrupt. */
  eoi(slot: number): void {
    this.#vm.eoi(slot >> 8, slot & 0xff);
  }

  #unhandled(slot: number): void {
    this.spurious++;
    this.#end(slot, UNHANDLED);
    const row = this.table.rows[slot]!;
    const vector = slot & 0xff;
    this.#env.tracer.emit("guest_spurious_vector", { vcpu: slot >> 8, vector, row });
  }
}
