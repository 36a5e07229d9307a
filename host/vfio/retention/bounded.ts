/**
 * `bounded`: the cache, with limits.
 *
 * Taken: at enable (the range), or with an eventfd for a vector that has no irq.
 * Given back: at disable and close, as with `cache`; and, longest idle first,
 *   - at the end of a call that leaves the device more idle irqs than `cap`;
 *   - once idle for `idleTimeout`;
 *   - with `reclaim`: when an allocation, of whichever device, would fail for want of the entry;
 *     and in the background while less of the table than `watermark` is free.
 * Irqs with a trigger are never taken. A device in the middle of a call or a reset is passed over,
 * since its locks are only tried: waiting for them inside another device's could deadlock.
 */
import type { RetentionPolicy } from "../../../src/run/retention-policy.ts";
import type { BoundedRetention } from "../../../src/scenario/types.ts";

export function boundedRetention(spec: BoundedRetention): RetentionPolicy {
  const { cap, idleTimeoutNs, reclaim, watermark } = spec;
  return {
    name: "bounded",
    freesAfterTeardown: () => false,
    ...(cap === undefined ? {} : { idleMax: cap }),
    ...(idleTimeoutNs === undefined ? {} : { idleTimeoutNs }),
    ...(reclaim ? { reclaim: { watermark: watermark ?? 0 } } : {}),
  };
}
