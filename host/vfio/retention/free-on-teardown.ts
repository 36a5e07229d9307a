/**
 * `free-on-teardown`, V2 7/8 of "vfio/pci: Support dynamic allocation of MSI-X interrupts" (March
 * 2023): a vector's context and its irq live and die together.
 *
 * Taken: at enable (the range); with every eventfd of a vector that has no irq, which is each one
 * that takes the place of another.
 * Given back: with every trigger that is torn down, also in a swap or by a block that is taken
 * back; when what follows the allocation fails; at disable and close. An irq of the first range
 * that never had a trigger stays.
 */
import type { RetentionPolicy } from "../../../src/run/retention-policy.ts";

export const FREE_ON_TEARDOWN: RetentionPolicy = {
  name: "free-on-teardown",
  freesAfterTeardown: () => true,
};
