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

/** Round trips of the probes in src/shm/floor.ts, ns; empty if a probe did not complete. */
export interface ProbeResults {
  readonly spinRoundTripsNs: ArrayLike<number>;
  readonly parkRoundTripsNs: ArrayLike<number>;
  /** Costs of one reading, from several batches. */
  readonly clockNs: ArrayLike<number>;
}

/** How the workers of a run wait; adaptive spins first. */
export type WaitMode = "spin" | "park" | "adaptive";

/** Medians of the probes; a one-way trip is half a round trip. */
export function floorOf(probes: ProbeResults): Floor {
  return {
    spinOneWayNs: oneWay(probes.spinRoundTripsNs),
    parkOneWayNs: oneWay(probes.parkRoundTripsNs),
    clockNs: median(probes.clockNs),
  };
}

function oneWay(roundTripsNs: ArrayLike<number>): number | null {
  return roundTripsNs.length === 0 ? null : percentileOf(roundTripsNs, 50) / 2;
}

/**
 * Which hand-over a run is compared with. Spinning and parked figures are never mixed: a run that
 * may do both (adaptive) is compared with the lower one, since a floor must lie below.
 */
export function floorReference(wait: WaitMode): "spin" | "park" {
  return wait === "park" ? "park" : "spin";
}

/** The floor's one-way time for a wait mode, or null. */
export function referenceNs(floor: Floor, wait: WaitMode): number | null {
  return floorReference(wait) === "park" ? floor.parkOneWayNs : floor.spinOneWayNs;
}

/** `ns` as a multiple of the floor; null without one. */
export function floorRatio(ns: number, floor: Floor, wait: WaitMode): number | null {
  const reference = referenceNs(floor, wait);
  return reference === null || reference <= 0 ? null : ns / reference;
}
