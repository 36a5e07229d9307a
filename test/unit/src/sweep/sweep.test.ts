/** Sweeps: axes, points, figures by seed, and what becomes of runs that fail. */
import { describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { loadScenario } from "../../../../src/scenario/loader.ts";
import { parseCosts } from "../../../../src/sweep/costs-file.ts";
import { jitterTimelines } from "../../../../src/sweep/jitter.ts";
import type { RunFigures, RunJob } from "../../../../src/sweep/job.ts";
import { SerialQueue } from "../../../../src/sweep/job-queue.ts";
import { withInterval } from "../../../../src/sweep/numbers.ts";
import { parseParam, parseParams, pointsOf } from "../../../../src/sweep/params.ts";
import { runSweep, type SweepOptions } from "../../../../src/sweep/sweep.ts";
import { sweepCsv, sweepText } from "../../../../src/sweep/sweep-text.ts";
import { listText, meanText, namesText, placesText } from "../../../../src/sweep/words.ts";
import { syntheticCell } from "../../../support/synthetic-cells.ts";

describe("an axis", () => {
  it("has values between commas that stand in no brackets and quotes", () => {
    expect(parseParam("host.retention=cache,{policy: bounded, cap: 2},'a,b'")).toEqual({
      path: "host.retention",
      values: ["cache", "{policy: bounded, cap: 2}", "'a,b'"],
    });
    expect(parseParam("host.cpus=1,2,1").values).toEqual(["1", "2"]);
    expect(() => parseParams(["host.cpus=1,2", "host.irtes=64", "host.cpus=2,4"])).toThrow(
      "--param host.cpus=2,4: host.cpus is an axis already",
    );
  });

  it("needs a path and values", () => {
    for (const text of ["host.cpus", "=1", "host.cpus=", "host.cpus=1,,2"]) {
      expect(() => parseParam(text), text).toThrow(UsageError);
    }
  });

  it("makes points with the others, the last one fastest", () => {
    const params = [parseParam("a=1,2"), parseParam("b=x,y")];
    expect(pointsOf(params)).toEqual([
      ["1", "x"],
      ["1", "y"],
      ["2", "x"],
      ["2", "y"],
    ]);
    expect(pointsOf([])).toEqual([[]]);
  });
});

/** Delivers as many as CPUs times seed; seed 4 breaks. */
async function madeUp({ scenario, figures }: RunJob): Promise<RunFigures> {
  if (scenario.seed === 4 && scenario.host.cpus === 2) throw new Error("out of memory");
  const value = scenario.host.cpus * scenario.seed;
  const run = syntheticCell({ policy: "p" }).runs[0]!;
  return { ...run, figures: Object.fromEntries(figures!.map((name) => [name, value])) };
}

function optionsOf(change: Partial<SweepOptions>): SweepOptions {
  return {
    scenario: "edu-intx",
    set: [],
    params: [parseParam("host.cpus=1,2")],
    figures: ["delivered", "latency.p50"],
    seeds: 2,
    engine: "virtual",
    ...change,
  };
}

describe("a sweep", () => {
  it("has the figures of each point, run by run and over the seeds", async () => {
    const { result, failed, bugs, isInterrupted } = await runSweep(
      optionsOf({}),
      new SerialQueue(madeUp),
    );
    expect([failed, bugs, isInterrupted]).toEqual([1, 0, false]);
    expect(result.seeds).toEqual([3, 4]);
    expect(result.points[0]).toMatchObject({ at: { "host.cpus": "1" } });
    expect(result.points[0]!.figures.delivered).toMatchObject({ mean: 3.5 });
    expect(result.points[1]!.figures.delivered).toEqual({ mean: 6 });
    expect(result.points[1]!.runs[1]).toEqual({ seed: 4, figures: null, trouble: "out of memory" });
  });

  it("is a table for people, and a line a run for programs", async () => {
    const { result } = await runSweep(optionsOf({}), new SerialQueue(madeUp));
    const text = sweepText(result, 100);
    expect(text).toMatch(/^ {2}2 +6 +6 ns$/m);
    expect(text).toContain("host.cpus=2, seed 4: out of memory");
    expect(sweepCsv(result).split("\r\n")).toEqual([
      "host.cpus,seed,delivered,latency.p50,trouble",
      "1,3,3,3,",
      "1,4,4,4,",
      "2,3,6,6,",
      "2,4,,,out of memory",
      "",
    ]);
  });

  it("is checked before anything runs, and blames the axis", async () => {
    const queue = new SerialQueue(async () => {
      throw new Error("ran");
    });
    const wrong = optionsOf({ params: [parseParam("host.cpus=1,many")] });
    await expect(runSweep(wrong, queue)).rejects.toThrow(/^--param host.cpus=many: /);
    const unknown = runSweep(optionsOf({ figures: ["delivred"] }), queue);
    await expect(unknown).rejects.toMatchObject({ hint: "did you mean delivered?" });
  });
});

describe("a file of costs", () => {
  it("is YAML or JSON, with units", () => {
    expect(parseCosts("irqAlloc: 3us\niecFlush: 500ns\n", "c.yaml")).toEqual({
      irqAlloc: 3_000,
      iecFlush: 500,
    });
    expect(parseCosts('{"irqFree": "1ms"}', "c.json")).toEqual({ irqFree: 1_000_000 });
  });

  it("says which costs there are, and where it is wrong", () => {
    const wrong = (text: string): string => {
      try {
        parseCosts(text, "c.yaml");
      } catch (error) {
        if (error instanceof UsageError) return error.format();
      }
      return "";
    };
    expect(wrong("irqAlloc: 3us\nirqFre: 1us\n")).toMatch(
      /^c\.yaml:2:1: there is no cost irqFre\n {2}hint: did you mean irqFree\? known: syscall, /,
    );
    expect(wrong("irqAlloc: 3\n")).toContain("c.yaml:1:11: a cost needs a unit");
    expect(wrong("irqAlloc: fast\n")).toContain('c.yaml:1:11: "fast" is not a duration');
    expect(wrong("- irqAlloc\n")).toContain("is no mapping of costs to times");
  });
});

describe("jitter", () => {
  const scenario = loadScenario("retention-pressure");

  it("delays each step by less than it says, in order, and by the seed", () => {
    const moved = jitterTimelines(scenario, 1e6);
    const times = (of: typeof scenario) =>
      of.guests.map((guest) => guest.timeline.map(({ at }) => at));
    const before = times(scenario).flat();
    const after = times(moved).flat();
    expect(after.every((at, i) => at >= before[i]! && at < before[i]! + 1e6)).toBe(true);
    expect(after).not.toEqual(before);
    expect(times(jitterTimelines({ ...scenario, seed: 11 }, 1e6))).not.toEqual(times(moved));
    for (const timeline of times(jitterTimelines(scenario, 1e9))) {
      expect(timeline).toEqual([...timeline].sort((a, b) => a - b));
      expect(Math.max(...timeline)).toBeLessThanOrEqual(scenario.duration);
    }
  });

  it("is the same under whatever policy", () => {
    const other = { ...scenario, host: { ...scenario.host, retention: "free-on-unset" as const } };
    expect(jitterTimelines(other, 1e6).guests).toEqual(jitterTimelines(scenario, 1e6).guests);
  });

  it("of nothing changes nothing", () => {
    expect(jitterTimelines(scenario, 0)).toBe(scenario);
  });
});

describe("words", () => {
  it("list things as sentences do", () => {
    expect([listText([]), listText(["a"]), listText(["a", "b", "c"])]).toEqual([
      "",
      "a",
      "a, b and c",
    ]);
    expect(namesText(["nic0", "nic1", "nic2", "disk"])).toBe("nic0 to nic2 and disk");
    expect(namesText(["nic0", "nic2", "nic3", "nic5", "nic7"])).toBe(
      "nic0, nic2, nic3, nic5 and 1 more",
    );
  });

  it("put VMMs together that have the same topologies", () => {
    const all = ["q", "c"].flatMap((vmm) => ["v", "a"].map((topology) => ({ vmm, topology })));
    expect(placesText(all, all)).toBe("every VMM on every topology");
    expect(placesText(all.slice(0, 3), all)).toBe("q on every topology; c on v");
  });

  it("round means so that none looks like zero", () => {
    expect([3, 3.14, 0.04, 1234.5].map(meanText)).toEqual(["3", "3.1", "0.04", "1,235"]);
    expect(withInterval(12.34, 0.4)).toBe("12.3~0.40");
    expect(withInterval(12.34, 0.04)).toBe("12.3");
  });
});
