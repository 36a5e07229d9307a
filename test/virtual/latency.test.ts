/** Latency on the virtual clock: no coordinated omission, stopping at a limit, the command. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, test } from "vitest";
import type { Io } from "../../src/cli/io.ts";
import { runCli } from "../../src/cli/program.ts";
import type { LatencyMeasurement } from "../../src/latency/measurement.ts";
import { LatencyHistogram } from "../../src/measure/histogram.ts";
import { readRuns } from "../../src/report/stored.ts";
import type { RunResult } from "../../src/run/result.ts";
import { runScenario } from "../../src/run/run.ts";
import { classOf } from "../../src/scenario/fate-sums.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";

const MS = 1e6;
const STALL_NS = 20 * MS;
/** One vector, an interrupt every 100 us. */
const GAP_NS = 100_000;

function stalled(path: string, run: object = {}): Promise<RunResult> {
  const scenario = scenarioFromData({
    name: "stalled",
    devices: [{ name: "n", model: "nvme", msixVectors: 2 }],
    guests: [
      {
        name: "g",
        device: "n",
        path,
        workload: { arrivals: "fixed", rate: "10k/s", per: "device" },
        timeline: [
          { at: "0ms", do: "boot" },
          { at: "500ms", do: "stall", for: "20ms" },
        ],
      },
    ],
    duration: "700ms",
    run,
  });
  return runScenario(scenario, { engine: "virtual" });
}

/** All arrivals, those that merged with an older one too. */
function everyArrival({ latency }: RunResult): LatencyHistogram {
  const all = LatencyHistogram.fromJSON(latency.histograms!.total!);
  if (latency.coalesced) all.add(LatencyHistogram.fromJSON(latency.coalesced));
  return all;
}

/** How many are at least so long. */
function atLeast(histogram: LatencyHistogram, ns: number): number {
  let count = 0;
  for (let index = histogram.layout.indexOf(ns); index < histogram.used; index++) {
    count += histogram.countAt(index);
  }
  return count;
}

describe.each(["irqfd", "posted", "userspace"])("a guest that stalls, path %s", (path) => {
  it("makes every interrupt late that was meant to come meanwhile", async () => {
    const result = await stalled(path);
    const { ledger } = result;
    const all = everyArrival(result);
    const served = classOf(ledger.totals, "delivered") + classOf(ledger.totals, "coalesced");
    expect(all.count).toBe(served);
    expect(classOf(ledger.totals, "coalesced")).toBeGreaterThan(190);
    // An interrupt that is meant to come t after the stall began waits for the rest of it: without
    // omission latencies are spread evenly over its length.
    expect(all.max / STALL_NS).toBeGreaterThan(0.99);
    for (const share of [0.25, 0.5, 0.75]) {
      const expected = ((1 - share) * STALL_NS) / GAP_NS;
      expect(Math.abs(atLeast(all, share * STALL_NS) - expected)).toBeLessThanOrEqual(2);
    }
  });
});

test("what is raised in the warm-up is left out, a stall in it too", async () => {
  const all = everyArrival(await stalled("irqfd", { warmup: "550ms" }));
  expect(all.count).toBeGreaterThan(1_490);
  expect(all.count).toBeLessThanOrEqual(1_500);
  expect(all.max).toBeLessThan(GAP_NS);
});

test("the first latency beyond the limit ends the run and keeps what came before it", async () => {
  const { broke, partial, durationNs, checks } = await stalled("irqfd", {
    breakOn: "latency > 5ms",
  });
  expect(partial).toBe("latency > 5.00 ms in g");
  expect(durationNs).toBeLessThan(530 * MS);
  expect(checks.every(({ ok }) => ok)).toBe(true);
  const { guest, source, latencyNs, wake, stages, trace, raisedAt } = broke!;
  expect([guest, source, wake]).toEqual(["g", "n msix[1]", null]);
  expect(latencyNs).toBeGreaterThan(19 * MS);
  expect(stages.reduce((sum, { ns }) => sum + ns, 0)).toBeCloseTo(latencyNs);
  const slowest = stages.reduce((a, b) => (b.ns > a.ns ? b : a));
  expect(slowest.stage).toBe("signalled->woken");
  expect(trace.map(({ at }) => at)).toEqual([...trace].map(({ at }) => at).sort((a, b) => a - b));
  expect(new Set(trace.map(({ actor }) => actor))).toEqual(new Set(["host", "g"]));
  const stall = trace.findIndex(({ event }) => event === "guest_stall");
  const raise = trace.findIndex(({ at, event }) => at === raisedAt && event === "device_raise");
  expect(stall).toBeGreaterThan(0);
  expect(raise).toBeGreaterThan(stall);
  expect(trace.at(-1)).toMatchObject({ actor: "g", event: "irq_handler_entry" });
});

