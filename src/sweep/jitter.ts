/** Lives that differ by the seed: each step of a guest's timeline comes a little later. */
import { Prng } from "../base/prng.ts";
import type { Scenario } from "../scenario/types.ts";

/**
 * Delays each step by up to `jitterNs`, but none past the next one's own delay or the end; the same
 * for equal seeds, whatever else differs between two scenarios.
 */
export function jitterTimelines(scenario: Scenario, jitterNs: number): Scenario {
  if (jitterNs <= 0) return scenario;
  const guests = scenario.guests.map((guest) => {
    const random = Prng.stream(scenario.seed, `jitter:${guest.name}`);
    let earliest = 0;
    const timeline = guest.timeline.map((entry) => {
      const delayed = entry.at + Math.floor(random.nextFloat() * jitterNs);
      earliest = Math.min(scenario.duration, Math.max(earliest, delayed));
      return { ...entry, at: earliest };
    });
    return { ...guest, timeline };
  });
  return { ...scenario, guests };
}
