/** A worker's half of the floor measurement, while its loop does not run. */
import { median } from "../../measure/statistics.ts";
import { measureClockCost, pingSide, pongSide } from "../../shm/floor.ts";
import { receiveSide, sendSide } from "../../shm/one-way.ts";
import type { Clock } from "../../time/clock.ts";
import type { Probed, ProbeRequest } from "./api.ts";

/** Longest wait for the peer to begin, ns: it may have to wait for a core. */
const MEET_NS = 1_000_000_000;
/** Longest time of all stretches together; a slow or busy machine gets through fewer of them. */
const MEASURE_NS = 300_000_000;

const NOTHING: Probed = { waysNs: new Float64Array(0), aheadNs: new Float64Array(0) };

/**
 * Plays one side. The ping side returns medians of each stretch that was completed in time, or of
 * what there was of the first: a way, ns, a reading of the clock included, and by how much the
 * other side's clock is ahead. The first half of the stretches is left out: code was compiled then.
 */
export function probe(request: ProbeRequest, clock: Clock): Probed {
  const { meeting, stretches, side, mode, rounds } = request;
  const meetBy = clock.now() + MEET_NS;
  if (side === "pong") {
    if (!pongSide(meeting, 1, "park", clock, meetBy)) return NOTHING;
    // The ping side looks after the time; this limit is for a peer that has died.
    const deadline = clock.now() + 2 * MEASURE_NS;
    for (const memory of stretches) {
      if (!receiveSide(memory, rounds, mode, clock, deadline)) break;
    }
    return NOTHING;
  }
  const out = { ns: new Float64Array(rounds), aheadNs: new Float64Array(rounds) };
  const ways: number[] = [];
  const ahead: number[] = [];
  if (pingSide(meeting, 1, "park", out.ns, clock, meetBy) === 0) return NOTHING;
  const deadline = clock.now() + MEASURE_NS;
  for (const memory of stretches) {
    const timed = sendSide(memory, rounds, mode, out, clock, deadline);
    if (timed === rounds || (timed > 0 && ways.length === 0)) {
      ways.push(median(out.ns.subarray(0, timed)));
      ahead.push(median(out.aheadNs.subarray(0, timed)));
    }
    if (timed < rounds) break;
  }
  const warm = Math.floor(ways.length / 2);
  return {
    waysNs: Float64Array.from(ways.slice(warm)),
    aheadNs: Float64Array.from(ahead.slice(warm)),
  };
}

/** The first half of the batches is for the compiler. */
const CLOCK_BATCHES = 64;

/** Cost of one reading of `clock`, ns. */
export function clockCost(clock: Clock): number {
  return median(measureClockCost(clock, CLOCK_BATCHES).slice(CLOCK_BATCHES / 2));
}
