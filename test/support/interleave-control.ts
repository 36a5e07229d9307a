/** Who runs next: the state that the parties of an interleaving and their explorer share. */

/*
 * Exactly one thread runs at any time: the one whose number is in word TURN. A party asks before
 * each operation and goes on at once if it is its own turn again, so a thread is switched only
 * where the schedule is. The choices of a schedule are a list: those at its beginning are given,
 * the rest are first options, and both are written down for the explorer to go on from.
 */

export const PARTIES_MAX = 3;
export const RESULTS_MAX = 64;
export const STEPS_MAX = 2000;
/** Turns that no party has. */
export const CONTROLLER = -1;
export const QUIT = -2;
/** A step in which nobody could run and a sleep timed out. */
export const TIMEOUT_STEP = 9;

export const TURN = 0;
export const PARTIES = 1;
export const PREEMPTIONS_LEFT = 2;
export const STEPS = 3;
export const DEPTH = 4;
/** Choices given; behind them first options are taken. */
export const GIVEN = 5;
const CURRENT = 6;
export const STATUS = 7;
const BLOCKED_AT = STATUS + PARTIES_MAX;
const TIMED_OUT = BLOCKED_AT + PARTIES_MAX;
export const RESULTS = TIMED_OUT + PARTIES_MAX;
export const STEP = RESULTS + PARTIES_MAX * (RESULTS_MAX + 1);
export const TAKEN = STEP + STEPS_MAX;
export const OPTIONS = TAKEN + STEPS_MAX;
export const CONTROL_WORDS = OPTIONS + STEPS_MAX;

const READY = 0;
const BLOCKED = 1;
const DONE = 2;

/** All parties are at their beginning; the choices stay. */
export function beginSchedule(control: Int32Array, preemptionsMax: number): void {
  control.fill(0, STATUS, STEP);
  control[CURRENT] = 0;
  control[STEPS] = 0;
  control[DEPTH] = 0;
  control[PREEMPTIONS_LEFT] = preemptionsMax;
}

/** Goes to the next schedule, depth first; false if this was the last one. */
export function nextSchedule(control: Int32Array): boolean {
  for (let last = control[DEPTH]! - 1; last >= 0; last--) {
    const taken = control[TAKEN + last]! + 1;
    if (taken === control[OPTIONS + last]) continue;
    control[TAKEN + last] = taken;
    control[GIVEN] = last + 1;
    return true;
  }
  return false;
}

function choose(control: Int32Array, options: number): number {
  const depth = control[DEPTH]!++;
  if (depth >= control[GIVEN]!) control[TAKEN + depth] = 0;
  control[OPTIONS + depth] = options;
  return control[TAKEN + depth]!;
}

/** If nobody is ready, a sleeper's time is up; false if there is none. */
function timeOutOne(control: Int32Array): boolean {
  for (let p = 0; p < control[PARTIES]!; p++) {
    if (control[STATUS + p] !== BLOCKED) continue;
    control[STATUS + p] = READY;
    control[TIMED_OUT + p] = 1;
    control[STEP + control[STEPS]!++] = TIMEOUT_STEP;
    return true;
  }
  return false;
}

/** The `nth` ready party: the current one first if it is ready, then the others in order. */
function readyParty(control: Int32Array, currentReady: boolean, nth: number): number {
  const current = control[CURRENT]!;
  if (currentReady && nth-- === 0) return current;
  for (let p = 0; ; p++) {
    if (control[STATUS + p] !== READY || (currentReady && p === current)) continue;
    if (nth-- === 0) return p;
  }
}

/** Who takes the next step, or CONTROLLER at the end of the schedule. */
export function decide(control: Int32Array): number {
  const parties = control[PARTIES]!;
  let ready = 0;
  for (let p = 0; p < parties; p++) if (control[STATUS + p] === READY) ready++;
  if (ready === 0) {
    if (!timeOutOne(control)) return CONTROLLER;
    ready = 1;
  }
  if (control[STEPS]! >= STEPS_MAX - parties) return CONTROLLER;
  const currentReady = control[STATUS + control[CURRENT]!] === READY;
  const options = currentReady && control[PREEMPTIONS_LEFT] === 0 ? 1 : ready;
  const nth = options === 1 ? 0 : choose(control, options);
  if (currentReady && nth > 0) control[PREEMPTIONS_LEFT]!--;
  control[CURRENT] = readyParty(control, currentReady, nth);
  control[STEP + control[STEPS]!++] = control[CURRENT]!;
  return control[CURRENT]!;
}

/** `party` sleeps on the word at byte `at`. */
export function block(control: Int32Array, party: number, at: number): void {
  control[STATUS + party] = BLOCKED;
  control[BLOCKED_AT + party] = at;
  control[TIMED_OUT + party] = 0;
}

/** Whoever sleeps on the word at byte `at` may go on. */
export function unblock(control: Int32Array, at: number): void {
  for (let p = 0; p < control[PARTIES]!; p++) {
    if (control[STATUS + p] === BLOCKED && control[BLOCKED_AT + p] === at) {
      control[STATUS + p] = READY;
    }
  }
}

export function timedOut(control: Int32Array, party: number): boolean {
  return control[TIMED_OUT + party] === 1;
}

export function finish(control: Int32Array, party: number, results: readonly number[]): void {
  const at = RESULTS + party * (RESULTS_MAX + 1);
  control[at] = results.length;
  control.set(results, at + 1);
  control[STATUS + party] = DONE;
}

/** True if every party has come to its end. */
export function allDone(control: Int32Array): boolean {
  for (let p = 0; p < control[PARTIES]!; p++) if (control[STATUS + p] !== DONE) return false;
  return true;
}

export function resultsOf(control: Int32Array, party: number): number[] {
  const at = RESULTS + party * (RESULTS_MAX + 1);
  return [...control.subarray(at + 1, at + 1 + control[at]!)];
}
