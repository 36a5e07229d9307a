/** The memory one guest shares with the host: its layout, and the view each side has of it. */
import { Arena, roundToLine } from "./arena.ts";
import { EventfdTable } from "./eventfd.ts";
import {
  InterruptQueueReader,
  InterruptQueueWriter,
  interruptQueueBytes,
} from "./interrupt-queue.ts";
import { LevelTokens } from "./level-tokens.ts";
import { PollSet } from "./poll-set.ts";
import { PostedReader, PostedWriter, postedDescriptorBytes } from "./posted-descriptor.ts";
import { RingConsumer, RingProducer, type RingShape, ringBytes } from "./ring.ts";
import { StampLogReader, StampLogWriter, stampLogBytes } from "./stamp-log.ts";
import { VirtualApic } from "./virtual-apic.ts";
import type { SharedWord, Waker } from "./waker.ts";

/** Sizes of a border; plain data, sent to both sides. */
export interface BorderShape {
  /** eventfds the VM process can have open. */
  readonly eventfds: number;
  /** Doorbell words of all its devices. */
  readonly doorbells: number;
  readonly vcpus: number;
  /** Interrupt rows (src/measure/rows.ts) of all its devices. */
  readonly rows: number;
  /** Doubles for the guest's own counts of fates. */
  readonly fateDoubles: number;
  readonly ring: RingShape;
}

/** Words of the control area; each has its own cache line. */
const CONTROL_LINES = 7;
export const CONTROL_GUEST_EPOCH = 0;
export const CONTROL_GUEST_PARKED = 16;
export const CONTROL_HOST_PARKED = 32;
export const CONTROL_STOP = 48;
export const CONTROL_HEARTBEAT = 64;
export const CONTROL_INTERRUPTS = 80;
const CONTROL_BREAK = 96;

interface BorderAreas {
  readonly memory: SharedArrayBuffer;
  readonly shape: BorderShape;
  readonly control: Int32Array;
  readonly eventfds: EventfdTable;
  /** eventfds the guest has to look at: source = slot. */
  readonly guestPoll: PollSet;
  /** What the host has to look at: eventfd slots, then doorbells. */
  readonly hostPoll: PollSet;
  readonly doorbells: Int32Array;
  /** Requests that found the interrupt queue full. */
  readonly apic: VirtualApic;
  readonly levelTokens: LevelTokens;
  readonly guestFates: Float64Array;
  readonly requestsAt: number;
  readonly responsesAt: number;
  readonly logAt: number;
  readonly interruptsAt: number;
  readonly postedAt: number;
}

export interface HostPort extends BorderAreas {
  readonly requests: RingConsumer;
  readonly responses: RingProducer;
  readonly log: StampLogWriter;
  readonly interrupts: InterruptQueueWriter;
  readonly posted: PostedWriter;
  readonly wakeGuest: Waker;
}

export interface GuestPort extends BorderAreas {
  readonly requests: RingProducer;
  readonly responses: RingConsumer;
  readonly log: StampLogReader;
  readonly interrupts: InterruptQueueReader;
  readonly posted: PostedReader;
  readonly wakeHost: Waker;
}

/** Bytes a border of this shape needs. */
function borderBytes(shape: BorderShape): number {
  return (
    CONTROL_LINES * 64 +
    EventfdTable.bytes(shape.eventfds) +
    PollSet.bytes(shape.eventfds) +
    PollSet.bytes(shape.eventfds + shape.doorbells) +
    roundToLine(shape.doorbells * 64) +
    VirtualApic.bytes(shape.vcpus) +
    roundToLine(LevelTokens.bytes(shape.rows)) +
    roundToLine(shape.fateDoubles * 8) +
    2 * roundToLine(ringBytes(shape.ring)) +
    roundToLine(stampLogBytes()) +
    roundToLine(interruptQueueBytes()) +
    postedDescriptorBytes(shape.vcpus)
  );
}

/** Fresh memory for a border. */
export function createBorder(shape: BorderShape): SharedArrayBuffer {
  return Arena.create(borderBytes(shape)).memory;
}

function areas(memory: SharedArrayBuffer, shape: BorderShape): BorderAreas {
  const arena = new Arena(memory);
  const control = arena.int32(CONTROL_LINES * 16);
  const eventfdsAt = arena.take(EventfdTable.bytes(shape.eventfds));
  const guestPollAt = arena.take(PollSet.bytes(shape.eventfds));
  const hostPollAt = arena.take(PollSet.bytes(shape.eventfds + shape.doorbells));
  const doorbells = arena.int32(shape.doorbells * DOORBELL_WORDS);
  const apicAt = arena.take(VirtualApic.bytes(shape.vcpus));
  const levelTokensAt = arena.take(LevelTokens.bytes(shape.rows));
  const guestFates = arena.float64(shape.fateDoubles);
  return {
    memory,
    shape,
    control,
    eventfds: new EventfdTable(memory, eventfdsAt, shape.eventfds),
    guestPoll: new PollSet(memory, guestPollAt, shape.eventfds),
    hostPoll: new PollSet(memory, hostPollAt, shape.eventfds + shape.doorbells),
    doorbells,
    apic: new VirtualApic(memory, apicAt, shape.vcpus),
    levelTokens: new LevelTokens(memory, levelTokensAt, shape.rows),
    guestFates,
    requestsAt: arena.take(ringBytes(shape.ring)),
    responsesAt: arena.take(ringBytes(shape.ring)),
    logAt: arena.take(stampLogBytes()),
    interruptsAt: arena.take(interruptQueueBytes()),
    postedAt: arena.take(postedDescriptorBytes(shape.vcpus)),
  };
}

