/** The raw floor: round trips of one word between two threads, spinning or parked. */
import { CACHE_LINE_BYTES } from "./arena.ts";

/*
 * Two words on cache lines of their own carry the number of the round: ping is written by one
 * side, pong by the other. Round 1 is the handshake and is not counted. Whoever waits longer than
 * its deadline gives up for good and says so with ABANDONED in its own word, so that the other
 * side does not wait for it: neither can hang. A pair of words serves one measurement.
 */

export type FloorMode = "spin" | "park";

/** A clock of which only the time matters, ns. */
export interface NowNs {
  now(): number;
}

export const PING = 0;
export const PONG = CACHE_LINE_BYTES / 4;
const ABANDONED = -1;
/** Looks at the word between two looks at the clock. */
const SPINS = 4096;
const PARK_MS_MAX = 10;

/** Fresh memory for one measurement. */
export function createFloorMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * CACHE_LINE_BYTES);
}

/**
 * Starts rounds and times them: `out[i]` is the round trip of round i + 1, ns, one reading of the
 * clock included. Returns how many of `rounds` (at most out.length) were timed before `deadlineNs`.
 */
export function pingSide(
  memory: SharedArrayBuffer,
  rounds: number,
  mode: FloorMode,
  out: Float64Array,
  clock: NowNs,
  deadlineNs: number,
): number {
  const words = new Int32Array(memory);
  let start = clock.now();
  for (let round = 1; round <= rounds + 1; round++) {
    send(words, PING, round, mode);
    if (!awaitRound(words, PONG, round, mode, clock, deadlineNs)) {
      abandon(words, PING, mode);
      return Math.max(0, round - 2);
    }
    const end = clock.now();
    if (round > 1) out[round - 2] = end - start;
    if (end >= deadlineNs && round <= rounds) {
      abandon(words, PING, mode);
      return round - 1;
    }
    start = end;
  }
  return rounds;
}

/** Answers as many rounds as the other side starts; false if it gave up or time ran out. */
export function pongSide(
  memory: SharedArrayBuffer,
  rounds: number,
  mode: FloorMode,
  clock: NowNs,
  deadlineNs: number,
): boolean {
  const words = new Int32Array(memory);
  for (let round = 1; round <= rounds + 1; round++) {
    if (!awaitRound(words, PING, round, mode, clock, deadlineNs)) {
      abandon(words, PONG, mode);
      return false;
    }
    send(words, PONG, round, mode);
  }
  return true;
}

/** Shows `round` to the other side. */
export function send(words: Int32Array, at: number, round: number, mode: FloorMode): void {
  Atomics.store(words, at, round);
  if (mode === "park") Atomics.notify(words, at);
}

/** Tells the other side not to wait. */
export function abandon(words: Int32Array, at: number, mode: FloorMode): void {
  send(words, at, ABANDONED, mode);
}

/** Waits until the word shows `round`; false if it never will. */
export function awaitRound(
  words: Int32Array,
  at: number,
  round: number,
  mode: FloorMode,
  clock: NowNs,
  deadlineNs: number,
): boolean {
  for (;;) {
    let seen = Atomics.load(words, at);
    if (mode === "spin") {
      for (let spins = 0; seen === round - 1 && spins < SPINS; spins++) {
        seen = Atomics.load(words, at);
      }
    } else if (seen === round - 1) {
      Atomics.wait(words, at, seen, PARK_MS_MAX);
      seen = Atomics.load(words, at);
    }
    if (seen === round) return true;
    if (seen !== round - 1 || clock.now() >= deadlineNs) return false;
  }
}

/** Cost of one reading of `clock`, ns: the mean of each of `batches` batches. */
export function measureClockCost(clock: NowNs, batches = 16, readings = 1_000): number[] {
  const costs: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const start = clock.now();
    let last = start;
    for (let i = 0; i < readings; i++) last = clock.now();
    costs.push((last - start) / readings);
  }
  return costs;
}

/** Runs `pairs` uncontended pairs of atomic or and exchange on a word: what a hand-over costs. */
export function atomicPairs(memory: SharedArrayBuffer, pairs: number): number {
  const words = new Int32Array(memory);
  let taken = 0;
  for (let i = 0; i < pairs; i++) {
    Atomics.or(words, PING, 1 << (i & 31));
    taken ^= Atomics.exchange(words, PING, 0);
  }
  return taken;
}
