/** How many cores there are for how many threads: what a wait strategy has to know. */
import { availableParallelism } from "node:os";
import { WaitStrategy } from "../../shm/wait-strategy.ts";
import type { Clock } from "../../time/clock.ts";

/** The scenario's wait strategy for one of `threads` busy threads on this machine. */
export function waitStrategy(
  kind: "spin" | "park" | "adaptive",
  threads: number,
  clock: Clock,
): WaitStrategy {
  return new WaitStrategy(kind, { cores: availableParallelism(), threads, clock });
}
