/** Builds what a machine runs on: clock, scheduler, costs, random streams, trace. */
import { Prng } from "../base/prng.ts";
import type { Scenario } from "../scenario/types.ts";
import type { Clock } from "../time/clock.ts";
import { type Costs, DEFAULT_COSTS } from "../time/costs.ts";
import type { Scheduler } from "../time/scheduler.ts";
import { TraceRecorder } from "../trace/trace.ts";
import type { MachineEnv } from "./contract.ts";

/** The environment of one actor; its random streams are named after it. */
export function machineEnv(
  scenario: Scenario,
  actor: string,
  clock: Clock,
  scheduler: Scheduler,
): MachineEnv & { tracer: TraceRecorder } {
  const costs: Costs = { ...DEFAULT_COSTS, ...scenario.costs };
  return {
    clock,
    scheduler,
    costs,
    tracer: new TraceRecorder(clock, actor),
    random: (name) => Prng.stream(scenario.seed, `${actor}/${name}`),
  };
}

/** Virtual costs do not apply to a wall clock: there, work takes the time it takes. */
export function wallCosts(): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.keys(DEFAULT_COSTS).map((name) => [name, 0]));
}
