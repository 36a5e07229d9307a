/** Short programs over what host and guest hand to each other, for the interleaving explorer. */
import { LocalApics } from "../../guest/local-apic.ts";
import { roundToLine } from "../../src/shm/arena.ts";
import {
  CONTROL_INTERRUPTS,
  createBorder,
  guestPort,
  hostPort,
  quietDoorbell,
  readDoorbell,
  requestInterrupt,
  ringDoorbell,
} from "../../src/shm/border.ts";
import {
  InterruptQueueReader,
  InterruptQueueWriter,
  interruptQueueBytes,
} from "../../src/shm/interrupt-queue.ts";
import { LevelTokens } from "../../src/shm/level-tokens.ts";
import { PostedReader, postedDescriptorBytes } from "../../src/shm/posted-descriptor.ts";
import { StampLogReader, StampLogWriter, stampLogBytes } from "../../src/shm/stamp-log.ts";
import { VirtualApic } from "../../src/shm/virtual-apic.ts";
import { type Interleaving, type PartyResult, silently } from "./interleave.ts";

type Memory = SharedArrayBuffer;

/** Of queue and log, so that they wrap and run full within a few steps. */
const ENTRIES = 2;
const QUEUE = 64;
const APIC = QUEUE + interruptQueueBytes(64);
const TOKENS = APIC + VirtualApic.bytes(1);
const LOG = TOKENS + 64;
const POSTED = LOG + roundToLine(stampLogBytes(ENTRIES));
const BYTES = POSTED + postedDescriptorBytes(1);
const VECTOR = 0x41;

/** Word 0: the host has done all it does. */
function end(memory: Memory): void {
  const words = new Int32Array(memory);
  Atomics.store(words, 0, 1);
  Atomics.notify(words, 0);
}

function awaitEnd(memory: Memory): void {
  Atomics.wait(new Int32Array(memory), 0, 0);
}

const writer = (memory: Memory): InterruptQueueWriter =>
  new InterruptQueueWriter(memory, QUEUE, ENTRIES);
const reader = (memory: Memory): InterruptQueueReader =>
  new InterruptQueueReader(memory, QUEUE, ENTRIES);
const tokens = (memory: Memory): LevelTokens => new LevelTokens(memory, TOKENS, 1);

/** Posts 1, 2, ...; the ones there was room for. */
function post(memory: Memory, times: number): number[] {
  const queue = writer(memory);
  const posted: number[] = [];
  for (let request = 1; request <= times; request++) {
    if (queue.post(request)) posted.push(request);
  }
  end(memory);
  return posted;
}

/** Looks at the queue `looks` times while the host posts, and once when it has ended. */
function takePosts(memory: Memory, looks: number, queue = reader(memory)): number[] {
  const out = new Int32Array(ENTRIES);
  const taken: number[] = [];
  for (let i = 0; i < looks; i++) taken.push(...out.subarray(0, queue.take(out)));
  awaitEnd(memory);
  taken.push(...out.subarray(0, queue.take(out)));
  return taken;
}

function sameAsPosted([posted, taken]: readonly PartyResult[]): string | null {
  return posted!.join() === taken!.join() ? null : `posted ${posted}, taken ${taken}`;
}

/** Broken: goes by nothing but its own count, and takes entries that are not read yet. */
function postRegardless(memory: Memory, times: number): number[] {
  const tail = new Int32Array(memory, QUEUE, 1);
  const ring = new Uint16Array(memory, QUEUE + interruptQueueBytes(0), ENTRIES);
  const posted: number[] = [];
  for (let request = 1; request <= times; request++) {
    ring[(request - 1) & (ENTRIES - 1)] = request;
    Atomics.store(tail, 0, (request << 13) | request);
    posted.push(request);
  }
  end(memory);
  return posted;
}

/** Broken: gives room back before it has read what is in it. */
function takeTooLate(memory: Memory): number[] {
  const [tail, head] = [new Int32Array(memory, QUEUE, 1), new Int32Array(memory, QUEUE + 64, 1)];
  const ring = new Uint16Array(memory, QUEUE + interruptQueueBytes(0), ENTRIES);
  const taken: number[] = [];
  const take = (): void => {
    const sequence = Atomics.load(tail, 0) >>> 13;
    Atomics.store(head, 0, sequence);
    Atomics.load(head, 0);
    while (taken.length < sequence) taken.push(ring[taken.length & (ENTRIES - 1)]!);
  };
  take();
  awaitEnd(memory);
  take();
  return taken;
}

