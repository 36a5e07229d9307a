/** One party of interleavings: see interleave.ts. */
import { parentPort, workerData } from "node:worker_threads";
import type { Interleaving } from "./interleave.ts";
import { block, decide, finish, QUIT, TURN, timedOut, unblock } from "./interleave-control.ts";

export interface PartyWork {
  readonly url: string;
  readonly name: string;
  readonly memory: SharedArrayBuffer;
}

class ExplorationOver extends Error {}

const { party, control } = workerData as { party: number; control: Int32Array };
const real = globalThis.Atomics;

function awaitTurn(): void {
  for (;;) {
    const turn = real.load(control, TURN);
    if (turn === party) return;
    if (turn === QUIT) throw new ExplorationOver();
    real.wait(control, TURN, turn, 1000);
  }
}

/** The next step is whose the schedule says; returns when it is this party's. */
function yieldTurn(): void {
  const next = decide(control);
  if (next === party) return;
  real.store(control, TURN, next);
  real.notify(control, TURN);
  awaitTurn();
}

type Operation = (array: Int32Array, ...rest: never[]) => unknown;

function instrumented(memory: SharedArrayBuffer): typeof Atomics {
  const wrapped: Record<string, unknown> = {};
  for (const key of ["load", "store", "add", "and", "or", "exchange", "compareExchange"] as const) {
    const operation = real[key] as unknown as Operation;
    wrapped[key] = (array: Int32Array, ...rest: never[]): unknown => {
      if (array.buffer === memory) yieldTurn();
      return operation(array, ...rest);
    };
  }
  wrapped.notify = (array: Int32Array, index: number): number => {
    yieldTurn();
    unblock(control, array.byteOffset + index * 4);
    return 0;
  };
  wrapped.wait = (array: Int32Array, index: number, value: number): string => {
    yieldTurn();
    if (real.load(array, index) !== value) return "not-equal";
    block(control, party, array.byteOffset + index * 4);
    yieldTurn();
    return timedOut(control, party) ? "timed-out" : "ok";
  };
  return wrapped as unknown as typeof Atomics;
}

/** Runs the party once a schedule until the explorer has seen enough. */
function runSchedules(run: Interleaving["parties"][number], memory: SharedArrayBuffer): void {
  for (;;) {
    awaitTurn();
    finish(control, party, run(memory));
    real.store(control, TURN, decide(control));
    real.notify(control, TURN);
  }
}

parentPort!.on("message", async ({ url, name, memory }: PartyWork) => {
  const module = (await import(url)) as { interleavings: Record<string, Interleaving> };
  const run = module.interleavings[name]!.parties[party];
  parentPort!.postMessage("ready");
  if (run === undefined) return;
  globalThis.Atomics = instrumented(memory);
  try {
    runSchedules(run, memory);
  } catch (error) {
    if (!(error instanceof ExplorationOver)) throw error;
  } finally {
    globalThis.Atomics = real;
  }
  parentPort!.postMessage("over");
});