/** Words from one doorbell to the next: a cache line each. */
export const DOORBELL_WORDS = 16;

/**
 * Host: requests `vector` on `vcpu`, both in range; false if it merged with one that was requested
 * before and has not been taken. The caller then wakes the guest. Hot path.
 */
export function requestInterrupt(
  port: Pick<HostPort, "interrupts" | "apic">,
  vcpu: number,
  vector: number,
): boolean {
  return port.interrupts.post((vcpu << 8) | vector) || port.apic.set(vcpu, vector);
}

/** The word of a doorbell that says its device does not care to hear it for now. */
const DOORBELL_QUIET = 1;

/**
 * Guest: rings doorbell `index` with a new value (an nvme submission queue tail). A quiet one only
 * takes the value, as an NVMe shadow doorbell does. The value is stored before the look at the
 * quiet word, and a device makes itself heard before it asks for a ring: no ring it needs is lost.
 */
export function ringDoorbell(port: GuestPort, index: number, value: number): void {
  Atomics.store(port.doorbells, index * DOORBELL_WORDS, value);
  if (Atomics.load(port.doorbells, index * DOORBELL_WORDS + DOORBELL_QUIET) !== 0) return;
  port.hostPoll.mark(port.shape.eventfds + index);
  port.wakeHost.wake();
}

/** Host: the value last written to doorbell `index`; any 32-bit number the guest likes. */
export function readDoorbell(port: HostPort, index: number): number {
  return Atomics.load(port.doorbells, index * DOORBELL_WORDS);
}

/** Host: the device wants to hear doorbell `index`, or not for now. */
export function quietDoorbell(port: HostPort, index: number, quiet: boolean): void {
  Atomics.store(port.doorbells, index * DOORBELL_WORDS + DOORBELL_QUIET, quiet ? 1 : 0);
}

/** Guest: write(2) to an eventfd; what the kernel has waiting on it is told. */
export function writeEventfd(port: GuestPort, slot: number, n: number | bigint): number {
  const result = port.eventfds.write(slot, n);
  if (result === 0) {
    port.guestPoll.mark(slot);
    port.hostPoll.mark(slot);
    port.wakeHost.wake();
  }
  return result;
}

export function controlWord(port: { readonly control: Int32Array }, index: number): SharedWord {
  return { words: port.control, index };
}

/** The host's view of a border. */
export function hostPort(
  memory: SharedArrayBuffer,
  shape: BorderShape,
  wakeGuest: (port: BorderAreas) => Waker,
): HostPort {
  const border = areas(memory, shape);
  return {
    ...border,
    requests: new RingConsumer(memory, border.requestsAt, shape.ring),
    responses: new RingProducer(memory, border.responsesAt, shape.ring),
    log: new StampLogWriter(memory, border.logAt),
    interrupts: new InterruptQueueWriter(memory, border.interruptsAt),
    posted: new PostedWriter(memory, border.postedAt, shape.vcpus),
    wakeGuest: wakeGuest(border),
  };
}

/** The guest's view of a border. */
export function guestPort(
  memory: SharedArrayBuffer,
  shape: BorderShape,
  wakeHost: (port: BorderAreas) => Waker,
): GuestPort {
  const border = areas(memory, shape);
  return {
    ...border,
    requests: new RingProducer(memory, border.requestsAt, shape.ring),
    responses: new RingConsumer(memory, border.responsesAt, shape.ring),
    log: new StampLogReader(memory, border.logAt),
    interrupts: new InterruptQueueReader(memory, border.interruptsAt),
    posted: new PostedReader(memory, border.postedAt, shape.vcpus),
    wakeHost: wakeHost(border),
  };
}

/** The guest's counts of fates in a border that nobody may be using any more. */
export function guestFatesOf(memory: SharedArrayBuffer, shape: BorderShape): Float64Array {
  return areas(memory, shape).guestFates;
}

/** Interrupts the guest says its ISRs have taken so far (modulo 2^32). */
export function interruptsOf(memory: SharedArrayBuffer): number {
  return Atomics.load(new Int32Array(memory), CONTROL_INTERRUPTS) >>> 0;
}

/** Guest: asks main to end the run, since a latency was beyond the limit. */
export function publishBreak(port: GuestPort): void {
  Atomics.store(port.control, CONTROL_BREAK, 1);
}

/** Main: the guest asks for it. */
export function breakOf(memory: SharedArrayBuffer): boolean {
  return Atomics.load(new Int32Array(memory), CONTROL_BREAK) !== 0;
}

/**
 * Guest: shows main that it is alive, and how many interrupts its ISRs have taken so far. Plain
 * writes: main looks now and then, and nothing else is known by them.
 */
export function publishProgress(port: GuestPort, interrupts: number): void {
  port.control[CONTROL_INTERRUPTS] = interrupts | 0;
  port.control[CONTROL_HEARTBEAT] = (port.control[CONTROL_HEARTBEAT]! + 1) | 0;
}
