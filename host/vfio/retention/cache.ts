/**
 * `cache`, what Linux does since 6.5: an irq is taken at enable (the range) or with the vector's
 * first eventfd (dynamic), and kept until MSI-X is disabled or the device closed
 * (e4163438e015 "vfio/pci: Support dynamic MSI-X").
 */
import type { RetentionPolicy } from "./policy.ts";

export const CACHE_RETENTION: RetentionPolicy = {
  name: "cache",
  freesAfterTeardown: () => false,
};
