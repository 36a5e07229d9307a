/**
 * Runs two or three parties of shared-memory code through all their interleavings, one atomic
 * operation at a time.
 *
 * Each party is a plain synchronous function in a worker thread of its own. There the global
 * `Atomics` is replaced by one that takes turns (interleave-control.ts) before every operation on
 * the memory under test, so that exactly one party runs at any time and the order is ours. The
 * schedules are enumerated depth first, "go on with the same party" first; `preemptionsMax` bounds
 * how often a party is interrupted that could have gone on, as CHESS does (Musuvathi 2007).
 *
 * A modelled Atomics.wait times out only if nobody else can run: a lost wake-up shows as a timeout.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import {
  allDone,
  beginSchedule,
  CONTROL_WORDS,
  CONTROLLER,
  decide,
  GIVEN,
  nextSchedule,
  PARTIES,
  PARTIES_MAX,
  QUIT,
  resultsOf,
  STEP,
  STEPS,
  TIMEOUT_STEP,
  TURN,
} from "./interleave-control.ts";
import type { PartyWork } from "./interleave-worker.ts";

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

export interface Exploration {
  readonly schedules: number;
  /** True if every schedule within the bound was run. */
  readonly complete: boolean;
  /** The first schedule that fails: who ran each step, and what was wrong. */
  readonly failure: { readonly steps: string; readonly message: string } | null;
}

/** As many preemptions as there are steps. */
const UNBOUNDED = 0x7fff_ffff;

/** Threads for the parties, kept from one exploration to the next. */
export class Explorer {
  readonly #control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  readonly #workers: Worker[];

  constructor() {
    this.#workers = Array.from(
      { length: PARTIES_MAX },
      (_, party) =>
        new Worker(new URL("./interleave-worker.ts", import.meta.url), {
          workerData: { party, control: this.#control },
        }),
    );
  }

  /**
   * Explores `name` of the module at `url`, which exports `interleavings` by name: until a schedule
   * fails, all have been run, or `schedulesMax` have.
   */
  async explore(
    url: URL,
    name: string,
    { preemptionsMax = UNBOUNDED, schedulesMax = 50_000 } = {},
  ): Promise<Exploration> {
    const module = (await import(url.href)) as { interleavings: Record<string, Interleaving> };
    const code = module.interleavings[name]!;
    const memory = new SharedArrayBuffer(code.bytes);
    const control = this.#control;
    const parties = this.#workers.slice(0, code.parties.length);
    control[PARTIES] = parties.length;
    control[GIVEN] = 0;
    control[TURN] = CONTROLLER;
    const work: PartyWork = { url: url.href, name, memory };
    for (const worker of parties) worker.postMessage(work);
    await heard(parties);
    const result = this.#exploreAll(code, memory, preemptionsMax, schedulesMax);
    Atomics.store(control, TURN, QUIT);
    Atomics.notify(control, TURN);
    await heard(parties);
    return result;
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #exploreAll(
    code: Interleaving,
    memory: SharedArrayBuffer,
    preemptionsMax: number,
    schedulesMax: number,
  ): Exploration {
    for (let schedules = 1; ; schedules++) {
      const message = this.#run(code, memory, preemptionsMax);
      if (message !== null) {
        return { schedules, complete: false, failure: { steps: this.#steps(), message } };
      }
      if (!nextSchedule(this.#control)) return { schedules, complete: true, failure: null };
      if (schedules >= schedulesMax) return { schedules, complete: false, failure: null };
    }
  }

  /** Runs one schedule; what is wrong with its outcome, or null. */
  #run(code: Interleaving, memory: SharedArrayBuffer, preemptionsMax: number): string | null {
    const control = this.#control;
    new Uint8Array(memory).fill(0);
    code.init?.(memory);
    beginSchedule(control, preemptionsMax);
    Atomics.store(control, TURN, decide(control));
    Atomics.notify(control, TURN);
    for (;;) {
      const turn = Atomics.load(control, TURN);
      if (turn === CONTROLLER) break;
      Atomics.wait(control, TURN, turn, 1000);
    }
    if (!allDone(control)) return "does not end";
    const results = code.parties.map((_, party) => resultsOf(control, party));
    return code.check(results, memory);
  }

  #steps(): string {
    const steps = this.#control.subarray(STEP, STEP + this.#control[STEPS]!);
    return Array.from(steps, (party) => (party === TIMEOUT_STEP ? "T" : party)).join("");
  }
}

/** Waits for one message of each. */
async function heard(workers: readonly Worker[]): Promise<void> {
  await Promise.all(workers.map((worker) => once(worker, "message")));
}
