/** When the next arrival of an open-loop workload is due. */
import type { Prng } from "../../src/base/prng.ts";
import type { WorkloadSpec } from "../../src/scenario/types.ts";

/** Time from one arrival to the next, ns. */
export type Gap = () => number;

/** Null if the workload has no arrivals of its own. `closed` counts as `fixed`. */
export function arrivalGap(workload: WorkloadSpec, random: Prng): Gap | null {
  if (workload.arrivals === "none" || !(workload.rate > 0)) return null;
  const mean = 1e9 / workload.rate;
  return workload.arrivals === "poisson" ? () => random.nextExponential(mean) : () => mean;
}
