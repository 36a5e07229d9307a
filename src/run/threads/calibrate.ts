/** Measures the floor of a run on its own workers, while their loops do not run. */
import {
  type Floor,
  floorOf,
  floorReference,
  referenceNs,
  type WaitMode,
  type WakeCounts,
} from "../../measure/calibration.ts";
import { median } from "../../measure/statistics.ts";
import { createFloorMemory, type FloorMode } from "../../shm/floor.ts";
import type { FloorResult, Warning } from "../result.ts";
import type { GuestWorkerApi, HostWorkerApi, Probed } from "./api.ts";
import type { WorkerHandle } from "./worker-handle.ts";

/**
 * Stretches of a probe and rounds in each: about 170 ms of spinning, 100 ms of parking. Code is
 * compiled in the first half of them; the median of the others' medians passes over those in which
 * something else ran on one of the cores.
 */
const STRETCHES: Readonly<Record<FloorMode, { count: number; rounds: number }>> = {
  spin: { count: 16, rounds: 1_000 },
  park: { count: 5, rounds: 200 },
};

/**
 * A receiver that spins answers within this time, ns, or it is not on a core: then two threads that
 * share one take turns, and what was measured is the scheduler's time slice.
 */
const SPIN_ONE_WAY_MAX_NS = 100_000;

/** A floor that moved by more than this was not the floor of the run. */
const DRIFT_MAX = 0.25;

/**
 * Ping from the host worker, pong from a guest worker: the way an interrupt goes. The guest's clock
 * is put right by what the probe finds: what is measured is a hundred nanoseconds long.
 */
export async function measureFloor(
  host: WorkerHandle<HostWorkerApi>,
  guest: WorkerHandle<GuestWorkerApi>,
): Promise<Floor> {
  const probed = async (mode: FloorMode): Promise<Probed> => {
    const { count, rounds } = STRETCHES[mode];
    const stretches = Array.from({ length: count }, createFloorMemory);
    const request = { meeting: createFloorMemory(), stretches, mode, rounds };
    const [found] = await Promise.all([
      host.call((api) => api.probe({ ...request, side: "ping" })),
      guest.call((api) => api.probe({ ...request, side: "pong" })),
    ]);
    return found;
  };
  const spun = await probed("spin");
  const spinOneWaysNs = spun.waysNs.filter((ns) => ns <= SPIN_ONE_WAY_MAX_NS);
  // Of threads that take turns on one core it would be the scheduler's time slice.
  if (spinOneWaysNs.length > 0) {
    const aheadNs = median(spun.aheadNs.filter((_, i) => spun.waysNs[i]! <= SPIN_ONE_WAY_MAX_NS));
    await guest.call((api) => api.setClockBack(aheadNs));
  }
  return floorOf({
    spinOneWaysNs,
    parkOneWaysNs: (await probed("park")).waysNs,
    clockNs: [await guest.call((api) => api.clockCost())],
  });
}

/** The floor of a run from what was measured before it and, if it was, after it. */
export function floorResult(
  before: Floor,
  after: Floor | null,
  wait: WaitMode,
  waits: WakeCounts,
): FloorResult {
  const reference = floorReference(wait, waits);
  const wakeModes = { ...waits };
  if (after === null) return { ...before, reference, wakeModes };
  const then = referenceNs(before, reference);
  const now = referenceNs(after, reference);
  return {
    spinOneWayNs: mean(before.spinOneWayNs, after.spinOneWayNs),
    parkOneWayNs: mean(before.parkOneWayNs, after.parkOneWayNs),
    clockNs: (before.clockNs + after.clockNs) / 2,
    reference,
    wakeModes,
    before,
    after,
    drift: then === null || now === null ? null : now / then - 1,
  };
}

function mean(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : (a + b) / 2;
}

/** What to know about a floor before comparing anything with it; `wanted` says if there is need. */
export function floorWarnings(floor: FloorResult | null, wanted: boolean): Warning[] {
  const one = floor?.reference === "park" ? floor.parkOneWayNs : (floor?.spinOneWayNs ?? null);
  if (floor === null || one === null) return wanted ? [UNMEASURED] : [];
  const { drift, reference } = floor;
  if (typeof drift !== "number" || Math.abs(drift) <= DRIFT_MAX) return [];
  const percent = `${Math.round(Math.abs(drift) * 100)} %`;
  const moved = drift > 0 ? `rose by ${percent}` : `fell by ${percent}`;
  return [
    {
      text: `the machine's floor (${reference}) ${moved} during the run`,
      advice: "close other programs, pin the run to its own cores (taskset), and repeat",
    },
  ];
}

const UNMEASURED: Warning = {
  text: "the machine's floor could not be measured: latencies have nothing to be compared with",
  advice: "free some cores and repeat",
};
