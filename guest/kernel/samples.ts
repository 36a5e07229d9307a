/** Pairs the host's time stamps with the times at which this guest's handlers ran. */
import { MERGED, MOMENTS, type StageRecorder } from "../../src/measure/stages.ts";
import type { LatencyWatch } from "../../src/measure/watch.ts";
import {
  LOG_HANDLER,
  LOG_RAISED,
  LOG_ROW,
  LOG_SEQUENCE,
  LOG_SIGNALLED,
  type StampLogReader,
} from "../../src/shm/stamp-log.ts";

/** Samples of a row that may wait for their other half; a power of two. */
const WINDOW = 4;
/** No sequence number, and equal to none that a log may hold. */
const NONE = Number.NaN;
/** No place. */
const NOWHERE = -1;
/** Columns of MOMENTS that the guest fills; the first three are the host's. */
const WOKEN = 3;
const INJECTED = 4;
const ISR = 5;
/** Places in `stamps`. */
export const STAMP_WOKEN = 0;
export const STAMP_INJECTED = 1;
export const STAMP_ISR = 2;
const HOST_MOMENTS = 3;
const GUEST_MOMENTS = 3;
/** Of the guest's half: its moments, and when its thread had last woken from a sleep. */
const GUEST_HALF = GUEST_MOMENTS + 1;
const SLEPT_UNTIL = GUEST_MOMENTS;
const RAISED = 0;
const SIGNALLED = HOST_MOMENTS - 1;

/**
 * The host logs a stamp right after it has published the interrupt, so either half may come first:
 * each waits in a small window of its row, and a sample whose place is taken by a later one before
 * it finds its other half is lost. Interrupts that one handler serves together are one sample, of
 * the oldest; the others are recorded apart, each from its own raise.
 */
export class LatencySamples {
  /** Of the interrupt that is being delivered, ns: see `ran`. */
  readonly stamps = new Float64Array(GUEST_MOMENTS);
  readonly #log: StampLogReader;
  readonly #stages: StageRecorder;
  readonly #rows: number;
  readonly #sleptUntil: Float64Array;
  readonly #watch: LatencyWatch | null;
  readonly #take = (entry: Float64Array, at: number): void => this.#logged(entry, at);
  #unpaired = 0;
  readonly #moments = new Float64Array(MOMENTS.length);
  /** Sequence numbers waiting in each place, and their halves. */
  readonly #hostSequence: Float64Array;
  readonly #hostHalf: Float64Array;
  readonly #guestSequence: Float64Array;
  readonly #guestHalf: Float64Array;
  /** Tokens that the last handlers of each place served, from first to before end. */
  readonly #servedFirst: Float64Array;
  readonly #servedEnd: Float64Array;

  /** `sleptUntil`: [0] is when the guest's thread last woke from a sleep (MachineEnv). */
  constructor(
    log: StampLogReader,
    stages: StageRecorder,
    rows: number,
    sleptUntil: Float64Array = Float64Array.of(Number.NEGATIVE_INFINITY),
    watch: LatencyWatch | null = null,
  ) {
    this.#log = log;
    this.#stages = stages;
    this.#rows = rows;
    this.#sleptUntil = sleptUntil;
    this.#watch = watch;
    this.#hostSequence = new Float64Array(rows * WINDOW).fill(NONE);
    this.#hostHalf = new Float64Array(rows * WINDOW * HOST_MOMENTS);
    this.#guestSequence = new Float64Array(rows * WINDOW).fill(NONE);
    this.#guestHalf = new Float64Array(rows * WINDOW * GUEST_HALF);
    this.#servedFirst = new Float64Array(rows * WINDOW).fill(NONE);
    this.#servedEnd = new Float64Array(rows * WINDOW).fill(NONE);
  }

