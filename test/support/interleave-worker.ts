/** One party of an interleaving: see interleave.ts. */
import { parentPort, workerData } from "node:worker_threads";
import {
  BLOCKED,
  BLOCKED_AT,
  CONTROLLER,
  DONE,
  type Interleaving,
  NOTIFIED,
  OUTCOME,
  QUIT,
  RESULTS,
  RESULTS_MAX,
  STATUS,
  TURN,
  WOKEN,
} from "./interleave.ts";

interface PartyData {
  readonly url: string;
  readonly name: string;
  readonly party: number;
  readonly memory: SharedArrayBuffer;
  readonly control: Int32Array;
}

const { url, name, party, memory, control } = workerData as PartyData;
const real = globalThis.Atomics;

/** Waits for this party's turn; false if the exploration is over. */
function awaitTurn(): boolean {
  for (;;) {
    const turn = real.load(control, TURN);
    if (turn === party) return true;
    if (turn === QUIT) return false;
    real.wait(control, TURN, turn, 1000);
  }
}

function giveTurn(): void {
  real.store(control, TURN, CONTROLLER);
  real.notify(control, TURN);
}

/** Lets the controller decide who runs the next operation. */
function beforeOperation(): void {
  giveTurn();
  if (!awaitTurn()) process.exit();
}

type Operation = (array: Int32Array, ...rest: never[]) => unknown;

function instrumented(): typeof Atomics {
  const wrapped: Record<string, unknown> = {};
  for (const key of ["load", "store", "add", "and", "or", "exchange", "compareExchange"] as const) {
    const operation = real[key] as unknown as Operation;
    wrapped[key] = (array: Int32Array, ...rest: never[]): unknown => {
      if (array.buffer === memory) beforeOperation();
      return operation(array, ...rest);
    };
  }
  wrapped.notify = (array: Int32Array, index: number): number => {
    beforeOperation();
    control[NOTIFIED] = array.byteOffset + index * 4;
    return 0;
  };
  wrapped.wait = (array: Int32Array, index: number, value: number): string => {
    beforeOperation();
    if (real.load(array, index) !== value) return "not-equal";
    control[BLOCKED_AT + party] = array.byteOffset + index * 4;
    control[STATUS + party] = BLOCKED;
    beforeOperation();
    return control[OUTCOME + party] === WOKEN ? "ok" : "timed-out";
  };
  return wrapped as unknown as typeof Atomics;
}

const module = (await import(url)) as { interleavings: Record<string, Interleaving> };
const run = module.interleavings[name]!.parties[party]!;
globalThis.Atomics = instrumented();
parentPort!.postMessage("ready");
while (awaitTurn()) {
  const results = run(memory);
  const at = RESULTS + party * (RESULTS_MAX + 1);
  control[at] = results.length;
  control.set(results, at + 1);
  control[STATUS + party] = DONE;
  giveTurn();
}
