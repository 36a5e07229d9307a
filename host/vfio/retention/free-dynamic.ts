/**
 * `free-dynamic`: `free-on-unset`, but only for what was allocated dynamically (the other half of
 * the question in the review of V4 10/11): what came with enable goes with disable.
 *
 * Taken: at enable (the range), or with an eventfd for a vector that has no irq.
 * Given back: when -1 removes the trigger of an irq that was allocated after enabling; those of
 * the first range at disable; all at close.
 */
import type { RetentionPolicy } from "../../../src/run/retention-policy.ts";

export const FREE_DYNAMIC: RetentionPolicy = {
  name: "free-dynamic",
  freesAfterTeardown: (irq, reason) => irq.dynamic && reason === "unset",
};
