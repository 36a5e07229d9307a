/** What the kernel keeps for a function's irqs: msi_desc, irq_desc, action, latch (kernel/irq). */
import { assert } from "../../src/base/assert.ts";
import { HeldAccount } from "../../src/measure/held.ts";
import type { Clock } from "../../src/time/clock.ts";
import type { CpuVectorHolder } from "./cpu-vectors.ts";
import type { IoApicLine } from "./ioapic-lines.ts";
import type { PostedIrte } from "./posted-irte.ts";
import type { Requester } from "./remapping.ts";
import type { IrqAction, IrqClient } from "./types.ts";

/** An irq_desc exists for this index. */
const HELD = 1;
/** Its message reaches a CPU vector: activated, and not shut down since. */
const LIVE = 2;
/** IRQS_PENDING: a message came when there was no action; it is replayed at request_irq. */
const LATCHED = 4;

/**
 * The irqs of one function, by MSI or MSI-X index. The pool hangs it on the client, so that
 * delivery finds the action with two loads and no look-up.
 */
export class ClientIrqs implements Requester, CpuVectorHolder {
  readonly client: IrqClient;
  kind: "msi" | "msix" | null = null;
  /** Delivery reads only this. */
  readonly actions: (IrqAction | null)[];
  /** Remapping entries that post: delivery looks here first. */
  readonly posted: (PostedIrte | null)[];
  /** Linux irq number of each index; 0: none. */
  readonly virqs: Int32Array;
  /** First remapping entry of each index (MSI: one block, at index 0); -1: none. */
  readonly irtes: Int32Array;
  /** CPU vector of each index; -1: none. */
  readonly vectors: Int32Array;
  /** Its INTx line, null without a pin, and whether the function drives it high. */
  readonly line: IoApicLine | null;
  wireHigh = false;
  /** The line has been open once: pdev->irq is its number, and stays so. */
  lineAssigned = false;
  /** What it holds, over time. */
  readonly held: HeldAccount;
  readonly #flags: Uint8Array;
  #count = 0;

  /** `size` is the larger of what MSI and MSI-X of the function offer. */
  constructor(client: IrqClient, size: number, line: IoApicLine | null, clock: Clock) {
    this.held = new HeldAccount(clock);
    this.client = client;
    this.line = line;
    this.actions = new Array<IrqAction | null>(size).fill(null);
    this.posted = new Array<PostedIrte | null>(size).fill(null);
    this.virqs = new Int32Array(size);
    this.irtes = new Int32Array(size).fill(-1);
    this.vectors = new Int32Array(size).fill(-1);
    this.#flags = new Uint8Array(size);
  }

  /** As words about shortages name it: the scenario's name and the kernel's. */
  get name(): string {
    return `${this.client.fn.name} ${this.client.bdf}`;
  }

  get owner(): string | undefined {
    return this.client.owner;
  }

  get requester(): string {
    return this.client.requester ?? this.client.bdf;
  }

  /** Irqs with a handler. Not for hot paths. */
  armed(): number {
    return this.held.armed;
  }

  vectorsHeld(): number {
    return this.held.vectors;
  }

  /** Irqs the function holds. */
  get count(): number {
    return this.#count;
  }

  holds(index: number): boolean {
    return index < this.#flags.length && (this.#flags[index]! & HELD) !== 0;
  }

  latched(index: number): boolean {
    return index < this.#flags.length && (this.#flags[index]! & LATCHED) !== 0;
  }

  /** Ascending indexes that have an irq. */
  indexes(): number[] {
    const held: number[] = [];
    for (let i = 0; i < this.#flags.length; i++) if ((this.#flags[i]! & HELD) !== 0) held.push(i);
    return held;
  }

  /** A new irq_desc: no action, nothing latched, no vector yet. */
  add(index: number, virq: number): void {
    assert(!this.holds(index), () => `${this.client.bdf} has an irq ${index} already`);
    this.#flags[index] = HELD;
    this.virqs[index] = virq;
    this.#count++;
    this.held.allocated();
  }

  /** The irq_desc is gone, and a latched message with it. */
  remove(index: number): void {
    assert(this.holds(index), () => `${this.client.bdf} has no irq ${index}`);
    assert(this.actions[index] === null, () => `irq ${this.virqs[index]} is freed while in use`);
    assert(this.posted[index] === null, () => `irq ${this.virqs[index]} is freed while it posts`);
    this.#loseLatched(index);
    this.#flags[index] = 0;
    this.virqs[index] = 0;
    this.#count--;
    this.held.freed();
  }

  /** Its handler, or null for none any more. */
  setAction(index: number, action: IrqAction | null): void {
    this.actions[index] = action;
    if (action === null) this.held.handlerFreed();
    else this.held.requested();
  }

  /** Its CPU vector, or -1 for none any more. */
  setVector(index: number, vector: number): void {
    if (vector >= 0 === this.vectors[index]! >= 0) {
      this.vectors[index] = vector;
      return;
    }
    this.vectors[index] = vector;
    this.held.addVector(vector >= 0 ? 1 : -1);
  }

  /** irq_domain_activate_irq with a vector behind it: from now on messages arrive. */
  activate(index: number): void {
    this.#flags[index]! |= LIVE;
  }

  /** irq_shutdown and deactivation: the remapping entry is not present, messages are blocked. */
  shutdown(index: number): void {
    this.#loseLatched(index);
    this.#flags[index]! &= ~LIVE;
  }

  /** A message that found no action. */
  unhandled(kind: "msi" | "msix", index: number): void {
    if (this.kind !== kind || index >= this.#flags.length || (this.#flags[index]! & LIVE) === 0) {
      this.client.lost(kind, index, "dropped-no-handler");
    } else if ((this.#flags[index]! & LATCHED) !== 0) {
      this.client.lost(kind, index, "coalesced-pba");
    } else {
      this.#flags[index]! |= LATCHED;
    }
  }

  /** check_irq_resend: hands a latched message to the action that has just come. */
  replay(index: number, clock: Clock, irqEntryNs: number): void {
    if ((this.#flags[index]! & LATCHED) === 0) return;
    this.#flags[index]! &= ~LATCHED;
    clock.spend(irqEntryNs);
    this.actions[index]!.handleIrq();
  }

  #loseLatched(index: number): void {
    if ((this.#flags[index]! & LATCHED) === 0) return;
    this.#flags[index]! &= ~LATCHED;
    this.client.lost(this.kind!, index, "dropped-no-handler");
  }
}
