import { describe, expect, test } from "vitest";
import {
  CHAOS,
  type StressOptions,
  stressDocument,
} from "../../../../src/explore/stress-scenario.ts";
import { loadScenarioText, scenarioFromData } from "../../../../src/scenario/loader.ts";
import { scenarioYaml } from "../../../../src/scenario/to-yaml.ts";
import type { Scenario } from "../../../../src/scenario/types.ts";

const OPTIONS: StressOptions = { seed: 1, guests: 24, duration: 5e9, rate: 2000, chaos: CHAOS };

const scenario = (change: Partial<StressOptions> = {}): Scenario =>
  scenarioFromData(stressDocument({ ...OPTIONS, ...change }));

describe("a seed's scenario", () => {
  test("is valid, whatever the seed", () => {
    for (let seed = 0; seed < 60; seed++) expect(scenario({ seed }).guests).toHaveLength(24);
  });

  test("is the same each time, and another one with another seed", () => {
    expect(stressDocument(OPTIONS)).toEqual(stressDocument(OPTIONS));
    expect(stressDocument({ ...OPTIONS, seed: 2 })).not.toEqual(stressDocument(OPTIONS));
  });

  test("stays itself when it is written to a file and read again", () => {
    for (let seed = 0; seed < 10; seed++) {
      const made = scenario({ seed });
      expect(loadScenarioText(scenarioYaml(made))).toEqual(made);
    }
  });

  test("gives a guest the same life however many others there are", () => {
    const [few, many] = [scenario({ guests: 2 }), scenario({ guests: 50 })];
    expect(many.guests.slice(0, 2)).toEqual(few.guests);
  });
});

describe("chaos", () => {
  const kills = ({ guests }: Scenario): number =>
    guests.filter(({ timeline }) => timeline.some((entry) => entry.do === "kill")).length;
  const storms = ({ guests }: Scenario): number =>
    guests.filter(({ workload }) => workload.storm !== undefined).length;

  test("befalls some guests if it is wanted, and none if not", () => {
    const wild = scenario({ guests: 128 });
    expect(kills(wild)).toBeGreaterThan(0);
    expect(storms(wild)).toBeGreaterThan(0);
    const calm = scenario({ guests: 128, chaos: [] });
    expect([kills(calm), storms(calm)]).toEqual([0, 0]);
  });
});
