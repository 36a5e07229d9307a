/** Short programs over posted-interrupt descriptors for the interleaving explorer. */
import {
  PID_ON,
  PID_SN,
  POSTED_FRESH,
  POSTED_NOTIFY,
  PostedReader,
  PostedWriter,
  postedDescriptorBytes,
} from "../../src/shm/posted-descriptor.ts";
import { FutexWaker, Parker, type SharedWord } from "../../src/shm/waker.ts";
import type { Interleaving, PartyResult } from "./interleave.ts";

type Memory = SharedArrayBuffer;
type Waking = Pick<FutexWaker, "wake">;

/** Words of the sleep, on lines of their own before the descriptor. */
const FLAG = 0;
const EPOCH = 16;
const PID = 128;
const BYTES = PID + postedDescriptorBytes(1);
/** Words of the descriptor in this memory. */
const PIR_1 = PID / 4 + 1;
const CONTROL = PID / 4 + 8;
const NAMED = PID / 4 + 16;
/** Both in the second PIR word. */
const VECTORS = [0x31, 0x32];
const LOST = -1;
const VCPU = 0;

const word = (memory: Memory, index: number): SharedWord => ({
  words: new Int32Array(memory),
  index,
});
const waker = (memory: Memory): Waking => new FutexWaker(word(memory, FLAG), word(memory, EPOCH));
const parker = (memory: Memory): Parker => new Parker(word(memory, EPOCH), [word(memory, FLAG)]);

/** The host has made its entries before. */
function named(memory: Memory): void {
  new PostedWriter(memory, PID, 1).use(VCPU, VECTORS[0]!);
}

/** Posts each vector and wakes where it must; how many did not merge. */
function post(
  memory: Memory,
  vectors: readonly number[],
  writer: Pick<PostedWriter, "post"> = new PostedWriter(memory, PID, 1),
): number[] {
  let fresh = 0;
  for (const vector of vectors) {
    const found = writer.post(VCPU, vector);
    if ((found & POSTED_NOTIFY) !== 0) waker(memory).wake();
    if ((found & POSTED_FRESH) !== 0) fresh++;
  }
  return [fresh];
}

type Taking = Pick<PostedReader, "take" | "takeSingle" | "pending" | "poll" | "await">;

/**
 * Takes interrupts until `last` has come, and sleeps where there is nothing; [LOST] if a sleep had
 * to time out. Awake it polls, or is one that only ever looks when it is notified.
 */
function serve(memory: Memory, last: number, reader: Taking, polls: boolean): number[] {
  const out = new Int32Array(256);
  const sleeper = parker(memory);
  let taken = 0;
  if (polls) reader.poll();
  for (;;) {
    const single = polls ? reader.takeSingle() : -1;
    if (single >= 0) out[0] = single;
    const count = single >= 0 ? 1 : reader.take(out);
    taken += count;
    if (out.subarray(0, count).includes(last)) return [taken];
    const epoch = sleeper.prepare();
    reader.await();
    if (reader.pending()) sleeper.retract();
    else if (sleeper.sleep(epoch, 1000) === "timed-out") return [LOST];
    if (polls) reader.poll();
  }
}

const reader = (memory: Memory): PostedReader => new PostedReader(memory, PID, 1);

/** Every interrupt that did not merge was taken, once. */
function allTaken([posted, taken]: readonly PartyResult[]): string | null {
  if (taken![0] === LOST) return "an interrupt waits, and its vCPU sleeps";
  return posted![0] === taken![0] ? null : `posted ${posted}, taken ${taken}`;
}

const last = (vectors: readonly number[]): number => vectors[vectors.length - 1]!;

function program(vectors: readonly number[], polls: boolean): Interleaving {
  return {
    bytes: BYTES,
    init: named,
    parties: [
      (memory) => post(memory, vectors),
      (memory) => serve(memory, last(vectors), reader(memory), polls),
    ],
    check: allTaken,
  };
}

