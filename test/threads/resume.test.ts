/**
 * `sweep` and `compare-policies` with --out are killed for good (SIGKILL) in the middle of their
 * runs, as processes of their own, and started again: nothing is run twice, and what comes out is
 * what a run that nobody killed gives, byte for byte.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, it } from "vitest";
import { PROGRAM } from "../support/program.ts";

/** As README has it. */
const JOB_FILE = "jobs.jsonl";
const scratch = mkdtempSync(join(tmpdir(), "vfio-cosim-resume-"));
const scenario = join(scratch, "small.yaml");
writeFileSync(
  scenario,
  `
devices: [{ name: disk, model: nvme, msixVectors: 9 }]
guests: [{ name: g, vcpus: 8, device: disk, workload: { rate: 1k/s, per: queue } }]
duration: 350ms
`,
);
const SWEEP = ["sweep", scenario, "--param", "host.irtes=64,128", "--seeds", "4"];
const SWEEP_JOBS = 8;
const POLICIES_JOBS = 8;
const TRIES_MAX = 5;
const POLICIES = [
  ...["compare-policies", scenario, "--policies", "cache,bounded", "--vmms", "qemu 10.0,minimal"],
  ...["--topologies", "vtd", "--seeds", "2"],
];

afterAll(() => rmSync(scratch, { recursive: true }));

function keptIn(dir: string): string {
  try {
    return readFileSync(join(dir, JOB_FILE), "utf8");
  } catch {
    return "";
  }
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

function program(args: readonly string[], dir: string): ChildProcess {
  const argv = [...PROGRAM, ...args, "-j", "1", "--out", dir];
  return spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"] });
}

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

async function ended(child: ChildProcess): Promise<Ended> {
  const said = { out: "", err: "" };
  child.stdout!.on("data", (chunk) => {
    said.out += chunk;
  });
  child.stderr!.on("data", (chunk) => {
    said.err += chunk;
  });
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  return { code, signal, ...said };
}

/**
 * Runs the command until it has finished some jobs, and sends it a signal then. Where it was done
 * before it got the signal, since nobody let us look in time, all is tried anew.
 */
async function stopped(
  args: readonly string[],
  jobs: number,
  dir: string,
  signal: "SIGINT" | "SIGKILL",
): Promise<Ended> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    rmSync(dir, { recursive: true, force: true });
    const child = program(args, dir);
    const end = ended(child);
    while (linesOf(keptIn(dir)).length < 2 && child.exitCode === null) await delay(5);
    child.kill(signal);
    const how = await end;
    if (linesOf(keptIn(dir)).length < jobs) return how;
  }
  throw new Error(`${jobs} jobs were over before anybody could stop them`);
}

/** The command, to its end. */
async function cli(args: readonly string[], dir: string): Promise<Ended> {
  return ended(program(args, dir));
}

/** What the command wrote, but for the order in which jobs ended. */
function written(dir: string): Record<string, string> {
  const files = readdirSync(dir).sort();
  return Object.fromEntries(
    files.map((name) => {
      const text = readFileSync(join(dir, name), "utf8");
      return [name, name === JOB_FILE ? linesOf(text).sort().join("\n") : text];
    }),
  );
}

it.each([
  ["sweep", SWEEP, SWEEP_JOBS],
  ["compare-policies", POLICIES, POLICIES_JOBS],
] as const)("%s goes on where it was killed, also behind a torn line", async (name, args, jobs) => {
  const [killed, whole] = [join(scratch, `${name}-killed`), join(scratch, `${name}-whole`)];
  const [{ signal }, uninterrupted] = await Promise.all([
    stopped(args, jobs, killed, "SIGKILL"),
    cli(args, whole),
  ]);
  expect(signal).toBe("SIGKILL");
  expect(linesOf(keptIn(whole))).toHaveLength(jobs);

  // What is there after the kill is whole lines, and maybe the beginning of another one.
  const left = keptIn(killed);
  const kept = left.slice(0, left.lastIndexOf("\n") + 1);
  const finished = linesOf(kept).length;
  expect([finished >= 2, finished < jobs]).toEqual([true, true]);
  appendFileSync(join(killed, JOB_FILE), left === kept ? kept.slice(0, 40) : "");
  const again = await cli(args, killed);

  expect(again.code).toBe(uninterrupted.code);
  expect(again.out).toBe(uninterrupted.out);
  expect(again.err).toMatch(new RegExp(`^note: ${finished} of ${jobs} runs taken over from `));
  expect(uninterrupted.err).toBe("");
  // The finished jobs' lines are as they were, behind them are the others, each once.
  expect(keptIn(killed).startsWith(kept)).toBe(true);
  expect(linesOf(keptIn(killed))).toHaveLength(jobs);
  expect(written(killed)).toEqual(written(whole));
});

it("an interrupted sweep writes what it has, says so, ends with 130, and goes on", async () => {
  const dir = join(scratch, "interrupted");
  const { code, out } = await stopped(SWEEP, SWEEP_JOBS, dir, "SIGINT");
  expect(code).toBe(130);
  const finished = linesOf(keptIn(dir)).length;
  expect([finished >= 2, finished < SWEEP_JOBS]).toEqual([true, true]);
  expect(readFileSync(join(dir, "sweep.txt"), "utf8")).toContain("interrupted");
  expect(out).toContain("interrupted");
  const again = await cli(SWEEP, dir);
  expect(again.err).toContain(`note: ${finished} of ${SWEEP_JOBS} runs taken over`);
  expect(linesOf(keptIn(dir))).toHaveLength(SWEEP_JOBS);
  expect(again.out).not.toContain("interrupted");
});
