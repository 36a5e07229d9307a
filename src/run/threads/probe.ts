/** A worker's half of the floor measurement, while its loop does not run. */
import { median } from "../../measure/statistics.ts";
import { measureClockCost, pingSide, pongSide } from "../../shm/floor.ts";
import { receiveSide, sendSide } from "../../shm/one-way.ts";
import type { Clock } from "../../time/clock.ts";
import type { ProbeRequest } from "./api.ts";

/** Longest wait for the peer to begin, ns: it may have to wait for a core. */
const MEET_NS = 1_000_000_000;
/** Longest time of all stretches together; a slow or busy machine gets through fewer of them. */
const MEASURE_NS = 200_000_000;

/**
 * Plays one side. The ping side returns the median way there of each stretch, ns, a reading of the
 * clock included: of those that were completed in time, or of what there was of the first.
 */
export function probe(request: ProbeRequest, clock: Clock): Float64Array {
  const { meeting, stretches, side, mode, rounds } = request;
  const meetBy = clock.now() + MEET_NS;
  if (side === "pong") {
    if (!pongSide(meeting, 1, "park", clock, meetBy)) return new Float64Array(0);
    // The ping side looks after the time; this limit is for a peer that has died.
    const deadline = clock.now() + 2 * MEASURE_NS;
    for (const memory of stretches) {
      if (!receiveSide(memory, rounds, mode, clock, deadline)) break;
    }
    return new Float64Array(0);
  }
  const times = new Float64Array(rounds);
  const medians: number[] = [];
  if (pingSide(meeting, 1, "park", times, clock, meetBy) === 0) return new Float64Array(0);
  const deadline = clock.now() + MEASURE_NS;
  for (const memory of stretches) {
    const timed = sendSide(memory, rounds, mode, times, clock, deadline);
    if (timed === rounds || (timed > 0 && medians.length === 0)) {
      medians.push(median(times.subarray(0, timed)));
    }
    if (timed < rounds) break;
  }
  return Float64Array.from(medians);
}

/** Cost of one reading of `clock`, ns. */
export function clockCost(clock: Clock): number {
  return median(measureClockCost(clock));
}