/** Broken: looks at ON and SN before the bit is in PIR. */
function hasty(memory: Memory): Pick<PostedWriter, "post"> {
  const words = new Int32Array(memory);
  return {
    post(_vcpu, vector) {
      const control = Atomics.load(words, CONTROL);
      const bit = 1 << (vector & 31);
      const fresh = (Atomics.or(words, PIR_1, bit) & bit) === 0 ? POSTED_FRESH : 0;
      if ((control & (PID_ON | PID_SN)) !== 0) return fresh;
      Atomics.or(words, CONTROL, PID_ON);
      return fresh | POSTED_NOTIFY;
    },
  };
}

/** Broken: looks at PIR before SN and ON are clear. */
class LooksFirst extends PostedReader {
  #looked = false;

  override await(): void {
    this.#looked = super.pending();
    super.await();
  }

  override pending(): boolean {
    return this.#looked;
  }
}

/** Broken: clears ON when it has taken PIR, and sleeps without another look. */
class ClearsLast extends PostedReader {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    super(memory, PID, 1);
    this.#memory = memory;
  }

  override take(out: Int32Array): number {
    const words = new Int32Array(this.#memory);
    const bits = Atomics.exchange(words, PIR_1, 0);
    Atomics.and(words, CONTROL, ~PID_ON);
    let taken = 0;
    for (const vector of VECTORS) if ((bits & (1 << (vector & 31))) !== 0) out[taken++] = vector;
    return taken;
  }

  override await(): void {}

  override pending(): boolean {
    return (Atomics.load(new Int32Array(this.#memory), CONTROL) & PID_ON) !== 0;
  }
}

function broken(
  parts: {
    readonly writer?: (memory: Memory) => Pick<PostedWriter, "post">;
    readonly reader?: (memory: Memory) => Taking;
  },
  polls: boolean,
): Interleaving {
  return {
    ...program(VECTORS, polls),
    parties: [
      (memory) => post(memory, VECTORS, parts.writer?.(memory)),
      (memory) => serve(memory, last(VECTORS), (parts.reader ?? reader)(memory), polls),
    ],
  };
}

export const interleavings: Record<string, Interleaving> = {
  "posted: two vectors to a vCPU that polls and sleeps": program(VECTORS, true),
  "posted: two vectors to a vCPU that waits for notifications": program(VECTORS, false),
  "posted: one vector again and again": program([0x31, 0x31, 0x32], true),
  "posted: an entry made while its vCPU goes to sleep": {
    ...program(VECTORS, true),
    init: () => {},
    parties: [
      (memory) => {
        const writer = new PostedWriter(memory, PID, 1);
        writer.use(VCPU, VECTORS[0]!);
        return post(memory, [VECTORS[0]!], writer);
      },
      (memory) => serve(memory, VECTORS[0]!, reader(memory), true),
    ],
  },
  "canary: an IOMMU that looks at ON before it sets the request": broken({ writer: hasty }, true),
  "canary: a vCPU that looks for requests before it asks to be notified": broken(
    { reader: (memory) => new LooksFirst(memory, PID, 1) },
    true,
  ),
  "canary: a vCPU that clears ON after it has taken the requests": broken(
    { reader: (memory) => new ClearsLast(memory) },
    false,
  ),
  "canary: an entry that names its word after it has posted": {
    ...program(VECTORS, true),
    init: () => {},
    parties: [
      (memory) => {
        const writer = new PostedWriter(memory, PID, 1);
        const posted = post(memory, [VECTORS[0]!], writer);
        writer.use(VCPU, VECTORS[0]!);
        return posted;
      },
      (memory) => serve(memory, VECTORS[0]!, reader(memory), true),
    ],
  },
  "canary: an interrupt taken by load and store": {
    ...program([0x31, 0x32], true),
    parties: [
      (memory) => post(memory, VECTORS),
      (memory) => {
        const words = new Int32Array(memory);
        Atomics.store(words, CONTROL, PID_SN);
        let taken = 0;
        for (let look = 0; look < 3; look++) {
          const bits = Atomics.load(words, PIR_1);
          Atomics.store(words, PIR_1, 0);
          for (const vector of VECTORS) if ((bits & (1 << (vector & 31))) !== 0) taken++;
        }
        Atomics.load(words, NAMED);
        return [taken + reader(memory).take(new Int32Array(256))];
      },
    ],
  },
};
