/** When an MSI-X irq that has lost its eventfd goes back to the pool. */

/** Why a vector's trigger was torn down. */
export type TeardownReason =
  /** Another eventfd takes its place at once. */
  | "swap"
  /** Userspace passed a negative descriptor. */
  | "unset"
  /** A block that failed takes back what it, or somebody before, had set. */
  | "unwind";

/** Asked after each teardown while the mode stays on; mode change and close always free all. */
export interface RetentionPolicy {
  readonly name: string;
  /** True: free the irq now. Only asked for vectors that could be allocated again one by one. */
  freesAfterTeardown(vector: number, reason: TeardownReason): boolean;
}
