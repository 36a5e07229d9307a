/** A worker's half of the floor measurement, before its loop starts. */
import { median } from "../../measure/statistics.ts";
import { measureClockCost, pingSide, pongSide } from "../../shm/floor.ts";
import type { Clock } from "../../time/clock.ts";
import type { ProbeRequest } from "./api.ts";

/** Longest a probe may take before it gives up on its peer, ns. */
const PROBE_NS = 2_000_000_000;

/** Plays one side; the ping side returns the round trips it timed, ns. */
export function probe(request: ProbeRequest, clock: Clock): Float64Array {
  const { memory, side, mode, rounds } = request;
  const deadline = clock.now() + PROBE_NS;
  if (side === "pong") {
    pongSide(memory, rounds, mode, clock, deadline);
    return new Float64Array(0);
  }
  const roundTrips = new Float64Array(rounds);
  return roundTrips.subarray(0, pingSide(memory, rounds, mode, roundTrips, clock, deadline));
}

/** Cost of one reading of `clock`, ns. */
export function clockCost(clock: Clock): number {
  return median(measureClockCost(clock));
}
