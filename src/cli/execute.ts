/** Runs a scenario for a command: header, live status, interruption, result, exit code. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../base/errors.ts";
import { formatNs } from "../base/units.ts";
import { canonicalJson } from "../report/json.ts";
import { COLOURED, PLAIN } from "../report/style.ts";
import {
  bodyText,
  hasFailedExpectation,
  hasViolation,
  headerText,
  type RunHeader,
  textReport,
} from "../report/text.ts";
import { partialResultOf } from "../run/broken-run.ts";
import type { Engine, RunResult } from "../run/result.ts";
import { scenarioYaml } from "../scenario/to-yaml.ts";
import type { Scenario } from "../scenario/types.ts";
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_INVARIANT, EXIT_OK, type Io } from "./io.ts";
import { StatusLine } from "./status.ts";

export interface ExecuteOptions {
  readonly engine: Engine;
  readonly output: "text" | "json";
  /** Directory for result.json, report.txt and scenario.yaml. */
  readonly dir?: string | undefined;
}

/** Returns the exit code; what was printed is the result, whole or partial. */
export async function execute(
  scenario: Scenario,
  options: ExecuteOptions,
  io: Io,
): Promise<number> {
  if (options.dir !== undefined) makeDirectory(options.dir);
  const style = io.outIsTty ? COLOURED : PLAIN;
  if (options.output === "text") io.out(headerText(headerOf(scenario, options.engine), style));
  const publish = (result: RunResult): void => {
    io.out(options.output === "json" ? canonicalJson(result) : bodyText(result, style));
    if (options.dir !== undefined) writeFiles(options.dir, scenario, result);
  };
  try {
    const result = await runInterruptibly(scenario, options.engine, io);
    publish(result);
    return exitCode(result);
  } catch (error) {
    const partial = partialResultOf(error);
    if (partial !== null) publish(partial);
    io.err(`${scenario.name} with seed ${scenario.seed} on the ${options.engine} engine:\n`);
    throw error;
  }
}

function writeFiles(dir: string, scenario: Scenario, result: RunResult): void {
  writeFileSync(join(dir, "result.json"), canonicalJson(result));
  writeFileSync(join(dir, "report.txt"), textReport(result));
  writeFileSync(join(dir, "scenario.yaml"), scenarioYaml(scenario));
}

function makeDirectory(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new UsageError(`--out ${dir}: cannot be made (${code})`, {
      hint: "name a directory that exists or can be made",
    });
  }
}

async function runInterruptibly(scenario: Scenario, engine: Engine, io: Io): Promise<RunResult> {
  const abort = new AbortController();
  const status = new StatusLine(io);
  const release = io.onInterrupt(() => {
    if (abort.signal.aborted) {
      status.clear();
      io.exitNow(EXIT_INTERRUPTED);
      return;
    }
    if (io.errIsTty) status.note("stopping; Ctrl-C again to leave at once");
    abort.abort();
  });
  try {
    const { runScenario } = await import("../run/run.ts");
    return await runScenario(scenario, {
      engine,
      signal: abort.signal,
      onProgress: (progress) => status.show(progress),
    });
  } finally {
    release();
    status.clear();
  }
}

/** The same settings as a result's provenance, known before the run. */
function headerOf(scenario: Scenario, engine: Engine): RunHeader {
  const { platform, retention, kernel } = scenario.host;
  const { stages, wait } = scenario.run;
  const forThreads = engine === "threads" ? { wait } : {};
  const options = { duration: formatNs(scenario.duration), platform, retention, stages };
  return {
    scenario: scenario.name,
    engine,
    seed: scenario.seed,
    kernel,
    options: { ...options, ...forThreads },
  };
}

export function exitCode(result: RunResult): number {
  if (hasViolation(result)) return EXIT_INVARIANT;
  if (result.partial === "interrupted") return EXIT_INTERRUPTED;
  return result.partial !== null || hasFailedExpectation(result) ? EXIT_FAILED : EXIT_OK;
}
