/** Short programs over eventfds, poll sets and virtual APICs for the interleaving explorer. */
import { EventfdTable } from "../../src/shm/eventfd.ts";
import { PollSet } from "../../src/shm/poll-set.ts";
import { VirtualApic } from "../../src/shm/virtual-apic.ts";
import { type Interleaving, silently } from "./interleave.ts";

type Memory = SharedArrayBuffer;

const LINE = 64;

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function eventfd(memory: Memory): EventfdTable {
  return new EventfdTable(memory, 0, 1);
}

/** What writers added must be what readers took and what is left. */
function conserved(added: bigint) {
  return (results: readonly (readonly number[])[], memory: Memory): string | null => {
    const left = eventfd(memory).count(0);
    // Readers report low and high 32 bits of each read.
    const taken = results.flatMap((result) =>
      Array.from({ length: result.length / 2 }, (_, i) => wide(result[2 * i]!, result[2 * i + 1]!)),
    );
    const total = taken.reduce((all, one) => all + one, left);
    return total === added ? null : `added ${added}, found ${taken.join("+")} and ${left} left`;
  };
}

function wide(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function halves(value: bigint): [number, number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}

const SOURCES = 40;
const pollSet = (memory: Memory): PollSet => new PollSet(memory, 0, SOURCES);

function drainAll(memory: Memory, drains: number): number[] {
  const set = pollSet(memory);
  const out = new Int32Array(64);
  const found: number[] = [];
  for (let i = 0; i < drains; i++) found.push(...out.subarray(0, set.drain(out)));
  return found;
}

/** Every source marked is drained by somebody, or a later drain still finds it. */
function allFound(marked: readonly number[]) {
  return (results: readonly (readonly number[])[], memory: Memory): string | null => {
    const found = new Set([...results.flat(), ...drainAll(memory, 1)]);
    const lost = marked.filter((source) => !found.has(source));
    return lost.length === 0 ? null : `sources lost: ${lost.join(" ")}`;
  };
}

/** Broken: names the word in the summary before the source's bit is in it. */
function summaryFirst(memory: Memory, source: number): void {
  const words = new Int32Array(memory);
  if (Atomics.load(words, LINE / 4 + (source >>> 5)) === 0)
    Atomics.or(words, 0, 1 << (source >>> 5));
  Atomics.or(words, LINE / 4 + (source >>> 5), 1 << (source & 31));
}

const apic = (memory: Memory): VirtualApic => new VirtualApic(memory, 0, 2);

function takeRequests(memory: Memory, times: number): number[] {
  const out = new Int32Array(512);
  const taken: number[] = [];
  for (let i = 0; i < times; i++) taken.push(...out.subarray(0, apic(memory).take(out)));
  return taken;
}

/** Setters return vectors that were new: as many of each as the taker took or finds at the end. */
function requestsConserved(takers: number) {
  return (results: readonly (readonly number[])[], memory: Memory): string | null => {
    const taken = [...results.slice(0, takers).flat(), ...takeRequests(memory, 1)].sort();
    const set = results.slice(takers).flat().sort();
    return taken.join() === set.join() ? null : `set ${set.join()}, taken ${taken.join()}`;
  };
}

function setRequests(memory: Memory, requests: readonly (readonly [number, number])[]): number[] {
  const table = apic(memory);
  return requests.flatMap(([vcpu, vector]) =>
    table.set(vcpu, vector) ? [(vcpu << 8) | vector] : [],
  );
}

export const interleavings: Record<string, Interleaving> = {
  "eventfd: two signallers and a reader": {
    bytes: LINE,
    parties: [
      (memory) => [...halves(eventfd(memory).readBig(0)), eventfd(memory).read(0), 0],
      silently((memory) => eventfd(memory).signal(0)),
      silently((memory) => eventfd(memory).signal(0)),
    ],
    check: conserved(2n),
  },
  "eventfd: small reads against signals": {
    bytes: LINE,
    parties: [
      (memory) => [eventfd(memory).read(0), 0, eventfd(memory).read(0), 0],
      (memory) => {
        for (let i = 0; i < 3; i++) eventfd(memory).signal(0);
        return [];
      },
    ],
    check: conserved(3n),
  },
  "eventfd: signals across 2^31 and 2^32": {
    bytes: LINE,
    init: (memory) => void new BigUint64Array(memory).fill(0x7fff_ffffn, 0, 1),
    parties: [
      (memory) => halves(eventfd(memory).readBig(0)),
      (memory) => {
        eventfd(memory).signal(0);
        eventfd(memory).write(0, 0x8000_0000);
        return [];
      },
      silently((memory) => eventfd(memory).signal(0)),
    ],
    check: conserved(0x7fff_ffffn + 1n + 0x8000_0000n + 1n),
  },
  "eventfd: a small read against a write of 2^32": {
    bytes: LINE,
    init: (memory) => void new BigUint64Array(memory).fill(5n, 0, 1),
    parties: [
      (memory) => halves(BigInt(eventfd(memory).read(0))),
      silently((memory) => eventfd(memory).write(0, 2n ** 32n)),
      silently((memory) => eventfd(memory).signal(0)),
    ],
    check: conserved(2n ** 32n + 6n),
  },
  "eventfd: a semaphore counts one at a time": {
    bytes: LINE,
    init: (memory) => eventfd(memory).init(0, 1, true),
    parties: [
      (memory) => [eventfd(memory).read(0), 0, eventfd(memory).read(0), 0],
      (memory) => {
        eventfd(memory).signal(0);
        eventfd(memory).write(0, 2);
        return [];
      },
    ],
    check: (results, memory) =>
      results[0]!.some((one) => one > 1) ? "read more than one" : conserved(4n)(results, memory),
  },
  "eventfd: who makes it readable says so": {
    bytes: LINE,
    parties: [
      (memory) => [eventfd(memory).read(0)],
      (memory) => [Number(eventfd(memory).signal(0)), Number(eventfd(memory).signal(0))],
    ],
    // What is left must have been announced after the read, or before it and not seen by it.
    check: ([read, told], memory) => {
      const left = Number(eventfd(memory).count(0));
      const announced = sum(told!);
      return announced === (read![0] !== 0 && left > 0 ? 2 : 1) ? null : `told ${announced}`;
    },
  },
  "canary: a counter that is loaded and stored": {
    bytes: LINE,
    parties: [
      (memory) => [eventfd(memory).read(0), 0],
      (memory) => {
        const words = new Int32Array(memory);
        Atomics.store(words, 0, Atomics.load(words, 0) + 1);
        return [];
      },
      silently((memory) => eventfd(memory).signal(0)),
    ],
    check: conserved(2n),
  },
  "poll set: two markers of one word and a drainer": {
    bytes: 256,
    parties: [
      (memory) => drainAll(memory, 2),
      silently((memory) => pollSet(memory).mark(3)),
      silently((memory) => pollSet(memory).mark(4)),
    ],
    check: allFound([3, 4]),
  },
  "poll set: markers of two words and a drainer": {
    bytes: 256,
    parties: [
      (memory) => drainAll(memory, 2),
      (memory) => {
        pollSet(memory).mark(3);
        pollSet(memory).mark(35);
        return [];
      },
    ],
    check: allFound([3, 35]),
  },
  "poll set: marked and drained again": {
    bytes: 256,
    parties: [
      (memory) => drainAll(memory, 3),
      (memory) => {
        const words = new Int32Array(memory);
        // A counter beside the set: what a mark announces is published before it.
        for (let i = 0; i < 2; i++) {
          Atomics.add(words, 48, 1);
          pollSet(memory).mark(7);
        }
        return [];
      },
    ],
    check: (results, memory) => {
      const found = [...results[0]!, ...drainAll(memory, 1)];
      return found.length >= 1 && found.length <= 2 ? null : `drained ${found.length} times`;
    },
  },
  "canary: a mark that names the word first": {
    bytes: 256,
    parties: [(memory) => drainAll(memory, 1), silently((memory) => summaryFirst(memory, 3))],
    check: allFound([3]),
  },
  "virtual APIC: two setters of one word and a taker": {
    bytes: 256,
    parties: [
      (memory) => takeRequests(memory, 2),
      (memory) => setRequests(memory, [[0, 0x41]]),
      (memory) => setRequests(memory, [[0, 0x42]]),
    ],
    check: requestsConserved(1),
  },
  "virtual APIC: the same vector again, and another vCPU": {
    bytes: 256,
    parties: [
      (memory) => takeRequests(memory, 2),
      (memory) =>
        setRequests(memory, [
          [0, 0x41],
          [0, 0x41],
          [1, 0x41],
        ]),
    ],
    check: requestsConserved(1),
  },
};
