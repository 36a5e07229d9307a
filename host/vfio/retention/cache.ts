/**
 * `cache`, what Linux does since 6.5 (e4163438e015 "vfio/pci: Support dynamic MSI-X").
 *
 * Taken: at enable (the range), or with the vector's first eventfd (dynamic).
 * Given back: when MSI-X is disabled or the device closed.
 */
import type { RetentionPolicy } from "../../../src/run/retention-policy.ts";

export const CACHE_RETENTION: RetentionPolicy = {
  name: "cache",
  freesAfterTeardown: () => false,
};
