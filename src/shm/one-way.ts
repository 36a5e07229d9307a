/** The raw floor of a lone interrupt: a word's one way, stamped at both ends, at device pace. */
import { CACHE_LINE_BYTES } from "./arena.ts";
import { abandon, awaitRound, type FloorMode, type NowNs, PING, PONG, send } from "./floor.ts";

/*
 * The words and their protocol are those of src/shm/floor.ts. The receiver stamps when it sees a
 * round, and publishes the stamp with its answer; the sender stamps before and after. A way is half
 * of the sender's time, so that it does not matter if the two clocks agree; by how much they do not
 * is what the receiver's stamp is off the middle, as NTP has it.
 *
 * Rounds are a pause apart, and stamped as interrupts are: half a round trip of a tight loop, where
 * both sides' instructions are all that happens, is less than what a hand-over costs that comes
 * alone, and no interrupt could be held against it.
 */

/** From an answer to the next round, ns: the time in which the modelled drive serves a command. */
const PAUSE_NS = 10_000;
/** Where the receiver leaves its stamp: on the line of its answer, which the sender waits for. */
const SEEN = CACHE_LINE_BYTES / 8 + 1;
/** A word that nobody changes. */
const STILL = PING + 1;

/** What the sender measures; elements are rounds. */
export interface Ways {
  /** One way, a reading of the clock included, ns. */
  readonly ns: Float64Array;
  /** By how much the receiver's clock is ahead, ns. */
  readonly aheadNs: Float64Array;
}

/**
 * Sends rounds and measures them. Returns how many of `rounds` (at most as many as `out` has room
 * for) there were before `deadlineNs`. The first round is the handshake.
 */
export function sendSide(
  memory: SharedArrayBuffer,
  rounds: number,
  mode: FloorMode,
  out: Ways,
  clock: NowNs,
  deadlineNs: number,
): number {
  const words = new Int32Array(memory);
  const doubles = new Float64Array(memory);
  for (let round = 1; round <= rounds + 1; round++) {
    pause(words, mode, clock);
    const sent = clock.now();
    if (sent >= deadlineNs) {
      abandon(words, PING, mode);
      return Math.max(0, round - 2);
    }
    send(words, PING, round, mode);
    if (!awaitRound(words, PONG, round, mode, clock, deadlineNs)) {
      abandon(words, PING, mode);
      return Math.max(0, round - 2);
    }
    const back = clock.now();
    if (round === 1) continue;
    out.ns[round - 2] = (back - sent) / 2;
    out.aheadNs[round - 2] = doubles[SEEN]! - (sent + back) / 2;
  }
  return rounds;
}

/** Stamps as many rounds as the other side sends; false if it gave up or time ran out. */
export function receiveSide(
  memory: SharedArrayBuffer,
  rounds: number,
  mode: FloorMode,
  clock: NowNs,
  deadlineNs: number,
): boolean {
  const words = new Int32Array(memory);
  const doubles = new Float64Array(memory);
  for (let round = 1; round <= rounds + 1; round++) {
    if (!awaitRound(words, PING, round, mode, clock, deadlineNs)) {
      abandon(words, PONG, mode);
      return false;
    }
    // Published by the answer that follows it.
    doubles[SEEN] = clock.now();
    send(words, PONG, round, mode);
  }
  return true;
}

/** As the host waits for its device: on its core, or asleep. */
function pause(words: Int32Array, mode: FloorMode, clock: NowNs): void {
  if (mode === "park") {
    Atomics.wait(words, STILL, 0, PAUSE_NS / 1e6);
    return;
  }
  const end = clock.now() + PAUSE_NS;
  for (let now = clock.now(); now < end; ) {
    const last = now;
    now = clock.now();
    // A clock that stands still is a test's.
    if (now === last) return;
  }
}