  /**
   * A handler ran for token `sequence` of `row` and those after it up to `end`, at the times in
   * `stamps`. Hot path.
   */
  ran(row: number, sequence: number, end: number): void {
    const place = row * WINDOW + (sequence & (WINDOW - 1));
    const at = place * GUEST_HALF;
    const { stamps } = this;
    this.#guestHalf[at] = stamps[STAMP_WOKEN]!;
    this.#guestHalf[at + 1] = stamps[STAMP_INJECTED]!;
    this.#guestHalf[at + 2] = stamps[STAMP_ISR]!;
    this.#guestHalf[at + SLEPT_UNTIL] = this.#sleptUntil[0]!;
    this.#guestSequence[place] = sequence;
    this.#servedFirst[place] = sequence;
    this.#servedEnd[place] = end;
    this.#unpaired++;
    if (this.#hostSequence[place] === sequence) this.#record(place);
    if (end > sequence + 1) this.#servedTogether(row, place);
  }

  /** Handlers that have run since the host's log was last read with success. */
  get unpaired(): number {
    return this.#unpaired;
  }

  /** Pairs what the host has logged since the last look. */
  pair(): void {
    if (this.#log.read(this.#take) > 0) this.#unpaired = 0;
  }

  #logged(entry: Float64Array, from: number): void {
    const row = entry[from + LOG_ROW]!;
    if (!(row >= 0 && row < this.#rows)) return;
    const sequence = entry[from + LOG_SEQUENCE]!;
    const place = row * WINDOW + (sequence & (WINDOW - 1));
    const merged = entry[from + LOG_HANDLER] === MERGED;
    if (merged || this.#guestSequence[place] !== sequence) {
      const served = this.#servedIn(row, sequence);
      if (merged || (served !== NOWHERE && this.#servedFirst[served] !== sequence)) {
        this.#recordCoalesced(served, entry[from + LOG_RAISED]!, entry[from + LOG_SIGNALLED]!);
        return;
      }
    }
    const at = place * HOST_MOMENTS;
    this.#hostHalf[at] = entry[from + LOG_RAISED]!;
    this.#hostHalf[at + 1] = entry[from + LOG_HANDLER]!;
    this.#hostHalf[at + 2] = entry[from + LOG_SIGNALLED]!;
    this.#hostSequence[place] = sequence;
    if (this.#guestSequence[place] === sequence) this.#record(place);
  }

  /** The place of the handler that served token `sequence`, or NOWHERE. */
  #servedIn(row: number, sequence: number): number {
    for (let place = row * WINDOW; place < (row + 1) * WINDOW; place++) {
      if (sequence >= this.#servedFirst[place]! && sequence < this.#servedEnd[place]!) return place;
    }
    return NOWHERE;
  }

  /** Tokens whose host's half is here already. */
  #servedTogether(row: number, served: number): void {
    for (let place = row * WINDOW; place < (row + 1) * WINDOW; place++) {
      const sequence = this.#hostSequence[place]!;
      const later = sequence > this.#servedFirst[served]!;
      if (!later || sequence >= this.#servedEnd[served]!) continue;
      const at = place * HOST_MOMENTS;
      this.#recordCoalesced(served, this.#hostHalf[at]!, this.#hostHalf[at + SIGNALLED]!);
      this.#hostSequence[place] = NONE;
    }
  }

  #recordCoalesced(served: number, raised: number, signalled: number): void {
    if (served === NOWHERE || this.#watch?.hit === true) return;
    const at = served * GUEST_HALF;
    const parked = signalled < this.#guestHalf[at + SLEPT_UNTIL]!;
    this.#stages.recordCoalesced(raised, this.#guestHalf[at + GUEST_MOMENTS - 1]!, parked);
  }

  #record(place: number): void {
    const moments = this.#moments;
    const host = place * HOST_MOMENTS;
    const guest = place * GUEST_HALF;
    for (let i = 0; i < HOST_MOMENTS; i++) moments[i] = this.#hostHalf[host + i]!;
    const signalled = moments[SIGNALLED]!;
    // Signalled after the loop had looked at the clock: it noticed no earlier than that.
    moments[WOKEN] = Math.max(this.#guestHalf[guest]!, signalled);
    moments[INJECTED] = Math.max(this.#guestHalf[guest + 1]!, moments[WOKEN]!);
    moments[ISR] = this.#guestHalf[guest + 2]!;
    const sequence = this.#hostSequence[place]!;
    this.#hostSequence[place] = NONE;
    this.#guestSequence[place] = NONE;
    const watch = this.#watch;
    if (watch?.hit === true) return;
    const parked = signalled < this.#guestHalf[guest + SLEPT_UNTIL]!;
    this.#stages.record(moments, parked);
    if (watch !== null && moments[RAISED]! >= this.#stages.fromNs) {
      watch.sample(Math.floor(place / WINDOW), sequence, moments, parked);
    }
  }
}