class Captured implements Io {
  stdout = "";
  stderr = "";
  readonly outIsTty = false;
  readonly errIsTty: boolean;

  constructor(errIsTty = false) {
    this.errIsTty = errIsTty;
  }

  out(text: string): void {
    this.stdout += text;
  }

  err(text: string): void {
    this.stderr += text;
  }

  onInterrupt(): () => void {
    return () => {};
  }

  exitNow(): void {}
}

async function latency(...args: string[]): Promise<{ code: number; io: Captured }> {
  const io = new Captured();
  const common = ["latency", "--engine", "virtual", "--duration", "200ms", "--warmup", "100ms"];
  return { code: await runCli([...common, ...args], io), io };
}

const DIRECTORY = mkdtempSync(join(tmpdir(), "vfio-cosim-"));
afterAll(() => rmSync(DIRECTORY, { recursive: true }));

describe("the command", () => {
  it("measures by stage, the same for the same seed", async () => {
    const [one, two] = [await latency("--vectors", "5"), await latency("--vectors", "5")];
    expect(one.code).toBe(0);
    expect(one.io.stdout).toBe(two.io.stdout);
    expect(one.io.stdout).toMatch(/^latency\n {2}seed 1, engine virtual, .*4 vCPUs, 5 vectors/);
    expect(one.io.stdout).toMatch(/\n {22,}count +min +p50 +p90 +p99 +p99\.9 +p99\.99 +max\n/);
    expect(one.io.stdout).toContain("\n  total ");
    expect(one.io.stdout).toContain("\nMEASURED: ");
    expect(one.io.stderr).toBe("");
  });

  it("runs as often as asked, each time with the next seed, and tells the interval", async () => {
    const out = join(DIRECTORY, "three");
    const { code, io } = await latency("--runs", "3", "--seed", "7", "-o", "json", "--out", out);
    expect(code).toBe(0);
    const measured: LatencyMeasurement = JSON.parse(io.stdout);
    expect(measured.schema).toBe("vfio-cosim/latency/1");
    expect(measured.runs.map(({ seed }) => seed)).toEqual([7, 8, 9]);
    const [wake] = measured.wakes;
    expect(wake!.wake).toBe("modelled");
    const { mean, low, high, runs } = wake!.intervals.p50;
    expect([runs, low! <= mean, mean <= high!]).toEqual([3, true, true]);
    expect(wake!.stages.at(-1)!.count).toBe(
      measured.runs.reduce((sum, { totals }) => sum + totals.modelled!.count, 0),
    );
    expect(readFileSync(join(out, "latency.json"), "utf8")).toBe(io.stdout);
    expect(readdirSync(out).sort()).toEqual([
      "latency.html",
      "latency.json",
      "latency.txt",
      "run-1",
      "run-2",
      "run-3",
    ]);
    expect(readRuns(out).map(({ provenance }) => provenance.seed)).toEqual([7, 8, 9]);
  });

  it("shows what it stored again, in any form, and refuses what is damaged", async () => {
    const out = join(DIRECTORY, "again");
    const { io } = await latency("--break-on", "latency > 1us", "--out", out);
    for (const [form, expected] of [
      ["text", io.stdout],
      ["json", readFileSync(join(out, "latency.json"), "utf8")],
      ["html", readFileSync(join(out, "latency.html"), "utf8")],
    ] as const) {
      const again = new Captured();
      expect(await runCli(["report", out, "-o", form], again)).toBe(0);
      expect(again.stdout).toBe(expected);
    }
    const file = join(out, "latency.json");
    const text = readFileSync(file, "utf8");
    for (const [damaged, words] of [
      ["{", "is not JSON"],
      [text.replace('"warmupNs"', '"warm"'), "settings.warmupNs is missing"],
      [text.replace(/"highest": \d+/, '"highest": 3'), "histogram of "],
      [text.replace('"wake": "modelled"', '"wake": "dozing"'), "guests that wait dozing"],
    ] as const) {
      writeFileSync(file, damaged);
      const refused = new Captured();
      expect(await runCli(["report", file], refused)).toBe(2);
      expect(refused.stderr).toContain(words);
    }
  });

  it("has no interval over a single run", async () => {
    const { io } = await latency("-o", "json");
    const { wakes }: LatencyMeasurement = JSON.parse(io.stdout);
    expect(wakes[0]!.intervals.p50).toMatchObject({ low: null, high: null, runs: 1 });
  });

  it("stops at the limit with exit code 1 and shows the trace", async () => {
    const { code, io } = await latency("--break-on", "latency > 1us", "--runs", "5");
    expect(code).toBe(1);
    expect(io.stdout).toContain("BEYOND THE LIMIT: 2.55 us in g0");
    expect(io.stdout).toMatch(/\n +\+0\.0 +host +device_raise +nvme0 msix\[1\] #/);
    expect(io.stdout).not.toContain("MEASURED");
  });

  it("lets the guest set the pace in a closed loop", async () => {
    const { code, io } = await latency("--closed-loop", "--depth", "4");
    expect(code).toBe(0);
    expect(io.stdout).toContain("closed loop, depth 4");
    expect(io.stdout).not.toContain("asked");
  });

  it.each([
    [
      "csv",
      /^scenario,engine,seed,section,.*\r\nlatency,virtual,,latency,,modelled raised->handler,/,
    ],
    ["hgrm", /^ +Value +Percentile TotalCount[^#]*#\[Mean[\s\S]*#\[Guest = modelled\]\n$/],
    ["markdown", /^### latency\n\n\*\*MEASURED: /],
    ["html", /^<!doctype html>[\s\S]*<h2>Percentiles<\/h2>[\s\S]*<h2>Runs<\/h2>/],
  ])("gives %s", async (form, pattern) => {
    const { code, io } = await latency("-o", form);
    expect(io.stdout).toMatch(pattern);
    expect(code).toBe(0);
  });

  it("warns of a rate that is not reached, and of vectors that nobody uses", async () => {
    const { io } = await latency("--vectors", "9", "--vcpus", "2", "--rate", "900k/s");
    expect(io.stdout).toContain("2 of 8 I/O vectors are in use");
    expect(io.stdout).toContain("of the interrupts merged with an older one");
    expect(io.stdout).toMatch(/\n {2}! .*\n( {4}.*\n)* {4}-> /);
  });

  it("shows each run on a terminal", async () => {
    const io = new Captured(true);
    const args = ["--engine", "virtual", "--duration", "100ms", "--runs", "2", "--seed", "3"];
    expect(await runCli(["latency", ...args], io)).toBe(0);
    expect(io.stderr).toMatch(/run 1 of 2: p50 [\d.]+ us, p99 [\d.]+ us, max [\d.]+ us\n/);
    expect(io.stderr).toContain("run 2 of 2: ");
  });
});

describe("wrong flags are named, with exit code 2", () => {
  it.each([
    [["--duration", "3"], '--duration 3: "3" is not a duration'],
    [["--warmup", "soon"], '--warmup soon: "soon" is not a duration'],
    [["--runs", "0"], "--runs 0: not a number from 1 to 1000"],
    [["--rate", "5k/s", "--closed-loop"], "--rate 5k/s: in a closed loop the guest sets the pace"],
    [["--depth", "2"], "--depth 2: is for --closed-loop"],
    [["--closed-loop", "--depth", "x"], "--depth x: not a number from 1 to"],
    [["--break-on", "p99 > 5us"], "--break-on 'p99 > 5us': "],
    [["--cpus", "0,1"], "--cpus 0,1: the virtual engine has no threads to pin"],
    [["--path", "carrier-pigeon"], "--path carrier-pigeon: "],
  ])("%j", async (args, words) => {
    const { code, io } = await latency(...args);
    expect(io.stderr).toContain(words);
    expect([code, io.stdout]).toEqual([2, ""]);
  });

  it("of threads too", async () => {
    const io = new Captured();
    expect(await runCli(["latency", "--cpus", "one"], io)).toBe(2);
    expect(io.stderr).toContain("--cpus one: not a list of CPUs");
  });
});
