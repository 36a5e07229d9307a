/** Memory that shm-stress.test.ts and its worker share. */
import { Arena } from "../../src/shm/arena.ts";
import { EventfdTable } from "../../src/shm/eventfd.ts";
import { PollSet } from "../../src/shm/poll-set.ts";
import { VirtualApic } from "../../src/shm/virtual-apic.ts";

export interface StressMemory {
  readonly memory: SharedArrayBuffer;
  readonly rounds: number;
  readonly slots: number;
}

export const STRESS_BYTES = 64 * 1024;

export function stressAreas(memory: SharedArrayBuffer, slots: number) {
  const arena = new Arena(memory);
  return {
    /** Parked flag at word 0, epoch at 16, a word nobody wakes at 32. */
    control: arena.int32(48),
    eventfdsAt: arena.take(EventfdTable.bytes(slots)),
    pollAt: arena.take(PollSet.bytes(slots)),
    apicAt: arena.take(VirtualApic.bytes(4)),
  };
}
