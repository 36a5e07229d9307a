/**
 * Runs two or three parties of shared-memory code through all their interleavings, one atomic
 * operation at a time.
 *
 * Each party is a plain synchronous function in a worker thread of its own. There the global
 * `Atomics` is replaced by one that asks this controller for the turn before every operation on
 * the memory under test, so that exactly one party runs at any time and the order is ours. The
 * schedules are enumerated depth first, "go on with the same party" first; `preemptionsMax` bounds
 * how often a party is interrupted that could have gone on, as CHESS does (Musuvathi 2007).
 *
 * A modelled Atomics.wait times out only if nobody else can run: a lost wake-up shows as a timeout.
 */
import { Worker } from "node:worker_threads";

/** Results of a party: small integers. */
export type PartyResult = readonly number[];

/** Code under test: what is shared, who runs, and what must hold at the end of every schedule. */
export interface Interleaving {
  readonly bytes: number;
  /** Sets up zeroed memory before each schedule. */
  readonly init?: (memory: SharedArrayBuffer) => void;
  /** Each builds its own objects on the memory, as a thread would. */
  readonly parties: readonly ((memory: SharedArrayBuffer) => PartyResult)[];
  /** What is wrong with the outcome, or null. */
  readonly check: (results: readonly PartyResult[], memory: SharedArrayBuffer) => string | null;
}

/** A party without results. */
export function silently(run: (memory: SharedArrayBuffer) => unknown) {
  return (memory: SharedArrayBuffer): PartyResult => {
    run(memory);
    return [];
  };
}

export const PARTIES_MAX = 3;
export const RESULTS_MAX = 64;
export const CONTROLLER = -1;
export const QUIT = -2;

/** Words of the control memory. */
export const TURN = 0;
export const NOTIFIED = 1;
export const STATUS = 2;
export const BLOCKED_AT = STATUS + PARTIES_MAX;
export const OUTCOME = BLOCKED_AT + PARTIES_MAX;
export const RESULTS = OUTCOME + PARTIES_MAX;
export const CONTROL_WORDS = RESULTS + PARTIES_MAX * (RESULTS_MAX + 1);

export const READY = 0;
export const BLOCKED = 1;
export const DONE = 2;

export const WOKEN = 0;
export const TIMED_OUT = 1;

export interface Exploration {
  readonly schedules: number;
  /** True if every schedule within the bound was run. */
  readonly complete: boolean;
  /** The first schedule that fails: who ran each step, and what was wrong. */
  readonly failure: { readonly steps: string; readonly message: string } | null;
}

/** Enumerates sequences of choices depth first. */
class Choices {
  #taken: number[] = [];
  #options: number[] = [];
  #depth = 0;

  choose(options: number): number {
    const depth = this.#depth++;
    if (depth === this.#taken.length) {
      this.#taken.push(0);
      this.#options.push(options);
    }
    return this.#taken[depth]!;
  }

  /** Goes to the next sequence; false if this was the last one. */
  next(): boolean {
    this.#depth = 0;
    while (this.#taken.length > 0) {
      const last = this.#taken.length - 1;
      if (++this.#taken[last]! < this.#options[last]!) return true;
      this.#taken.pop();
      this.#options.pop();
    }
    return false;
  }
}

class Controller {
  readonly #code: Interleaving;
  readonly #memory: SharedArrayBuffer;
  readonly #control: Int32Array;
  readonly #preemptionsMax: number;
  steps = "";

  constructor(
    code: Interleaving,
    memory: SharedArrayBuffer,
    control: Int32Array,
    preemptionsMax: number,
  ) {
    this.#code = code;
    this.#memory = memory;
    this.#control = control;
    this.#preemptionsMax = preemptionsMax;
  }

  /** Runs one schedule; what is wrong with its outcome, or null. */
  run(choices: Choices): string | null {
    const parties = this.#code.parties.length;
    new Uint8Array(this.#memory).fill(0);
    this.#control.fill(0, STATUS);
    this.#code.init?.(this.#memory);
    this.steps = "";
    let current = 0;
    let preemptions = 0;
    for (;;) {
      const order = [...Array(parties).keys()].filter((p) => this.#control[STATUS + p] === READY);
      const mayGoOn = order.includes(current);
      if (order.length === 0) {
        if (!this.#timeOutOne()) break;
        continue;
      }
      if (mayGoOn) order.splice(order.indexOf(current), 1);
      const options =
        mayGoOn && preemptions >= this.#preemptionsMax
          ? [current]
          : mayGoOn
            ? [current, ...order]
            : order;
      const next = options[options.length === 1 ? 0 : choices.choose(options.length)]!;
      if (mayGoOn && next !== current) preemptions++;
      current = next;
      this.#step(next);
      if (this.steps.length > 2000) return "does not end";
    }
    return this.#code.check(this.#results(), this.#memory);
  }

  #step(party: number): void {
    const control = this.#control;
    this.steps += party;
    Atomics.store(control, NOTIFIED, -1);
    Atomics.store(control, TURN, party);
    Atomics.notify(control, TURN);
    while (Atomics.load(control, TURN) !== CONTROLLER) Atomics.wait(control, TURN, party, 1000);
    const notified = control[NOTIFIED];
    for (let p = 0; p < this.#code.parties.length; p++) {
      if (control[STATUS + p] === BLOCKED && control[BLOCKED_AT + p] === notified) {
        control[STATUS + p] = READY;
        control[OUTCOME + p] = WOKEN;
      }
    }
  }

  #timeOutOne(): boolean {
    const control = this.#control;
    for (let p = 0; p < this.#code.parties.length; p++) {
      if (control[STATUS + p] !== BLOCKED) continue;
      control[STATUS + p] = READY;
      control[OUTCOME + p] = TIMED_OUT;
      this.steps += "T";
      return true;
    }
    return false;
  }

  #results(): PartyResult[] {
    return this.#code.parties.map((_, p) => {
      const at = RESULTS + p * (RESULTS_MAX + 1);
      return [...this.#control.subarray(at + 1, at + 1 + this.#control[at]!)];
    });
  }
}

/**
 * Explores `name` of the module at `url`, which exports `interleavings` by name: until a schedule
 * fails, all have been run, or `schedulesMax` have.
 */
export async function explore(
  url: URL,
  name: string,
  { preemptionsMax = Number.POSITIVE_INFINITY, schedulesMax = 50_000 } = {},
): Promise<Exploration> {
  const module = (await import(url.href)) as { interleavings: Record<string, Interleaving> };
  const code = module.interleavings[name]!;
  const memory = new SharedArrayBuffer(code.bytes);
  const control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  control[TURN] = CONTROLLER;
  const workers = code.parties.map(
    (_, party) =>
      new Worker(new URL("./interleave-worker.ts", import.meta.url), {
        workerData: { url: url.href, name, party, memory, control },
      }),
  );
  try {
    await Promise.all(
      workers.map(
        (worker) =>
          new Promise((resolve, reject) => {
            worker.once("message", resolve);
            worker.once("error", reject);
          }),
      ),
    );
    const controller = new Controller(code, memory, control, preemptionsMax);
    const choices = new Choices();
    let schedules = 0;
    do {
      schedules++;
      const message = controller.run(choices);
      if (message !== null) {
        return { schedules, complete: false, failure: { steps: controller.steps, message } };
      }
      if (schedules >= schedulesMax) return { schedules, complete: false, failure: null };
    } while (choices.next());
    return { schedules, complete: true, failure: null };
  } finally {
    Atomics.store(control, TURN, QUIT);
    Atomics.notify(control, TURN);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
