/** Memory that posted-stress.test.ts and its worker share. */
import { postedDescriptorBytes } from "../../src/shm/posted-descriptor.ts";

export interface PostedStress {
  readonly memory: SharedArrayBuffer;
  readonly rounds: number;
}

export const POSTED_VCPUS = 4;
/** Behind parked flag (word 0), epoch (16), and a word nobody wakes (32). */
export const PID_AT = 192;
export const POSTED_STRESS_BYTES = PID_AT + postedDescriptorBytes(POSTED_VCPUS);
