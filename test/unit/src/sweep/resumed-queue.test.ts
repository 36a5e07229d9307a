/** Killed sweeps that go on: what is taken over, what runs again, and the same outcome. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { JOB_FILE, JobFile } from "../../../../src/cli/job-file.ts";
import { canonicalJson } from "../../../../src/report/json.ts";
import { scenarioFromData } from "../../../../src/scenario/loader.ts";
import type { RunFigures, RunJob } from "../../../../src/sweep/job.ts";
import { SerialQueue } from "../../../../src/sweep/job-queue.ts";
import { parseParam } from "../../../../src/sweep/params.ts";
import { jobKey, keptJobs, ResumedQueue } from "../../../../src/sweep/resumed-queue.ts";
import { runSweep, type Sweep, type SweepOptions } from "../../../../src/sweep/sweep.ts";
import { syntheticCell } from "../../../support/synthetic-cells.ts";

const OPTIONS: SweepOptions = {
  scenario: "edu-intx",
  set: [],
  params: [parseParam("host.cpus=1,2,3")],
  figures: ["delivered", "latency.p50"],
  seeds: 2,
  engine: "virtual",
};

let dir = "";
/** Jobs that really ran, as "cpus:seed". */
let ran: string[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "vfio-cosim-resume-"));
  ran = [];
});
afterEach(() => rmSync(dir, { recursive: true }));

async function madeUp({ scenario, figures }: RunJob): Promise<RunFigures> {
  ran.push(`${scenario.host.cpus}:${scenario.seed}`);
  const value = scenario.host.cpus / scenario.seed;
  const run = syntheticCell({ policy: "p" }).runs[0]!;
  return { ...run, figures: Object.fromEntries((figures ?? ["peak"]).map((n) => [n, value])) };
}

interface Start {
  readonly change?: Partial<SweepOptions>;
  readonly isFresh?: boolean;
  /** Interrupted once so many jobs have ended. */
  readonly after?: number;
  readonly work?: (job: RunJob) => Promise<RunFigures>;
}

async function start(options: Start = {}): Promise<Sweep & { takenOver: number; asked: number }> {
  const { change, isFresh = false, after = Infinity, work = madeUp } = options;
  const abort = new AbortController();
  const file = new JobFile(dir, isFresh);
  const queue = new ResumedQueue(new SerialQueue(work), "virtual", file);
  const onProgress = (done: number): void => {
    if (done >= after) abort.abort();
  };
  const { signal } = abort;
  const sweep = await runSweep({ ...OPTIONS, ...change, signal, onProgress }, queue);
  expect(file.trouble).toBeNull();
  return { ...sweep, takenOver: queue.takenOver, asked: queue.asked };
}

const ALL = ["1:3", "2:3", "3:3", "1:4", "2:4", "3:4"];
const kept = (): string => readFileSync(join(dir, JOB_FILE), "utf8");

describe("a sweep that was stopped", () => {
  it("runs what is missing, and its bytes are those of one that was not stopped", async () => {
    const whole = canonicalJson((await runSweep(OPTIONS, new SerialQueue(madeUp))).result);
    ran = [];
    const first = await start({ after: 2 });
    expect([first.isInterrupted, ran]).toEqual([true, ALL.slice(0, 2)]);
    expect(canonicalJson(first.result)).not.toBe(whole);
    ran = [];
    const second = await start();
    expect(ran).toEqual(ALL.slice(2));
    expect([second.isInterrupted, second.takenOver, second.asked]).toEqual([false, 2, 6]);
    expect(canonicalJson(second.result)).toBe(whole);
    ran = [];
    expect(canonicalJson((await start()).result)).toBe(whole);
    expect(ran).toEqual([]);
  });

  it("wherever it was killed: a torn line runs again, and is mended", async () => {
    const whole = canonicalJson((await start()).result);
    const text = kept();
    const lines = text.trimEnd().split("\n");
    expect(lines).toHaveLength(6);
    const third = lines.slice(0, 2).join("\n").length + 1;
    for (const length of [1, 10, lines[2]!.length]) {
      writeFileSync(join(dir, JOB_FILE), text.slice(0, third + length));
      ran = [];
      expect(canonicalJson((await start()).result)).toBe(whole);
      expect(ran, `${length} bytes of the third`).toEqual(ALL.slice(2));
      expect(kept()).toBe(text);
    }
  });

  it("ignores lines that are none of its own", async () => {
    const others = ["", "{}", "null", "7", '{"key":7}', '{"key":"a","done":{"figures":null}}'];
    expect(keptJobs(others.join("\n")).size).toBe(0);
    writeFileSync(join(dir, JOB_FILE), `${others.join("\n")}\n`);
    expect((await start()).takenOver).toBe(0);
  });

  it("runs all again if told to", async () => {
    await start();
    ran = [];
    expect((await start({ isFresh: true })).takenOver).toBe(0);
    expect(ran).toEqual(ALL);
    expect(kept().trimEnd().split("\n")).toHaveLength(6);
  });
});

