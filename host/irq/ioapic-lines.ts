/**
 * INTx lines: level-triggered pins of an IO-APIC or GIC, shared by devices (kernel/irq/manage.c,
 * chip.c, spurious.c; arch/x86/kernel/apic/io_apic.c).
 */
import { assert } from "../../src/base/assert.ts";
import { EBUSY, ENODEV } from "../../src/base/errno.ts";
import type { Clock } from "../../src/time/clock.ts";
import type { Costs } from "../../src/time/costs.ts";
import { type Process, sleep } from "../../src/time/process.ts";
import type { Tracer } from "../../src/trace/trace.ts";
import { PCI_INTERRUPT_PIN } from "../../src/uapi/pci-regs.ts";
import type { CpuVectorHolder } from "./cpu-vectors.ts";
import type { LineParent } from "./line-parent.ts";
import type { PoolSamples } from "./pool-samples.ts";
import type { Requester } from "./remapping.ts";
import type { IrqAction, IrqClient, IrqPool } from "./types.ts";

/** Four pins that slots take in turn: PIRQE to PIRQH of a q35, four SPIs of a virt machine. */
export const FIRST_PIRQ_PIN = 20;

/** Their like of a q35 that do not take turns. */
const FIRST_FIXED_PIN = 16;
const PINS = 4;
/** Slots of a q35 from here on are wired to the fixed pins, but for the PCI bridge's. */
const FIRST_FIXED_SLOT = 25;
const PCI_BRIDGE_SLOT = 30;

/** The same pin of slots four apart shares a line. */
export function swizzledPin(slot: number, pin: number): number {
  return FIRST_PIRQ_PIN + ((slot + pin) % PINS);
}

/** QEMU's q35: hw/i386/acpi-build.c, build_q35_routing_table. `pin` 0 is INTA. */
export function q35IntxPin(slot: number, pin: number): number {
  if (slot < FIRST_FIXED_SLOT) return swizzledPin(slot, pin);
  return (slot === PCI_BRIDGE_SLOT ? FIRST_PIRQ_PIN : FIRST_FIXED_PIN) + pin;
}

/** note_interrupt looks at this many interrupts, and gives up on more unhandled ones than that. */
export const SPURIOUS_WINDOW = 100_000;
export const SPURIOUS_UNHANDLED_MAX = 99_900;
/** HZ/10: unhandled interrupts further apart are not counted together. */
const UNHANDLED_AGE_NS = 100_000_000;
/** An action that claims an interrupt and leaves both wire and line as they were would spin. */
const CLAIMED_IN_A_ROW_MAX = 1000;

/** One pin: its irq_desc and what drives it. */
export class IoApicLine implements Requester, CpuVectorHolder {
  readonly pin: number;
  /** Functions that are open on it. */
  opens = 0;
  irte = -1;
  vector = -1;
  /** Functions whose wire is high. */
  high = 0;
  readonly actions: IrqAction[] = [];
  shared = false;
  /** desc->depth: 0 is enabled; 1 as long as there is no action. */
  depth = 1;
  spuriousDisabled = false;
  /** IRQD_IRQ_INPROGRESS: the level is looked at again when the handlers are done. */
  inProgress = false;
  irqCount = 0;
  irqsUnhandled = 0;
  lastUnhandled = 0;

  constructor(pin: number) {
    this.pin = pin;
  }

  get name(): string {
    return `IO-APIC pin ${this.pin}`;
  }

  /** Pins are the IO-APIC's own requests, whatever drives them. */
  get requester(): string {
    return "IO-APIC";
  }

  armed(): number {
    return this.actions.length > 0 ? 1 : 0;
  }

  vectorsHeld(): number {
    return this.vector < 0 ? 0 : 1;
  }
}

/** What the lines share with the rest of the pool. */
export interface LinesEnv {
  readonly clock: Clock;
  readonly costs: Costs;
  readonly tracer: Tracer;
  readonly parent: LineParent;
  readonly samples: PoolSamples;
}

export class IoApicLines {
  readonly env: LinesEnv;
  readonly #lines = new Map<number, IoApicLine>();
  /** How often a line was switched off because nobody cared. */
  switchedOff = 0;

  /** `boot`: pins that the machine's own ports hold open, with the entry and all, for good. */
  constructor(env: LinesEnv, boot: readonly number[]) {
    this.env = env;
    for (const pin of boot) this.at(pin)!.opens++;
  }

