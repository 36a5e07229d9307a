/** `vfio-cosim sweep SCENARIO --param a.b=1,2,4`: figures over a grid of settings. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { canonicalJson } from "../report/json.ts";
import type { Engine } from "../run/result.ts";
import { type RunFigures, type RunJob, runJob } from "../sweep/job.ts";
import { type JobQueue, SerialQueue } from "../sweep/job-queue.ts";
import { parseParams } from "../sweep/params.ts";
import { DEFAULT_FIGURES, runSweep, type SweepResult } from "../sweep/sweep.ts";
import { sweepCsv, sweepText } from "../sweep/sweep-text.ts";
import { makeDirectory } from "./execute.ts";
import type { Io } from "./io.ts";
import {
  addFresh,
  atLeastOne,
  exitCodeOfRuns,
  interruptible,
  type ResumeFlags,
  resumed,
  virtualQueue,
} from "./jobs.ts";
import { collect } from "./options.ts";
import type { AddCommand } from "./program.ts";
import { styleFor, widthOf } from "./terminal.ts";

const FORMATS = ["text", "csv", "json"] as const;

/** Of sweep.txt, which has no terminal. */
const FILE_WIDTH = 132;

interface SweepFlags extends ResumeFlags {
  readonly param: readonly string[];
  readonly figure: readonly string[];
  readonly set: readonly string[];
  readonly seeds: number;
  readonly engine: Engine;
  readonly jobs?: number;
  readonly output: (typeof FORMATS)[number];
}

function addFlags(command: Command): Command {
  return command
    .option("--param <path=values>", "an axis: host.irtes=64,128 (repeatable)", collect, [])
    .option("--figure <name>", "of `vfio-cosim list --figures` (repeatable)", collect, [])
    .option("--set <path=value>", "change the scenario first (repeatable)", collect, [])
    .option("--seeds <n>", "runs of each point", atLeastOne("--seeds"), 1)
    .addOption(
      new Option("--engine <engine>", "threads: one run after the other")
        .choices(["threads", "virtual"])
        .default("virtual"),
    )
    .option("-j, --jobs <n>", "threads of the virtual engine; default: cores", atLeastOne("-j"))
    .addOption(new Option("-o, --output <format>", "of stdout").choices(FORMATS).default("text"))
    .option("--out <dir>", "also write sweep.{json,csv,txt}; a killed sweep goes on there");
}

function queueFor({ engine, jobs }: SweepFlags): JobQueue<RunJob, RunFigures> {
  if (engine === "virtual") return virtualQueue(jobs);
  if (jobs !== undefined && jobs > 1) {
    throw new UsageError("-j: runs on threads need the machine for themselves", {
      hint: "leave -j out, or use --engine virtual",
    });
  }
  return new SerialQueue((job, signal) => runJob(job, "threads", signal));
}

async function sweep(scenario: string, flags: SweepFlags, io: Io): Promise<number> {
  const { figure, set, seeds, engine, out } = flags;
  const figures = figure.length === 0 ? [...DEFAULT_FIGURES] : figure;
  const params = parseParams(flags.param);
  const queued = (): JobQueue<RunJob, RunFigures> => queueFor(flags);
  const found = await resumed(io, flags, engine, queued, (queue) =>
    interruptible(io, ({ signal, show }) => {
      const onProgress = (done: number, total: number, failed: number): void =>
        show(scenario, done, total, failed);
      const options = { scenario, set, params, figures, seeds, engine, signal, onProgress };
      return runSweep(options, queue);
    }),
  );
  const { result } = found;
  if (out !== undefined) writeFiles(out, result);
  const forms = {
    text: () => sweepText(result, widthOf(io), styleFor(io)),
    csv: () => sweepCsv(result),
    json: () => canonicalJson(result),
  };
  io.out(forms[flags.output]());
  return exitCodeOfRuns(found);
}

function writeFiles(dir: string, result: SweepResult): void {
  makeDirectory(dir);
  writeFileSync(join(dir, "sweep.json"), canonicalJson(result));
  writeFileSync(join(dir, "sweep.csv"), sweepCsv(result));
  writeFileSync(join(dir, "sweep.txt"), sweepText(result, FILE_WIDTH));
}

export const sweepCommand: AddCommand = (program, io, done) => {
  const command = program
    .command("sweep")
    .description("run a scenario at every point of a grid of settings, and tabulate figures")
    .argument("<scenario>", "a name of `vfio-cosim list`, or a .yaml file");
  addFresh(addFlags(command)).action(async (scenario: string, flags: SweepFlags) => {
    done(await sweep(scenario, flags, io));
  });
};
