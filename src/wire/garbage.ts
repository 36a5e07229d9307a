/** What a guest that has lost its mind puts into its ring: slots that hold no message. */
import type { Prng } from "../base/prng.ts";
import type { RingProducer } from "../shm/ring.ts";

/** MessagePack has no such byte: whatever follows is no message. */
const NEVER_USED = 0xc1;
const NOISE_BYTES_MAX = 200;
/** No slot is that long. */
const TOO_LONG = 1 << 20;

/**
 * Publishes up to `count` bad slots, as many as the ring has room for, and returns their number.
 * None continues in the next slot, so that the ring's honest messages stay whole.
 */
export function publishGarbage(ring: RingProducer, random: Prng, count: number): number {
  let published = 0;
  while (published < count) {
    const slot = ring.reserve();
    if (slot < 0) break;
    const at = slot * ring.shape.slotBytes;
    const length = 1 + random.nextBelow(NOISE_BYTES_MAX);
    for (let i = 0; i < length; i++) ring.bytes[at + 4 + i] = random.nextBelow(256);
    ring.bytes[at + 4] = NEVER_USED;
    ring.words[at >>> 2] = random.nextBelow(4) === 0 ? TOO_LONG + length : length;
    ring.commit();
    published++;
  }
  ring.publish();
  return published;
}