const SHAPE = {
  eventfds: 1,
  doorbells: 1,
  vcpus: 1,
  rows: 1,
  fateDoubles: 0,
  ring: { slots: 1, slotBytes: 64 },
};

/** Requests vector after vector; how many did not merge with one before. */
function request(memory: Memory, vectors: readonly number[]): number[] {
  const port = { interrupts: writer(memory), apic: new VirtualApic(memory, APIC, 1) };
  const fresh = vectors.map((vector) => Number(requestInterrupt(port, 0, vector)));
  end(memory);
  return [fresh.reduce((sum, one) => sum + one, 0)];
}

/** As a vCPU that takes interrupts all the time: [tokens, vectors...]. */
function serve(memory: Memory, looks: number): number[] {
  const port = {
    interrupts: reader(memory),
    posted: new PostedReader(memory, POSTED, 1),
    apic: new VirtualApic(memory, APIC, 1),
    shape: SHAPE,
  };
  const lapics = new LocalApics(port);
  const out = new Int32Array(256);
  const vectors = new Set<number>();
  let taken = 0;
  const look = (): void => {
    const single = lapics.takeSingle();
    if (single >= 0) out[0] = single;
    else lapics.collect();
    const count = single >= 0 ? 1 : lapics.take(out);
    for (const vector of out.subarray(0, count)) vectors.add(vector);
    taken += count + lapics.mergedCount;
    lapics.mergedCount = 0;
  };
  for (let i = 0; i < looks; i++) look();
  awaitEnd(memory);
  while (lapics.pending()) look();
  return [taken, ...[...vectors].sort()];
}

function allServed(vectors: readonly number[]) {
  return ([requested, served]: readonly PartyResult[]): string | null => {
    const distinct = [...new Set(vectors)].sort();
    const wanted = [requested![0]!, ...distinct];
    return wanted.join() === served!.join() ? null : `requested ${wanted}, served ${served}`;
  };
}

function overflowing(vectors: readonly number[]): Interleaving {
  return {
    bytes: BYTES,
    parties: [(memory) => request(memory, vectors), (memory) => serve(memory, 2)],
    check: allServed(vectors),
  };
}

/** A line is requested twice, each time with its token added; or, broken, before it is. */
function requestLine(memory: Memory, broken: boolean): void {
  const queue = writer(memory);
  for (let i = 0; i < 2; i++) {
    if (broken) queue.post(VECTOR);
    tokens(memory).add(0);
    if (!broken) queue.post(VECTOR);
  }
  end(memory);
}

/** The tokens that requests brought, with a handler that may serve several at once. */
function serveLine(memory: Memory): number[] {
  const queue = reader(memory);
  const out = new Int32Array(ENTRIES);
  let taken = 0;
  for (let i = 0; i < 2; i++) if (queue.take(out) > 0) taken += tokens(memory).take(0);
  awaitEnd(memory);
  if (queue.take(out) > 0) taken += tokens(memory).take(0);
  return [taken];
}

const bothTokens = (results: readonly PartyResult[]): string | null =>
  results[1]![0] === 2 ? null : `${results[1]![0]} of 2 tokens came with a request`;

/** Logs samples 1, 2, ... with their number in every field; how many were lost. */
function append(memory: Memory, times: number): number[] {
  const log = new StampLogWriter(memory, LOG, ENTRIES);
  for (let n = 1; n <= times; n++) log.append(n, n, n, n, n);
  end(memory);
  return [log.lost];
}

/** Broken: the sample is there before its fields are. */
function appendHastily(memory: Memory): number[] {
  const tail = new Int32Array(memory, LOG, 1);
  const entry = new Float64Array(memory, LOG + stampLogBytes(0), 5);
  Atomics.store(tail, 0, 1);
  Atomics.load(tail, 0);
  entry.fill(1);
  end(memory);
  return [0];
}

function readLog(memory: Memory, looks: number): number[] {
  const log = new StampLogReader(memory, LOG, ENTRIES);
  const fields: number[] = [];
  const take = (doubles: Float64Array, at: number): void => {
    fields.push(...doubles.subarray(at, at + 5));
  };
  for (let i = 0; i < looks; i++) log.read(take);
  awaitEnd(memory);
  log.read(take);
  return fields;
}

