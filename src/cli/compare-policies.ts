/** `vfio-cosim compare-policies SCENARIO`: the question of the review, as a table and in words. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { FORMATS, type Format, renderMatrix } from "../report/formats.ts";
import { RESULT_FILE } from "../report/stored.ts";
import {
  type ComparisonOptions,
  comparePolicies,
  type PolicyComparison,
} from "../sweep/compare-policies.ts";
import { parseCosts } from "../sweep/costs-file.ts";
import { loadGridBase } from "../sweep/grid.ts";
import type { RunFigures, RunJob } from "../sweep/job.ts";
import type { JobQueue } from "../sweep/job-queue.ts";
import { DEFAULT_POLICIES, parsePolicies } from "../sweep/policies.ts";
import { runsCsv } from "../sweep/runs-csv.ts";
import { parseCostNames } from "../sweep/sensitivity.ts";
import { comparisonPage } from "../sweep/text.ts";
import { DEFAULT_TOPOLOGIES, parseTopologies, TOPOLOGIES } from "../sweep/topologies.ts";
import { DEFAULT_VMMS, parseVmms } from "../sweep/vmms.ts";
import type { Io } from "./io.ts";
import {
  addFresh,
  atLeastOne,
  durationFlag,
  exitCodeOfRuns,
  interruptible,
  type ResumeFlags,
  resumed,
  virtualQueue,
} from "./jobs.ts";
import { collect } from "./options.ts";
import type { AddCommand } from "./program.ts";
import { styleFor, widthOf } from "./terminal.ts";

const DEFAULT_SCENARIO = "retention-pressure";
/** Of report.txt, which has no terminal. */
const FILE_WIDTH = 132;

interface CompareFlags extends ResumeFlags {
  readonly policies: string;
  readonly vmms: string;
  readonly topologies: string;
  readonly seeds: number;
  readonly set: readonly string[];
  readonly output: Format;
  readonly costs?: string;
  readonly sensitivity?: string | true;
  readonly jitter: string;
  readonly late: string;
  readonly jobs?: number;
}

function addFlags(command: Command): Command {
  const topologies = TOPOLOGIES.map(({ name }) => name).join(", ");
  return command
    .option("--policies <list>", "the first is what others are held against", DEFAULT_POLICIES)
    .option("--vmms <list>", "with versions; as-is: the scenario's", DEFAULT_VMMS)
    .option("--topologies <list>", `of ${topologies}`, DEFAULT_TOPOLOGIES)
    .option("--seeds <n>", "runs of each cell", atLeastOne("--seeds"), 5)
    .option("--set <path=value>", "change the scenario first (repeatable)", collect, [])
    .option("--jitter <time>", "each step of a life comes so much later, by the seed", "20ms")
    .option("--late <time>", "from device to handler: longer is late", "100us")
    .option("--costs <file>", "costs of the model, YAML or JSON: irqAlloc: 3us")
    .option("--sensitivity [costs]", "which orders flip if a cost (or each) is halved or doubled")
    .option("-j, --jobs <n>", "threads; default: cores", atLeastOne("-j"))
    .addOption(new Option("-o, --output <format>", "of stdout").choices(FORMATS).default("text"))
    .option(
      "--out <dir>",
      "also write result.json, report.{html,txt,md}, matrix.csv, runs.csv; goes on there",
    );
}

/** What the flags ask for; throws UsageError. */
function optionsOf(scenario: string, flags: CompareFlags): Omit<ComparisonOptions, "signal"> {
  const { sensitivity } = flags;
  return {
    base: loadGridBase(scenario, flags.set),
    policies: parsePolicies(flags.policies),
    vmms: parseVmms(flags.vmms),
    topologies: parseTopologies(flags.topologies),
    seeds: flags.seeds,
    jitterNs: durationFlag("--jitter", flags.jitter),
    lateNs: durationFlag("--late", flags.late),
    costs: flags.costs === undefined ? {} : parseCosts(readText(flags.costs), flags.costs),
    sensitivity: sensitivity === undefined ? null : parseCostNames(sensitivity),
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    const hint = "a file of lines such as irqAlloc: 3us";
    throw new UsageError(`--costs ${file}: cannot be read (${code})`, { hint });
  }
}

async function compare(scenario: string, flags: CompareFlags, io: Io): Promise<number> {
  const options = optionsOf(scenario, flags);
  const queued = (): JobQueue<RunJob, RunFigures> => virtualQueue(flags.jobs);
  const found = await resumed(io, flags, "virtual", queued, (queue) =>
    interruptible(io, ({ signal, show }) => {
      const onProgress: ComparisonOptions["onProgress"] = ({ step, done, total, failed }) =>
        show(step, done, total, failed);
      return comparePolicies({ ...options, signal, onProgress }, queue);
    }),
  );
  if (flags.out !== undefined) await writeFiles(flags.out, found);
  const page = (): string => comparisonPage(found, widthOf(io), styleFor(io));
  io.out(flags.output === "text" ? page() : await renderMatrix(found.matrix, flags.output));
  return exitCodeOfRuns(found);
}

async function writeFiles(dir: string, found: PolicyComparison): Promise<void> {
  const { matrix, cells } = found;
  const write = (name: string, text: string): void => writeFileSync(join(dir, name), text);
  write(RESULT_FILE, await renderMatrix(matrix, "json"));
  write("report.html", await renderMatrix(matrix, "html"));
  write("report.md", await renderMatrix(matrix, "markdown"));
  write("matrix.csv", await renderMatrix(matrix, "csv"));
  write("report.txt", comparisonPage(found, FILE_WIDTH));
  write("runs.csv", runsCsv(matrix.seeds, cells));
}

export const comparePoliciesCommand: AddCommand = (program, io, done) => {
  const command = program
    .command("compare-policies")
    .description("retention policies x VMMs x topologies x seeds: who is harmed, what it costs")
    .argument("[scenario]", "a name of `vfio-cosim list`, or a .yaml file", DEFAULT_SCENARIO);
  addFresh(addFlags(command)).action(async (scenario: string, flags: CompareFlags) => {
    done(await compare(scenario, flags, io));
  });
};
