/**
 * When an MSI-X irq that has no eventfd goes back to the pool: what a policy is, for those that
 * come with the host (host/vfio/retention) and for a user's own.
 *
 * Mode change and close always free everything. A policy is asked only where single irqs can be
 * allocated again: dynamic MSI-X.
 */

/** Why a vector is left without a trigger while MSI-X stays on. */
export type TeardownReason =
  /** Another eventfd takes its place at once. */
  | "swap"
  /** Userspace passed a negative descriptor. */
  | "unset"
  /** A block that failed takes back what it, or somebody before, had set. */
  | "unwind"
  /** The irq was allocated by this very call, for a trigger that then could not be had. */
  | "failed";

/** An irq without a trigger, as a policy sees it. */
export interface IdleIrq {
  /** The scenario's name of the device. */
  readonly device: string;
  readonly vector: number;
  /** Allocated by itself after MSI-X was enabled, not with the first range. */
  readonly dynamic: boolean;
  /** Idle irqs the device has already, without this one. */
  readonly idle: number;
}

export interface RetentionPolicy {
  readonly name: string;
  /** Asked after each teardown. True: free the irq now, before anything else happens. */
  freesAfterTeardown(irq: IdleIrq, reason: TeardownReason): boolean;
  /** Idle irqs a device may keep after a call; the longest idle go first. Default: any number. */
  readonly idleMax?: number;
  /** An irq that has been idle for so long is freed, ns. Default: never. */
  readonly idleTimeoutNs?: number;
  /** Idle irqs of the device may be taken for others that need entries. Default: they may not. */
  readonly reclaim?: {
    /** Share of the table below which free entries are made up in the background; 0: never. */
    readonly watermark: number;
  };
}

/** A policy for all devices, or one for each; called once a device and run. */
export type OwnPolicy = RetentionPolicy | ((device: string) => RetentionPolicy);

/** Policies that are not the host's, by `url` of their RetentionSpec. */
export type OwnPolicies = ReadonlyMap<string, OwnPolicy>;
