/** Runs a scenario for a command: header, live status, interruption, result, exit code. */
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../base/errors.ts";
import { formatNs } from "../base/units.ts";
import { type Format, renderResult } from "../report/formats.ts";
import { htmlReport } from "../report/html-report.ts";
import { canonicalJson } from "../report/json.ts";
import { RESULT_FILE } from "../report/stored.ts";
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
import { retentionText } from "../scenario/retention.ts";
import { scenarioYaml } from "../scenario/to-yaml.ts";
import type { Scenario } from "../scenario/types.ts";
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_INVARIANT, EXIT_OK, type Io } from "./io.ts";
import { StatusLine } from "./status.ts";
import { styleFor } from "./terminal.ts";

export interface ExecuteOptions {
  readonly engine: Engine;
  readonly output: Format;
  /** Directory for result.json, report.html, report.txt and scenario.yaml. */
  readonly dir?: string | undefined;
}

/** Returns the exit code; what was printed is the result, whole or partial. */
export async function execute(
  scenario: Scenario,
  options: ExecuteOptions,
  io: Io,
): Promise<number> {
  if (options.dir !== undefined) makeDirectory(options.dir);
  const abort = new AbortController();
  const status = new StatusLine(io);
  // From the first word to the last: whoever reads the header may already press Ctrl-C.
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
    if (options.output === "text")
      io.out(headerText(headerOf(scenario, options.engine), styleFor(io)));
    const result = await runShown(scenario, options.engine, abort.signal, status);
    await publish(scenario, result, options, io);
    return exitCode(result);
  } catch (error) {
    const partial = partialResultOf(error);
    if (partial !== null) await publish(scenario, partial, options, io);
    io.err(`${scenario.name} with seed ${scenario.seed} on the ${options.engine} engine:\n`);
    throw error;
  } finally {
    release();
  }
}

/** Files first: they are whole even if stdout is closed, or has a form that this result lacks. */
async function publish(
  scenario: Scenario,
  result: RunResult,
  options: ExecuteOptions,
  io: Io,
): Promise<void> {
  const { output, dir } = options;
  if (dir !== undefined) {
    writeFileSync(join(dir, RESULT_FILE), canonicalJson(result));
    writeFileSync(join(dir, "report.txt"), textReport(result));
    writeFileSync(join(dir, "report.html"), await htmlReport(result));
    writeFileSync(join(dir, "scenario.yaml"), scenarioYaml(scenario));
  }
  // The header was printed before the run.
  const text = output === "text" ? bodyText(result, styleFor(io)) : null;
  io.out(text ?? (await renderResult(result, output)));
}

/** Makes the directory of --out; throws UsageError. */
export function makeDirectory(dir: string): void {
  try {
    makeParents(resolve(dir));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new UsageError(`--out ${dir}: cannot be made (${code})`, {
      hint: "name a directory that exists or can be made",
    });
  }
}

/** Not mkdirSync with `recursive`: that never ends in /proc, where nobody can make anything. */
function makeParents(dir: string): void {
  if (existsSync(dir) && statSync(dir).isDirectory()) return;
  if (dirname(dir) !== dir) makeParents(dirname(dir));
  mkdirSync(dir);
}

/** Runs the scenario with a status line that is gone when it returns. */
async function runShown(
  scenario: Scenario,
  engine: Engine,
  signal: AbortSignal,
  status: StatusLine,
): Promise<RunResult> {
  try {
    const { runScenario } = await import("../run/run.ts");
    return await runScenario(scenario, {
      engine,
      signal,
      onProgress: (progress) => status.show(progress),
    });
  } finally {
    status.clear();
  }
}

/** The same settings as a result's provenance, known before the run. */
function headerOf(scenario: Scenario, engine: Engine): RunHeader {
  const { platform, kernel } = scenario.host;
  const retention = retentionText(scenario.host.retention);
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