/** Samples are whole, in order, and all of them but those counted lost. */
function samplesWhole(appended: number) {
  return ([lost, fields]: readonly PartyResult[]): string | null => {
    const samples = fields!.filter((_, i) => i % 5 === 0);
    const whole = fields!.every((field, i) => field === samples[Math.floor(i / 5)]);
    const ordered = samples.every((sample, i) => sample > (samples[i - 1] ?? 0));
    const all = samples.length + lost![0]! === appended;
    return whole && ordered && all ? null : `read ${fields}, lost ${lost}`;
  };
}

const NOBODY = () => ({ wake: () => {} });
const DOORBELL_SOURCE = SHAPE.eventfds;

/** A driver that rings when it likes, and must be heard once it has its interrupt. */
function ringTwice(memory: Memory): void {
  const port = guestPort(memory, SHAPE, NOBODY);
  ringDoorbell(port, 0, 1);
  Atomics.wait(port.control, CONTROL_INTERRUPTS, 0);
  ringDoorbell(port, 0, 2);
}

/** A device that quiets rings it does not need, and needs the one that answers its interrupt. */
function hearRings(memory: Memory, late: boolean): number[] {
  const port = hostPort(memory, SHAPE, NOBODY);
  const out = new Int32Array(32);
  const interrupt = (): void => {
    Atomics.store(port.control, CONTROL_INTERRUPTS, 1);
    Atomics.notify(port.control, CONTROL_INTERRUPTS);
  };
  if (port.hostPoll.drain(out) > 0) quietDoorbell(port, 0, true);
  if (late) interrupt();
  quietDoorbell(port, 0, false);
  if (!late) interrupt();
  return port.hostPoll.drain(out) > 0 ? [readDoorbell(port, 0)] : [];
}

/** The second ring has been heard, or will be at the next look. */
function secondHeard(results: readonly PartyResult[], memory: Memory): string | null {
  if (results[0]!.includes(2)) return null;
  const out = new Int32Array(32);
  const waiting = hostPort(memory, SHAPE, NOBODY).hostPoll.drain(out);
  return waiting === 1 && out[0] === DOORBELL_SOURCE ? null : "the ring was not heard";
}

export const interleavings: Record<string, Interleaving> = {
  "interrupt queue: a reader that keeps up more or less": {
    bytes: BYTES,
    parties: [(memory) => post(memory, 4), (memory) => takePosts(memory, 3)],
    check: sameAsPosted,
  },
  "interrupt queue: a ring that is full again and again": {
    bytes: BYTES,
    parties: [(memory) => post(memory, 6), (memory) => takePosts(memory, 2)],
    check: sameAsPosted,
  },
  "canary: a queue that reuses entries before their room was published": {
    bytes: BYTES,
    parties: [(memory) => postRegardless(memory, 4), (memory) => takePosts(memory, 2)],
    check: sameAsPosted,
  },
  "canary: a queue whose room is published before it is read": {
    bytes: BYTES,
    parties: [(memory) => post(memory, 4), takeTooLate],
    check: sameAsPosted,
  },
  "requests: more vectors than the queue holds": overflowing([0x41, 0x42, 0x43, 0x44]),
  "requests: one vector again and again": overflowing([0x41, 0x41, 0x41, 0x41]),
  "level tokens: none is left without a request": {
    bytes: BYTES,
    parties: [silently((memory) => requestLine(memory, false)), serveLine],
    check: bothTokens,
  },
  "canary: a line that is requested before its token is there": {
    bytes: BYTES,
    parties: [silently((memory) => requestLine(memory, true)), serveLine],
    check: bothTokens,
  },
  "stamp log: samples are handed over whole, and lost ones counted": {
    bytes: BYTES,
    parties: [(memory) => append(memory, 4), (memory) => readLog(memory, 2)],
    check: samplesWhole(4),
  },
  "canary: a log that shows a sample before it is written": {
    bytes: BYTES,
    parties: [appendHastily, (memory) => readLog(memory, 1)],
    check: samplesWhole(1),
  },
  "doorbells: a device that has interrupted hears the answer": {
    bytes: createBorder(SHAPE).byteLength,
    parties: [(memory) => hearRings(memory, false), silently(ringTwice)],
    check: secondHeard,
  },
  "canary: a device that interrupts before it listens": {
    bytes: createBorder(SHAPE).byteLength,
    parties: [(memory) => hearRings(memory, true), silently(ringTwice)],
    check: secondHeard,
  },
};