describe("what is not taken over", () => {
  const again = async (change: Partial<SweepOptions>): Promise<string[]> => {
    await start();
    ran = [];
    await start({ change });
    return ran;
  };

  it("is what the scenario says otherwise, and only that", async () => {
    expect(await again({ set: ["duration=9s"] })).toEqual(ALL);
    expect(await again({ params: [parseParam("host.cpus=2,4")] })).toEqual(["4:3", "4:4"]);
    expect(await again({ seeds: 3 })).toEqual(["1:5", "2:5", "3:5"]);
  });

  it("is of other figures", async () => {
    expect(await again({ figures: ["delivered"] })).toEqual(ALL);
  });

  it("is what failed or was cut off", async () => {
    const work = async (job: RunJob): Promise<RunFigures> => {
      const done = await madeUp(job);
      if (job.scenario.host.cpus === 2) throw new Error("out of memory");
      return job.scenario.host.cpus === 3 ? { ...done, partial: "limit" } : done;
    };
    expect((await start({ work })).failed).toBeGreaterThan(0);
    ran = [];
    await start();
    expect(ran).toEqual(["2:3", "3:3", "2:4", "3:4"]);
  });

  it("is a figure that JSON cannot say", async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -0]) {
      const work = async (job: RunJob): Promise<RunFigures> => {
        return { ...(await madeUp(job)), figures: { delivered: value } };
      };
      await start({ work, isFresh: true });
      expect(kept()).toBe("");
    }
  });
});

describe("the key of a job", () => {
  const scenario = (host: object, device: object = {}) =>
    scenarioFromData({
      name: "s",
      host,
      devices: [{ name: "e", model: "edu", ...device }],
      guests: [{ name: "g", vcpus: 1, device: "e", workload: { arrivals: "none" } }],
      duration: "1ms",
    });
  const job = (host: object, device?: object): RunJob => {
    return { scenario: scenario(host, device), figures: null, lateNs: 5 };
  };

  it("tells engines and limits apart", () => {
    const one = job({ cpus: 2 });
    const keys = [
      jobKey(one, "virtual"),
      jobKey(one, "threads"),
      jobKey({ ...one, lateNs: 6 }, "virtual"),
      jobKey({ ...one, figures: [] }, "virtual"),
    ];
    expect(new Set(keys).size).toBe(4);
    expect(jobKey(job({ cpus: 2 }), "virtual")).toBe(keys[0]);
  });

  it("is none where a policy is code that the scenario only names", () => {
    expect(jobKey(job({ retention: "own:mine" }), "virtual")).toBeNull();
    expect(jobKey(job({}, { retention: "own:mine" }), "virtual")).toBeNull();
    expect(jobKey(job({ retention: { policy: "bounded", cap: 2 } }), "virtual")).not.toBeNull();
  });
});

describe("the file", () => {
  it("that cannot be written is explained", () => {
    const file = join(dir, "file");
    writeFileSync(file, "");
    expect(() => new JobFile(file, false)).toThrow(UsageError);
  });

  it("in a directory that nobody can make is refused at once", () => {
    expect(() => new JobFile("/proc/none/below", false)).toThrow(/--out \/proc\/none\/below: /);
  });

  it("that cannot be written any more costs the lines, not the sweep", () => {
    const file = new JobFile(join(dir, "gone"), false);
    rmSync(join(dir, "gone"), { recursive: true });
    file.append("{}\n");
    expect(file.trouble).toContain("jobs.jsonl cannot be written (ENOENT)");
  });
});
