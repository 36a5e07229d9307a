import { expect, test } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { breakOnText, parseBreakOn } from "../../../../src/scenario/break-on.ts";
import { loadScenarioText, scenarioFromData } from "../../../../src/scenario/loader.ts";
import { scenarioYaml } from "../../../../src/scenario/to-yaml.ts";

test.each([
  ["latency > 500us", 500_000],
  ["latency>1ms", 1_000_000],
  ["  latency >  20 ns ", 20],
])("%j is a limit of %d ns", (text, ns) => {
  expect(parseBreakOn(text)).toBe(ns);
});

test.each(["", "500us", "latency < 500us", "latency > 5", "latency > 0us", "p99 > 5us"])(
  "%j is none",
  (text) => {
    expect(() => parseBreakOn(text)).toThrow(UsageError);
  },
);

test("what it says can be read again", () => {
  expect(parseBreakOn(breakOnText(500_000))).toBe(500_000);
});

const DATA = {
  name: "x",
  devices: [{ name: "d", model: "edu" }],
  guests: [{ name: "g", device: "d" }],
  duration: "1s",
};

test("limit and warm-up of a scenario outlive being written and read", () => {
  const run = { breakOn: "latency > 5us", warmup: "200ms" };
  const scenario = scenarioFromData({ ...DATA, run });
  expect(scenario.run).toMatchObject({ breakOnNs: 5_000, warmupNs: 200e6 });
  expect(loadScenarioText(scenarioYaml(scenario))).toEqual(scenario);
});

test("a warm-up leaves something of the run", () => {
  expect(() => scenarioFromData({ ...DATA, run: { warmup: "1s" } })).toThrow(/is over before/);
});