  /** Lines that somebody has open: an irq descriptor each. */
  get opened(): number {
    return [...this.#lines.values()].filter(({ opens }) => opens > 0).length;
  }

  /** The line of a pin; null for a function without one. */
  at(pin: number): IoApicLine | null {
    if (pin < 0) return null;
    let line = this.#lines.get(pin);
    if (line === undefined) this.#lines.set(pin, (line = new IoApicLine(pin)));
    return line;
  }

  /** mp_map_gsi_to_irq by pci_enable_device: the first to open takes a remapping entry. */
  *open(client: IrqClient, line: IoApicLine, relief: IrqPool["relief"] = null): Process<number> {
    const { costs, parent, tracer, samples } = this.env;
    if (line.opens === 0) yield* sleep(costs.irqAlloc + parent.openNs);
    while (relief !== null && line.opens === 0 && !parent.fits(line)) {
      if (!(yield* relief(client))) break;
    }
    if (line.opens === 0) {
      const result = parent.open(line);
      if (result < 0) {
        const pin = "?ABCD"[client.fn.configRead(PCI_INTERRUPT_PIN, 1)] ?? "?";
        const text = `vfio-pci ${client.bdf}: PCI INT ${pin}: failed to register GSI`;
        tracer.emit("printk", { text });
        return result;
      }
      samples.changed(line.name);
    }
    line.opens++;
    return 0;
  }

  /** mp_unmap_irq by pci_disable_device: the last to close gives the entry back. */
  *close(line: IoApicLine): Process {
    const { costs, parent, samples } = this.env;
    assert(line.opens > 0, () => `line ${line.pin} is closed more often than opened`);
    if (--line.opens > 0) return;
    assert(line.actions.length === 0, () => `line ${line.pin} is closed with a handler on it`);
    parent.close(line);
    samples.changed(line.name);
    yield* sleep(costs.irqFree + parent.openNs);
  }

  /** request_irq: the first action starts the line; a level that is high already is delivered. */
  *request(
    line: IoApicLine,
    action: IrqAction,
    shared: boolean,
    autoEnable: boolean,
  ): Process<number> {
    const { costs, parent, samples } = this.env;
    if (line.opens === 0) return -ENODEV;
    yield* sleep(costs.requestIrq);
    const first = line.actions.length === 0;
    if (!first && !(shared && line.shared)) return -EBUSY;
    if (first) {
      const activated = parent.activate(line);
      if (activated < 0) return activated;
      line.shared = shared;
      line.spuriousDisabled = false;
      line.irqCount = 0;
      line.irqsUnhandled = 0;
      samples.changed(line.name);
    }
    line.actions.push(action);
    if (first && autoEnable) this.enable(line);
    // A new sharer gives a line that was switched off as spurious another chance.
    if (line.spuriousDisabled) {
      line.spuriousDisabled = false;
      this.enable(line);
    }
    return 0;
  }

  /** free_irq: with the last action the line is shut down and its vector given back. */
  *free(line: IoApicLine, action: IrqAction): Process {
    const { costs, parent, samples } = this.env;
    const at = line.actions.indexOf(action);
    assert(at >= 0, () => `line ${line.pin}: free_irq of an action that is not there`);
    line.actions.splice(at, 1);
    if (line.actions.length > 0) {
      yield* sleep(costs.freeIrq);
      return;
    }
    line.depth = 1;
    try {
      yield* sleep(costs.freeIrq);
    } finally {
      // Somebody else may have requested the line while this one waited for its handlers.
      if (line.actions.length === 0) {
        parent.deactivate(line);
        samples.changed(line.name);
      }
    }
  }

  /** disable_irq_nosync. */
  disable(line: IoApicLine): void {
    line.depth++;
  }

  /** enable_irq: at depth 0 a level that is still high interrupts again. */
  enable(line: IoApicLine): void {
    if (line.depth === 0) {
      this.env.tracer.emit("printk", { text: `Unbalanced enable for IRQ ${line.pin}` });
      return;
    }
    if (--line.depth === 0) this.deliver(line);
  }

  /** handle_fasteoi_irq, again and again while the level is high. Hot path. */
  deliver(line: IoApicLine): void {
    if (line.inProgress) return;
    line.inProgress = true;
    let claimed = 0;
    while (line.high > 0 && line.depth === 0) {
      this.env.clock.spend(this.env.costs.irqEntry);
      let handled = false;
      for (let i = 0; i < line.actions.length; i++) {
        if (line.actions[i]!.handleIrq()) handled = true;
      }
      if (handled) claimed++;
      this.#noteInterrupt(line, handled);
      assert(claimed < CLAIMED_IN_A_ROW_MAX, "an INTx handler claims a wire that it does not mask");
    }
    line.inProgress = false;
  }

  /** note_interrupt: a line that nobody handles is switched off. */
  #noteInterrupt(line: IoApicLine, handled: boolean): void {
    if (!handled) {
      const now = this.env.clock.now();
      line.irqsUnhandled = now > line.lastUnhandled + UNHANDLED_AGE_NS ? 1 : line.irqsUnhandled + 1;
      line.lastUnhandled = now;
    }
    if (++line.irqCount < SPURIOUS_WINDOW) return;
    line.irqCount = 0;
    if (line.irqsUnhandled > SPURIOUS_UNHANDLED_MAX) {
      const { tracer } = this.env;
      const cared = `irq ${line.pin}: nobody cared (try booting with the "irqpoll" option)`;
      tracer.emit("printk", { text: cared });
      tracer.emit("printk", { text: `Disabling IRQ #${line.pin}` });
      line.spuriousDisabled = true;
      this.switchedOff++;
      line.depth++;
    }
    line.irqsUnhandled = 0;
  }
}
