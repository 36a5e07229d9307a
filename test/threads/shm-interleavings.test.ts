import { afterAll, describe, expect, it } from "vitest";
import { interleavings as border } from "../support/border-interleavings.ts";
import { interleavings as counters } from "../support/counter-interleavings.ts";
import { interleavings as handovers } from "../support/handover-interleavings.ts";
import { Explorer } from "../support/interleave.ts";
import { interleavings as posted } from "../support/posted-interleavings.ts";

const explorer = new Explorer();
afterAll(() => explorer.close());

const MODULES = { border, counter: counters, handover: handovers, posted };

const NAMES = Object.values(MODULES).flatMap((programs) => Object.keys(programs));

function moduleOf(name: string): URL {
  const [module] = Object.entries(MODULES).find(([, programs]) => name in programs)!;
  return new URL(`../support/${module}-interleavings.ts`, import.meta.url);
}

/** Long programs have too many schedules: these are interrupted this often at most. */
const PREEMPTIONS: Readonly<Record<string, number>> = {
  "eventfd: signals across 2^31 and 2^32": 4,
  "requests: more vectors than the queue holds": 4,
  "requests: one vector again and again": 4,
  "doorbells: a device that has interrupted hears the answer": 4,
  "posted: two vectors to a vCPU that polls and sleeps": 3,
  "posted: two vectors to a vCPU that waits for notifications": 4,
  "posted: one vector again and again": 3,
  "posted: an entry made while its vCPU goes to sleep": 4,
  "eventcount: one waker, two units": 3,
  "eventcount: two wakers": 3,
  "eventcount over a poll set: two markers": 2,
  "eventcount: a waker still busy with the sleep before": 3,
};

describe("every interleaving of", () => {
  for (const name of NAMES.filter((name) => !name.startsWith("canary"))) {
    it(`${name} keeps its promise`, async () => {
      const preemptionsMax = PREEMPTIONS[name];
      const { failure, complete, schedules } = await explorer.explore(
        moduleOf(name),
        name,
        preemptionsMax === undefined ? {} : { preemptionsMax },
      );
      expect(failure).toBeNull();
      expect(complete, `${schedules} schedules`).toBe(true);
      expect(schedules).toBeGreaterThan(10);
    });
  }
});

describe("the explorer catches", () => {
  for (const name of NAMES.filter((name) => name.startsWith("canary"))) {
    it(name.slice("canary: ".length), async () => {
      const { failure } = await explorer.explore(moduleOf(name), name, { preemptionsMax: 3 });
      expect(failure).not.toBeNull();
    });
  }
});
