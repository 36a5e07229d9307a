/**
 * `free-on-unset`: what userspace takes away by -1 is given back, what it replaces is kept ("free
 * always", as the question was put in the review of V4 10/11).
 *
 * Taken: at enable (the range), or with an eventfd for a vector that has no irq.
 * Given back: when a trigger is removed by an explicit descriptor of -1; at disable and close. A
 * swap, and a block that is taken back, keep the irq; -1 for a vector without a trigger tears
 * nothing down, and so frees nothing.
 */
import type { RetentionPolicy } from "../../../src/run/retention-policy.ts";

export const FREE_ON_UNSET: RetentionPolicy = {
  name: "free-on-unset",
  freesAfterTeardown: (_irq, reason) => reason === "unset",
};
