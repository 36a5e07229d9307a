/** Time stamps that travel beside an interrupt: one record a row, owned by one side at a time. */
import { CACHE_LINE_BYTES, roundToLine } from "./arena.ts";

/*
 * A record is empty (the host may fill it) or full (the guest may take it). The host fills it for
 * the oldest interrupt under way and leaves it alone while later ones merge with that one, so that
 * a sample is the older of two. Stamps are written before the request bit or eventfd that
 * publishes them and read after it is taken; the state word orders the hand-over back.
 *
 * The limit of one record: an interrupt raised after the guest took the request bit of the last one
 * and before it took that one's record has no record of its own. If a third one is raised and
 * merges with it once the record is free, the record, and so the sample, is the third one's.
 */

/** Stages the host stamps, in nanoseconds of the common clock. */
export const STAMP_RAISED = 0;
export const STAMP_HANDLER = 1;
export const STAMP_SIGNALLED = 2;
const STAMPS = 3;
const DOUBLES_PER_ROW = CACHE_LINE_BYTES / 8;

export class StampTable {
  readonly rows: number;
  readonly #state: Int32Array;
  readonly #stamps: Float64Array;

  constructor(memory: SharedArrayBuffer, offset: number, rows: number) {
    this.rows = rows;
    // The state shares the record's cache line: one transfer between the cores, not two.
    this.#stamps = new Float64Array(memory, offset, rows * DOUBLES_PER_ROW);
    this.#state = new Int32Array(memory, offset, (rows * CACHE_LINE_BYTES) / 4);
  }

  static bytes(rows: number): number {
    return roundToLine(rows * CACHE_LINE_BYTES);
  }

  #stateAt(row: number): number {
    return row * (CACHE_LINE_BYTES / 4) + STAMPS * 2;
  }

  /** Host: starts a record for an interrupt raised at `ns`; false if an older one is under way. */
  open(row: number, ns: number): boolean {
    if (Atomics.load(this.#state, this.#stateAt(row)) !== 0) return false;
    // Stages it never passes (a replay out of the PBA) then cost nothing.
    const at = row * DOUBLES_PER_ROW;
    for (let stage = 0; stage < STAMPS; stage++) this.#stamps[at + stage] = ns;
    Atomics.store(this.#state, this.#stateAt(row), 1);
    return true;
  }

  /** Host: stamps a later stage of the record it opened. */
  stamp(row: number, stage: number, ns: number): void {
    this.#stamps[row * DOUBLES_PER_ROW + stage] = ns;
  }

  /** Either side: the interrupt the record is about was dropped. */
  discard(row: number): void {
    Atomics.store(this.#state, this.#stateAt(row), 0);
  }

  /** Guest: copies the record of `row` into `out` and empties it; false if there is none. */
  take(row: number, out: Float64Array): boolean {
    if (Atomics.load(this.#state, this.#stateAt(row)) === 0) return false;
    const at = row * DOUBLES_PER_ROW;
    for (let stage = 0; stage < STAMPS; stage++) out[stage] = this.#stamps[at + stage]!;
    Atomics.store(this.#state, this.#stateAt(row), 0);
    return true;
  }
}
