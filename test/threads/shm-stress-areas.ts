/** Memory that shm-stress.test.ts and its worker share. */
import { Arena } from "../../src/shm/arena.ts";
import { EventfdTable } from "../../src/shm/eventfd.ts";
import {
  InterruptQueueReader,
  InterruptQueueWriter,
  interruptQueueBytes,
} from "../../src/shm/interrupt-queue.ts";
import { LevelTokens } from "../../src/shm/level-tokens.ts";
import { PollSet } from "../../src/shm/poll-set.ts";
import { StampLogReader, StampLogWriter, stampLogBytes } from "../../src/shm/stamp-log.ts";
import { VirtualApic } from "../../src/shm/virtual-apic.ts";

export interface StressMemory {
  readonly memory: SharedArrayBuffer;
  readonly rounds: number;
  readonly slots: number;
}

/** What the worker did. */
export interface StressDone {
  /** Requests that did not merge in the request bits, and those that found the queue full. */
  readonly requested: number;
  readonly overflowed: number;
  readonly levels: number;
  readonly lostSamples: number;
}

export const STRESS_BYTES = 64 * 1024;
/** So small that a reader who sleeps for a moment lets it run full. */
const QUEUE_ENTRIES = 64;
const LOG_ENTRIES = 64;
export const VCPUS = 4;

export function stressAreas(memory: SharedArrayBuffer, slots: number) {
  const arena = new Arena(memory);
  /** Parked flag at word 0, epoch at 16, a word nobody wakes at 32. */
  const control = arena.int32(48);
  const eventfdsAt = arena.take(EventfdTable.bytes(slots));
  const pollAt = arena.take(PollSet.bytes(slots));
  const apicAt = arena.take(VirtualApic.bytes(VCPUS));
  const tokensAt = arena.take(LevelTokens.bytes(1));
  const queueAt = arena.take(interruptQueueBytes(QUEUE_ENTRIES));
  const logAt = arena.take(stampLogBytes(LOG_ENTRIES));
  return {
    control,
    eventfds: new EventfdTable(memory, eventfdsAt, slots),
    poll: new PollSet(memory, pollAt, slots),
    apic: new VirtualApic(memory, apicAt, VCPUS),
    levelTokens: new LevelTokens(memory, tokensAt, 1),
    queueWriter: () => new InterruptQueueWriter(memory, queueAt, QUEUE_ENTRIES),
    queueReader: () => new InterruptQueueReader(memory, queueAt, QUEUE_ENTRIES),
    logWriter: () => new StampLogWriter(memory, logAt, LOG_ENTRIES),
    logReader: () => new StampLogReader(memory, logAt, LOG_ENTRIES),
  };
}
