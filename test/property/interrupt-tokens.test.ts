/** Interrupts by eventfd, irqfd and VMM, masked, merged, reset: every token has one fate. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Tokens } from "../../guest/vmm/tokens.ts";
import { DeviceMeter, MeterStorage } from "../../host/device/meter.ts";
import { EventfdCtx } from "../../host/process/eventfd-ctx.ts";
import { FATE, FATES, type Fate, FateCounts } from "../../src/measure/fates.ts";
import { requestInterrupt } from "../../src/shm/border.ts";
import { Bench } from "../unit/guest/kernel/bench.ts";

/** Row 0 is INTx; each row has a vector of its own. */
const DEVICE = { name: "d0", model: "nvme", msixVectors: 3, msiVectors: 0 } as const;
const ROWS = 4;
const LINE = 0;
const slotOf = (row: number): number => ((row & 1) << 8) | (0x30 + row);

type Step =
  | { readonly do: "raise"; readonly row: number; readonly times: number }
  | { readonly do: "read" | "irqfd" | "eventfd" | "mask" | "unmask"; readonly row: number }
  | { readonly do: "handler"; readonly row: number; readonly present: boolean }
  | { readonly do: "misroute"; readonly row: number }
  | { readonly do: "repeat" | "turn" | "enable" | "disable" | "reset" };

const row = fc.nat(ROWS - 1);
const times = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 1, max: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom(256, 1023, 1024, 1100) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("raise" as const), row, times }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom("read", "read", "irqfd", "eventfd", "mask", "unmask"),
      row,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("handler" as const), row, present: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("misroute" as const), row }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("turn", "turn", "enable", "enable", "disable", "repeat", "reset"),
    }),
  },
);

