/** The floor of a run: what a bare hand-over between two threads of this machine costs. */
import { median, percentileOf } from "./statistics.ts";

/** Medians, ns. `null`: could not be measured (the peer did not come in time). */
export interface Floor {
  /** One way, the receiver spins. */
  readonly spinOneWayNs: number | null;
  /** One way, the receiver is parked in Atomics.wait. */
  readonly parkOneWayNs: number | null;
  /** One reading of the clock. */
  readonly clockNs: number;
}

/**
 * One ways of the probes in src/shm/one-way.ts, ns, a reading of the clock included; empty if a
 * probe did not complete.
 */
export interface ProbeResults {
  readonly spinOneWaysNs: ArrayLike<number>;
  readonly parkOneWaysNs: ArrayLike<number>;
  /** Costs of one reading, from several batches. */
  readonly clockNs: ArrayLike<number>;
}

/** How the workers of a run wait; adaptive spins first. */
export type WaitMode = "spin" | "park" | "adaptive";

/** Medians of the probes, without the clock's share. */
export function floorOf(probes: ProbeResults): Floor {
  const clockNs = median(probes.clockNs);
  return {
    spinOneWayNs: oneWay(probes.spinOneWaysNs, clockNs),
    parkOneWayNs: oneWay(probes.parkOneWaysNs, clockNs),
    clockNs,
  };
}

/** Null too where the clock is coarser than what was to be measured. */
function oneWay(stampedNs: ArrayLike<number>, clockNs: number): number | null {
  const ns = stampedNs.length === 0 ? 0 : percentileOf(stampedNs, 50) - clockNs;
  return ns > 0 ? ns : null;
}

/** How the waits of a run ended: work seen while spinning, or a wake-up from Atomics.wait. */
export interface WakeCounts {
  readonly spin: number;
  readonly park: number;
}

/**
 * Which hand-over a run is compared with. Spinning and parked figures are never mixed: an adaptive
 * run is compared with the floor of the way most of its waits ended.
 */
export function floorReference(wait: WaitMode, waits: WakeCounts): "spin" | "park" {
  if (wait !== "adaptive") return wait;
  return waits.park > waits.spin ? "park" : "spin";
}

/** The floor's one-way time for a reference, or null. */
export function referenceNs(floor: Floor, reference: "spin" | "park"): number | null {
  return reference === "park" ? floor.parkOneWayNs : floor.spinOneWayNs;
}
