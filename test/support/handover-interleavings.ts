/** Short programs over the eventcount, rings and stamps for the interleaving explorer. */
import { PollSet } from "../../src/shm/poll-set.ts";
import { RingConsumer, RingProducer, ringBytes } from "../../src/shm/ring.ts";
import { FutexWaker, Parker, type SharedWord } from "../../src/shm/waker.ts";
import { type Interleaving, silently } from "./interleave.ts";

type Memory = SharedArrayBuffer;

const WORK = 0;
const FLAG = 16;
const EPOCH = 32;

function word(memory: Memory, index: number): SharedWord {
  return { words: new Int32Array(memory), index };
}

/** Publishes a unit of work and wakes. */
function publish(memory: Memory, wake: () => void): void {
  Atomics.add(new Int32Array(memory), WORK, 1);
  wake();
}

const LOST = 1;

/** Takes work until `units` are there, sleeping in between; [LOST] if a sleep had to time out. */
function consume(memory: Memory, units: number, parker: Pick<Parker, keyof Parker>): number[] {
  const words = new Int32Array(memory);
  let taken = 0;
  while (taken < units) {
    taken += Atomics.exchange(words, WORK, 0);
    if (taken >= units) break;
    const epoch = parker.prepare();
    if (Atomics.load(words, WORK) !== 0) parker.retract();
    else if (parker.sleep(epoch, 1000) === "timed-out") return [LOST];
  }
  return [];
}

const noLoss = (results: readonly (readonly number[])[]): string | null =>
  results.some((result) => result.includes(LOST)) ? "a wake-up was lost" : null;

const waker = (memory: Memory): FutexWaker =>
  new FutexWaker(word(memory, FLAG), word(memory, EPOCH));
const parker = (memory: Memory): Parker => new Parker(word(memory, EPOCH), [word(memory, FLAG)]);

/** The state in which a waker has been slow: work is there and the flag of the last sleep is up. */
function slowWaker(memory: Memory): void {
  const words = new Int32Array(memory);
  words[WORK] = 1;
  words[FLAG] = 1;
}