/** The real parts: meter and eventfds of the host, tokens of a VMM, interrupts of a guest. */
class Machine {
  readonly #bench = new Bench({ vcpus: 2, device: DEVICE, stages: "full" });
  readonly #interrupts = this.#bench.interrupts();
  readonly #tokens: Tokens;
  readonly #hostFates = new FateCounts(ROWS);
  readonly #storage: MeterStorage;
  readonly #meter: DeviceMeter;
  readonly #ctxs: EventfdCtx[] = [];
  readonly #irqfds = Array.from({ length: ROWS }, (_, row) => ({
    signalled: (_: number, meter: DeviceMeter | null) => this.#kvmInject(row, meter),
    hangup: () => {},
  }));
  readonly #connected = new Array<boolean>(ROWS).fill(false);
  readonly #masked = new Array<boolean>(ROWS).fill(false);
  /** The emulated pending bits. */
  readonly #pba = new Array<boolean>(ROWS).fill(false);

  constructor() {
    const { env, host, guest, plan, vm } = this.#bench;
    this.#tokens = new Tokens(env, guest, plan, vm);
    this.#storage = new MeterStorage(ROWS, this.#hostFates, env.clock, host, true);
    this.#meter = new DeviceMeter(plan.rows[0]!, this.#storage);
    for (let row = 0; row < ROWS; row++) {
      this.#ctxs.push(new EventfdCtx(row, host, () => {}));
      this.#interrupts.table.assign(slotOf(row), row, row === LINE);
      this.#handle(row, true);
    }
    this.#interrupts.enable();
  }

  /** A handler for the row's vector, or none any more. */
  #handle(row: number, present: boolean): void {
    const handler = { ownsEoi: false, handleIrq: () => true };
    this.#interrupts.table.setHandler(slotOf(row), present ? handler : null);
  }

  /** As host/kvm/vm.ts delivers a message or a line. */
  #kvmInject(row: number, meter: DeviceMeter | null): void {
    const slot = slotOf(row);
    if (row === LINE) meter?.levelRequested(row);
    const fresh = requestInterrupt(this.#bench.host, slot >> 8, slot & 0xff);
    if (fresh || row === LINE) meter?.injected(row);
    else meter?.merged(row, "coalesced-irr");
  }

  /** An interrupt reached the VMM, which may not let it through now. */
  #fired(row: number): void {
    if (!this.#masked[row]) this.#inject(row);
    else if (this.#pba[row]) this.#tokens.count(row, FATE["coalesced-virtual-pba"], 1);
    else this.#pba[row] = true;
  }

  #inject(row: number): void {
    this.#tokens.inject(row, slotOf(row) >> 8, slotOf(row) & 0xff);
  }

  perform(step: Step): void {
    switch (step.do) {
      case "raise":
        for (let i = 0; i < step.times; i++) this.#raise(step.row);
        break;
      case "read": {
        const n = this.#bench.guest.eventfds.read(step.row);
        if (n === 0) break;
        this.#tokens.read(step.row, n);
        this.#fired(step.row);
        break;
      }
      case "irqfd":
        // A line has one way in its life: two would bring its numbers out of step.
        if (this.#connected[step.row] || step.row === LINE) break;
        this.#connected[step.row] = true;
        this.#ctxs[step.row]!.addListener(this.#irqfds[step.row]!);
        break;
      case "eventfd":
        this.#connected[step.row] = false;
        this.#ctxs[step.row]!.removeListener(this.#irqfds[step.row]!);
        break;
      case "mask":
        this.#masked[step.row] = true;
        break;
      case "unmask":
        this.#masked[step.row] = false;
        if (this.#pba[step.row]) this.#inject(step.row);
        this.#pba[step.row] = false;
        break;
      case "handler":
        this.#handle(step.row, step.present);
        break;
      case "misroute": {
        const n = this.#bench.guest.eventfds.read(step.row);
        if (n === 0 || this.#pba[step.row]) this.#bench.guest.eventfds.write(step.row, n);
        else {
          this.#tokens.read(step.row, n);
          this.#tokens.inject(step.row, 9, 0x41);
        }
        break;
      }
      case "repeat":
        requestInterrupt(this.#bench.host, slotOf(LINE) >> 8, slotOf(LINE) & 0xff);
        break;
      case "turn":
        while (this.#interrupts.poll() > 0) {}
        break;
      case "enable":
        this.#interrupts.enable();
        break;
      case "disable":
        this.#interrupts.disable();
        break;
      case "reset":
        this.#reset();
    }
  }

  #raise(row: number): void {
    this.#meter.raise(row, this.#bench.clock.now());
    this.#meter.handler(row);
    this.#meter.signalled(row);
    this.#ctxs[row]!.signal(row, this.#meter);
  }

  #reset(): void {
    for (let row = 0; row < ROWS; row++) {
      if (this.#pba[row]) this.#tokens.drop(row, FATE["dropped-guest-reset"], 1);
      this.#pba[row] = false;
    }
    this.#interrupts.reset();
  }

  /** The end of the run. */
  settle(): void {
    for (let row = 0; row < ROWS; row++) {
      const n = this.#bench.guest.eventfds.read(row);
      if (n > 0) this.#tokens.abandon(row, FATE["pending-eventfd"], n);
      if (this.#pba[row]) this.#tokens.count(row, FATE["pending-guest"], 1);
    }
    this.#interrupts.settle();
  }

  raised(row: number): number {
    return this.#storage.raised[row]!;
  }

  /** Of both sides, by name. */
  fates(row: number): Record<string, number> {
    return Object.fromEntries(
      FATES.map((fate, i) => [fate, this.#hostFates.get(row, i) + this.#bench.count(row, fate)]),
    );
  }

  /** Tokens that left the host, and the number the next one would have in the guest. */
  numbers(row: number): [number, number] {
    return [this.#storage.sent[row]!, this.#bench.vm.sequence.taken(row, 0)];
  }
}

/** The same without the parts: where tokens are, and nothing of how they get there. */
class Model {
  readonly fates = Array.from({ length: ROWS }, () =>
    Object.fromEntries(FATES.map((fate) => [fate, 0])),
  );
  readonly #counter = new Array<number>(ROWS).fill(0);
  readonly #irr = new Array<number>(ROWS).fill(0);
  readonly #pba = new Array<number>(ROWS).fill(0);
  readonly #masked = new Array<boolean>(ROWS).fill(false);
  readonly #irqfd = new Array<boolean>(ROWS).fill(false);
  readonly #handled = new Array<boolean>(ROWS).fill(true);
  #accepting = true;

  #count(row: number, fate: Fate, n: number): void {
    this.fates[row]![fate]! += n;
  }

  /** One goes on, the others merge. */
  #merge(row: number, fate: Fate, n: number): void {
    this.#count(row, fate, Math.max(0, n - 1));
  }

  #endIrr(row: number, fate: Fate): void {
    const n = this.#irr[row]!;
    this.#irr[row] = 0;
    // Tokens of a line are counted one by one unless they are delivered.
    const apart = row === LINE && fate !== "delivered";
    this.#count(row, fate, apart ? n : Math.min(n, 1));
    if (!apart) this.#merge(row, "coalesced-irr", n);
  }

  #endPba(row: number, fate: Fate): void {
    this.#count(row, fate, this.#pba[row]!);
    this.#pba[row] = 0;
  }

  /** All that waits is taken. */
  #serve(): void {
    if (!this.#accepting) return;
    for (let row = 0; row < ROWS; row++) {
      this.#endIrr(row, this.#handled[row] ? "delivered" : "dropped-guest-unhandled");
    }
  }

  perform(step: Step): void {
    switch (step.do) {
      case "raise":
        if (!this.#irqfd[step.row]) this.#counter[step.row]! += step.times;
        else {
          this.#count(step.row, "coalesced-eventfd", this.#counter[step.row]!);
          this.#counter[step.row] = 0;
          this.#irr[step.row]! += step.times;
        }
        break;
      case "read":
        this.#read(step.row);
        break;
      case "irqfd":
        this.#irqfd[step.row] ||= step.row !== LINE;
        break;
      case "eventfd":
        this.#irqfd[step.row] = false;
        break;
      case "mask":
        this.#masked[step.row] = true;
        break;
      case "unmask":
        this.#masked[step.row] = false;
        this.#irr[step.row]! += this.#pba[step.row]!;
        this.#pba[step.row] = 0;
        break;
      case "handler":
        this.#handled[step.row] = step.present;
        break;
      case "misroute":
        if (this.#counter[step.row] === 0 || this.#pba[step.row]! > 0) break;
        this.#merge(step.row, "coalesced-eventfd", this.#counter[step.row]!);
        this.#count(step.row, "dropped-guest-unhandled", 1);
        this.#counter[step.row] = 0;
        break;
      case "turn":
        this.#serve();
        break;
      case "enable":
        this.#accepting = true;
        break;
      case "disable":
        this.#accepting = false;
        break;
      case "reset":
        this.#accepting = false;
        this.#endAll("dropped-guest-reset");
    }
  }

  #read(row: number): void {
    const n = this.#counter[row]!;
    this.#counter[row] = 0;
    if (n === 0) return;
    this.#merge(row, "coalesced-eventfd", n);
    if (!this.#masked[row]) this.#irr[row]!++;
    else if (this.#pba[row]! > 0) this.#count(row, "coalesced-virtual-pba", 1);
    else this.#pba[row] = 1;
  }

  #endAll(fate: Fate): void {
    for (let row = 0; row < ROWS; row++) {
      this.#endIrr(row, fate);
      this.#endPba(row, fate);
    }
  }

  settle(): void {
    this.#endAll("pending-guest");
    for (let row = 0; row < ROWS; row++) {
      this.#count(row, "pending-eventfd", this.#counter[row]!);
    }
  }
}

describe("tokens", () => {
  it("end as a model says that knows no queue, no request bits and no numbers", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const [machine, model] = [new Machine(), new Model()];
        for (const step of steps) {
          machine.perform(step);
          model.perform(step);
        }
        machine.settle();
        model.settle();
        for (let row = 0; row < ROWS; row++) {
          const fates = machine.fates(row);
          expect(fates, `row ${row}`).toEqual(model.fates[row]);
          const sum = Object.values(fates).reduce((total, n) => total + n, 0);
          expect(sum, `row ${row}`).toBe(machine.raised(row));
          const [sent, next] = machine.numbers(row);
          expect(next, `number of the next token of row ${row}`).toBe(sent);
        }
      }),
      { numRuns: 300 },
    );
  });
});
