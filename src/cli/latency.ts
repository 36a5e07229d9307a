/** `vfio-cosim latency`: measures the way from device to ISR, once or several times. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatNs } from "../base/units.ts";
import { measurementHtml, renderMeasurement } from "../latency/formats.ts";
import { measurementOf } from "../latency/measure.ts";
import type { LatencyMeasurement, LatencySettings } from "../latency/measurement.ts";
import { measurementBody, measurementHeader, measurementText } from "../latency/text.ts";
import { measuredVerdict } from "../latency/words.ts";
import type { Format } from "../report/formats.ts";
import { canonicalJson } from "../report/json.ts";
import { LATENCY_FILE, RESULT_FILE } from "../report/stored.ts";
import { partialResultOf } from "../run/broken-run.ts";
import type { RunResult } from "../run/result.ts";
import { allowedCpus } from "../run/threads/pin.ts";
import { scenarioYaml } from "../scenario/to-yaml.ts";
import type { Scenario } from "../scenario/types.ts";
import { measureClockStep } from "../time/clock-step.ts";
import { WallClock } from "../time/wall-clock.ts";
import { CoreWait } from "./core-wait.ts";
import { makeDirectory } from "./execute.ts";
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_INVARIANT, EXIT_OK, type Io } from "./io.ts";
import { addLatencyFlags, checkCpus, type LatencyFlags, latencySetUp } from "./latency-flags.ts";
import { addCommonFlags } from "./options.ts";
import type { AddCommand } from "./program.ts";
import { StatusLine } from "./status.ts";
import { styleFor } from "./terminal.ts";

/** All runs of one measurement, until they are done, one ends early, or the user has had enough. */
class Measuring {
  readonly #settings: LatencySettings;
  readonly #scenario: Scenario;
  readonly #io: Io;
  readonly #status: StatusLine;
  readonly #abort = new AbortController();
  readonly results: RunResult[] = [];
  readonly coreWaits: (number | null)[] = [];

  constructor(settings: LatencySettings, scenario: Scenario, io: Io) {
    this.#settings = settings;
    this.#scenario = scenario;
    this.#io = io;
    this.#status = new StatusLine(io);
  }

  scenarioOf(run: number): Scenario {
    return { ...this.#scenario, seed: this.#scenario.seed + run };
  }

  /** Throws what breaks a run, whose partial result is then the last of `results`. */
  async run(): Promise<void> {
    const release = this.#io.onInterrupt(() => this.#interrupt());
    try {
      for (let run = 0; run < this.#settings.runs; run++) {
        if (this.#abort.signal.aborted && run > 0) break;
        const result = await this.#once(run);
        this.results.push(result);
        if (result.partial !== null) break;
        this.#tell(run, result);
      }
    } catch (error) {
      const partial = partialResultOf(error);
      if (partial !== null) this.results.push(partial);
      throw error;
    } finally {
      this.#status.clear();
      release();
    }
  }

  async #once(run: number): Promise<RunResult> {
    const { engine, runs, cpus } = this.#settings;
    const prefix = runs > 1 ? `run ${run + 1} of ${runs}: ` : "";
    this.#status.begin(prefix);
    const { runScenario } = await import("../run/run.ts");
    const wait = new CoreWait();
    try {
      return await runScenario(this.scenarioOf(run), {
        engine,
        signal: this.#abort.signal,
        onThreads: wait.onThreads,
        onProgress: (progress) => {
          wait.onProgress(progress);
          this.#status.show(progress);
        },
        cpus: cpus ?? undefined,
      });
    } finally {
      this.coreWaits.push(wait.share);
    }
  }

  /** A line a run, on a terminal: it shows how much they differ while they go on. */
  #tell(run: number, { latency }: RunResult): void {
    if (!this.#io.errIsTty || this.#settings.runs === 1) return;
    const total = latency.stages.find(({ stage }) => stage === "total");
    const figures =
      total === undefined
        ? "no samples"
        : `p50 ${formatNs(total.p50)}, p99 ${formatNs(total.p99)}, max ${formatNs(total.max)}`;
    this.#status.clear();
    this.#io.err(`run ${run + 1} of ${this.#settings.runs}: ${figures}\n`);
  }

  #interrupt(): void {
    if (this.#abort.signal.aborted) {
      this.#status.clear();
      this.#io.exitNow(EXIT_INTERRUPTED);
      return;
    }
    if (this.#io.errIsTty) this.#status.note("stopping; Ctrl-C again to leave at once");
    this.#abort.abort();
  }
}

async function latency(flags: LatencyFlags, io: Io): Promise<number> {
  const { settings, scenario } = latencySetUp(flags);
  if (settings.cpus !== null) checkCpus(settings.cpus, await allowedCpus());
  if (flags.out !== undefined) makeDirectory(flags.out);
  const style = styleFor(io);
  if (flags.output === "text") io.out(measurementHeader(settings, style));
  const clock = new WallClock();
  const { step } = measureClockStep(() => clock.now());
  const measuring = new Measuring(settings, scenario, io);
  try {
    await measuring.run();
  } catch (error) {
    await publish(measuring, settings, step, flags, io);
    const seed = measuring.results.at(-1)?.provenance.seed ?? settings.seed;
    io.err(`latency with seed ${seed} on the ${settings.engine} engine:\n`);
    throw error;
  }
  const measured = await publish(measuring, settings, step, flags, io);
  return measured === null ? EXIT_INTERRUPTED : exitCode(measured);
}

/** Files first: they are whole even if stdout is closed. Null: there is nothing to show. */
async function publish(
  measuring: Measuring,
  settings: LatencySettings,
  clockStepNs: number,
  { out, output }: { readonly out?: string; readonly output: Format },
  io: Io,
): Promise<LatencyMeasurement | null> {
  const { results, coreWaits } = measuring;
  if (results.length === 0) return null;
  const measured = measurementOf(settings, results, { clockStepNs, coreWaits });
  if (out !== undefined) {
    writeFileSync(join(out, LATENCY_FILE), canonicalJson(measured));
    writeFileSync(join(out, "latency.txt"), measurementText(measured));
    writeFileSync(join(out, "latency.html"), await measurementHtml(measured));
    for (const [run, result] of results.entries()) {
      const directory = settings.runs === 1 ? out : join(out, `run-${pad(run + 1, settings.runs)}`);
      makeDirectory(directory);
      writeFileSync(join(directory, RESULT_FILE), canonicalJson(result));
      writeFileSync(join(directory, "scenario.yaml"), scenarioYaml(measuring.scenarioOf(run)));
    }
  }
  const style = styleFor(io);
  io.out(
    output === "text"
      ? measurementBody(measured, style)
      : await renderMeasurement(measured, output, style),
  );
  return measured;
}

/** So that names are in the order of the runs. */
function pad(run: number, of: number): string {
  return `${run}`.padStart(`${of}`.length, "0");
}

function exitCode(measured: LatencyMeasurement): number {
  if (measured.runs.some(({ violations }) => violations.length > 0)) return EXIT_INVARIANT;
  if (measured.runs.at(-1)?.partial === "interrupted") return EXIT_INTERRUPTED;
  return measuredVerdict(measured).kind === "good" ? EXIT_OK : EXIT_FAILED;
}

export const latencyCommand: AddCommand = (program, io, done) => {
  const command = program
    .command("latency")
    .description("measure the latency from device to ISR beside this machine's floor");
  addLatencyFlags(addCommonFlags(command)).action(async (flags: LatencyFlags) => {
    done(await latency(flags, io));
  });
};
