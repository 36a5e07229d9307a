/** Time stamps of interrupts, logged by the host beside delivery and paired by the guest. */
import { CACHE_LINE_BYTES } from "./arena.ts";

/*
 * The log is a single-producer, single-consumer ring like src/shm/ring.ts, of doubles. An entry is
 * written after the interrupt it is about has been published, so that measuring costs the measured
 * path nothing but the reading of the clock; the guest notes when its handler ran, and pairs both
 * by row and sequence number when it has nothing better to do. Where the guest does not keep up,
 * samples are lost and counted; interrupts never wait for the log.
 *
 * A sample costs more than the interrupt it is about. So where interrupts come too fast the guest
 * says which share of them it wants: four in a row of each row, then none for a while. Both sides
 * know by an interrupt's number if it is one; a change of the share costs a few halves of samples.
 */

/** Doubles of an entry. */
export const LOG_ROW = 0;
export const LOG_SEQUENCE = 1;
export const LOG_RAISED = 2;
export const LOG_HANDLER = 3;
export const LOG_SIGNALLED = 4;
const ENTRY_DOUBLES = 5;
/** Entries of a border's log; a log has a power of two. */
const LOG_ENTRIES = 1024;

const LINE_WORDS = CACHE_LINE_BYTES / 4;
const TAIL = 0;
const HEAD = LINE_WORDS;
/** The share less one, as a mask. */
const SHARE = 2 * LINE_WORDS;
const CONTROL_BYTES = 3 * CACHE_LINE_BYTES;
/** Interrupts in a row that are samples together: 2 to this. */
const GROUP_SHIFT = 2;

class LogEnd {
  protected readonly control: Int32Array;
  protected readonly doubles: Float64Array;
  protected readonly entries: number;

  constructor(memory: SharedArrayBuffer, offset: number, entries = LOG_ENTRIES) {
    this.control = new Int32Array(memory, offset, CONTROL_BYTES / 4);
    this.doubles = new Float64Array(memory, offset + CONTROL_BYTES, entries * ENTRY_DOUBLES);
    this.entries = entries;
  }

  /** True if interrupt `sequence` of a row is a sample. Hot path. */
  isSample(sequence: number): boolean {
    return ((sequence >>> GROUP_SHIFT) & this.control[SHARE]!) === 0;
  }
}

export function stampLogBytes(entries = LOG_ENTRIES): number {
  return CONTROL_BYTES + entries * ENTRY_DOUBLES * 8;
}

/** The host's end. */
export class StampLogWriter extends LogEnd {
  #tail = 0;
  #headSeen = 0;
  /** Entries there was no room for. */
  lost = 0;

  readonly #times = new Float64Array(3);

  /** Logs interrupt `sequence` of `row`; times in ns. */
  append(row: number, sequence: number, raised: number, handler: number, signalled: number): void {
    const times = this.#times;
    times[0] = raised;
    times[1] = handler;
    times[2] = signalled;
    this.appendTimes(row, sequence, times);
  }

  /** The same with the times in an array, which no call has to put on the heap. Hot path. */
  appendTimes(row: number, sequence: number, times: Float64Array): void {
    if (((this.#tail - this.#headSeen) | 0) >= this.entries && !this.#room()) {
      this.lost++;
      return;
    }
    const at = (this.#tail & (this.entries - 1)) * ENTRY_DOUBLES;
    const doubles = this.doubles;
    doubles[at + LOG_ROW] = row;
    doubles[at + LOG_SEQUENCE] = sequence;
    doubles[at + LOG_RAISED] = times[0]!;
    doubles[at + LOG_HANDLER] = times[1]!;
    doubles[at + LOG_SIGNALLED] = times[2]!;
    this.#tail = (this.#tail + 1) | 0;
    Atomics.store(this.control, TAIL, this.#tail);
  }

  #room(): boolean {
    const head = Atomics.load(this.control, HEAD);
    // A head outside what was written is a lie, and going by it could only hurt its owner.
    const used = (this.#tail - head) | 0;
    if (used < 0 || used >= this.entries) return false;
    this.#headSeen = head;
    return true;
  }
}

/** The guest's end. */
export class StampLogReader extends LogEnd {
  #head = 0;

  /** From now on one in `every` interrupts, a power of two, is a sample. */
  setShare(every: number): void {
    Atomics.store(this.control, SHARE, every - 1);
  }

  /** Hands all new entries to `take`, which finds entry's doubles from `at` on; how many. */
  read(take: (doubles: Float64Array, at: number) => void): number {
    const tail = Atomics.load(this.control, TAIL);
    const entries = Math.min((tail - this.#head) >>> 0, this.entries);
    if (entries === 0) return 0;
    for (let i = 0; i < entries; i++) {
      take(this.doubles, ((this.#head + i) & (this.entries - 1)) * ENTRY_DOUBLES);
    }
    this.#head = tail;
    Atomics.store(this.control, HEAD, tail);
    return entries;
  }
}