/** Broken: the epoch is read after the flag is set. */
class EpochLastParker extends Parker {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    super(word(memory, EPOCH), [word(memory, FLAG)]);
    this.#memory = memory;
  }

  override prepare(): number {
    super.prepare();
    return Atomics.load(new Int32Array(this.#memory), EPOCH);
  }
}

/** Broken: looks for a sleeper before it publishes. */
function hastyPublish(memory: Memory): void {
  const words = new Int32Array(memory);
  const asleep = Atomics.load(words, FLAG) !== 0;
  Atomics.add(words, WORK, 1);
  if (asleep) waker(memory).wake();
}

const SHAPE = { slots: 2, slotBytes: 8 };
const MESSAGES = 3;

/** Produces numbered slots, each in two words; stops after `attempts` tries. */
function produce(memory: Memory, attempts: number): number[] {
  const ring = new RingProducer(memory, 0, SHAPE);
  let sent = 0;
  for (let i = 0; i < attempts && sent < MESSAGES; i++) {
    const slot = ring.reserve();
    if (slot < 0) continue;
    sent++;
    ring.words[slot * 2] = sent;
    ring.words[slot * 2 + 1] = -sent;
    ring.commit();
    ring.publish();
  }
  return [sent];
}

function receive(memory: Memory, attempts: number): number[] {
  const ring = new RingConsumer(memory, 0, SHAPE);
  const got: number[] = [];
  for (let i = 0; i < attempts; i++) {
    let ready = ring.available();
    if (ready < 0) return [-99];
    for (; ready > 0; ready--) {
      const slot = ring.front();
      got.push(ring.words[slot * 2]!, ring.words[slot * 2 + 1]!);
      ring.pop();
    }
    ring.release();
  }
  return got;
}

function inOrder(results: readonly (readonly number[])[]): string | null {
  const got = results[1]!;
  for (let i = 0; i < got.length / 2; i++) {
    if (got[2 * i] !== i + 1 || got[2 * i + 1] !== -(i + 1)) return `slots ${got.join()}`;
  }
  return got.length / 2 <= results[0]![0]! ? null : `received ${got.join()} of ${results[0]}`;
}

const POLLED = 256;

/** Marks a source and wakes, as an eventfd's signaller does. */
function markAndWake(memory: Memory, source: number): void {
  new PollSet(memory, POLLED, 32).mark(source);
  waker(memory).wake();
}

/** Drains until `sources` have come, sleeping in between; [LOST] if a sleep had to time out. */
function drainAsleep(memory: Memory, sources: number): number[] {
  const set = new PollSet(memory, POLLED, 32);
  const sleeper = parker(memory);
  const out = new Int32Array(32);
  for (let taken = set.drain(out); taken < sources; taken += set.drain(out)) {
    const epoch = sleeper.prepare();
    if (set.pending()) sleeper.retract();
    else if (sleeper.sleep(epoch, 1000) === "timed-out") return [LOST];
  }
  return [];
}

export const interleavings: Record<string, Interleaving> = {
  "eventcount: one waker, two units": {
    bytes: 256,
    parties: [
      (memory) => consume(memory, 2, parker(memory)),
      (memory) => {
        for (let i = 0; i < 2; i++) publish(memory, () => waker(memory).wake());
        return [];
      },
    ],
    check: noLoss,
  },
  "eventcount: two wakers": {
    bytes: 256,
    parties: [
      (memory) => consume(memory, 2, parker(memory)),
      silently((memory) => publish(memory, () => waker(memory).wake())),
      silently((memory) => publish(memory, () => waker(memory).wake())),
    ],
    check: noLoss,
  },
  "eventcount: a waker still busy with the sleep before": {
    bytes: 256,
    init: slowWaker,
    parties: [
      (memory) => {
        const sleeper = parker(memory);
        sleeper.retract();
        return consume(memory, 2, sleeper);
      },
      (memory) => {
        waker(memory).wake();
        publish(memory, () => waker(memory).wake());
        return [];
      },
    ],
    check: noLoss,
  },
  "eventcount over a poll set: two markers": {
    bytes: POLLED + PollSet.bytes(32),
    parties: [
      (memory) => drainAsleep(memory, 2),
      silently((memory) => markAndWake(memory, 3)),
      silently((memory) => markAndWake(memory, 4)),
    ],
    check: noLoss,
  },
  "canary: a sleeper that reads the epoch after it sets the flag": {
    bytes: 256,
    init: slowWaker,
    parties: [
      (memory) => {
        const sleeper = new EpochLastParker(memory);
        sleeper.retract();
        return consume(memory, 2, sleeper);
      },
      (memory) => {
        waker(memory).wake();
        publish(memory, () => waker(memory).wake());
        return [];
      },
    ],
    check: noLoss,
  },
  "canary: a waker that looks for the sleeper before it publishes": {
    bytes: 256,
    parties: [
      (memory) => consume(memory, 1, parker(memory)),
      silently((memory) => hastyPublish(memory)),
    ],
    check: noLoss,
  },
  "ring: producer and consumer": {
    bytes: ringBytes(SHAPE),
    parties: [(memory) => produce(memory, 5), (memory) => receive(memory, 3)],
    check: inOrder,
  },
  "canary: a ring that publishes before it writes": {
    bytes: ringBytes(SHAPE),
    parties: [
      (memory) => {
        const ring = new RingProducer(memory, 0, SHAPE);
        ring.reserve();
        ring.commit();
        ring.publish();
        Atomics.load(ring.words, 0);
        ring.words.set([1, -1], 0);
        return [1];
      },
      (memory) => receive(memory, 2),
    ],
    check: inOrder,
  },
};
