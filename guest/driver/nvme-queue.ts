/** One nvme queue pair as the interrupt handler sees it (drivers/nvme/host/pci.c, nvme_irq). */
import type { IrqHandler } from "../kernel/irq-table.ts";
import type { VirtualFunction, VirtualMachine } from "../vmm/types.ts";

/**
 * A closed loop of `depth` commands: what is submitted together completes together, with one
 * interrupt, and the handler submits as many again. Without a loop (open-loop load, admin queue)
 * the handler only says that it has seen the completions.
 */
export class NvmeQueue implements IrqHandler {
  readonly ownsEoi = false;
  readonly id: number;
  readonly #vm: VirtualMachine;
  readonly #fn: VirtualFunction;
  #tail = 0;
  #head = 0;
  #depth = 0;
  #outstanding = 0;
  #completed = 0;

  constructor(vm: VirtualMachine, fn: VirtualFunction, id: number) {
    this.#vm = vm;
    this.#fn = fn;
    this.id = id;
  }

  /** Commands under way. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** Commands completed, all loops together. */
  get completed(): number {
    return this.#completed;
  }

  /** The device has a fresh queue: both ends at 0, nothing under way. */
  reset(): void {
    this.#tail = 0;
    this.#head = 0;
    this.#depth = 0;
    this.#outstanding = 0;
  }

  /** Starts the closed loop. */
  start(depth: number): void {
    this.#depth = depth;
    if (this.#outstanding === 0) this.#submit();
  }

  /** What is under way still completes; nothing follows it. */
  stop(): void {
    this.#depth = 0;
  }

  handleIrq(_slot: number): boolean {
    this.#head = (this.#head + 1) >>> 0;
    this.#vm.ringDoorbell(this.#fn, 2 * this.id + 1, this.#head);
    if (this.#outstanding > 0) {
      this.#completed += this.#outstanding;
      this.#outstanding = 0;
      this.#submit();
    }
    return true;
  }

  #submit(): void {
    if (this.#depth === 0) return;
    this.#outstanding = this.#depth;
    this.#tail = (this.#tail + this.#depth) >>> 0;
    this.#vm.ringDoorbell(this.#fn, 2 * this.id, this.#tail);
  }
}
