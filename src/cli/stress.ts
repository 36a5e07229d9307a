/** `vfio-cosim stress`: many guests with random lives; a failure leaves a scenario to repeat. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { UsageError } from "../base/errors.ts";
import { parseDurationNs, parseRatePerSecond } from "../base/units.ts";
import { CHAOS, type Chaos, stressDocument } from "../explore/stress-scenario.ts";
import { scenarioFromData } from "../scenario/loader.ts";
import { scenarioYaml } from "../scenario/to-yaml.ts";
import type { Scenario } from "../scenario/types.ts";
import { execute } from "./execute.ts";
import { EXIT_INTERRUPTED, EXIT_OK, type Io } from "./io.ts";
import { addCommonFlags, type CommonFlags } from "./options.ts";
import type { AddCommand } from "./program.ts";

const GUESTS_MAX = 128;

interface StressFlags extends CommonFlags {
  readonly guests: string;
  readonly duration: string;
  readonly rate: string;
  readonly wait: string;
  readonly chaos: string;
}

function addStressFlags(command: Command): Command {
  return command
    .option("--guests <n>", `guests, at most ${GUESTS_MAX}`, "16")
    .option("--duration <time>", "of the run, boots included", "5s")
    .option("--rate <rate>", "interrupts of each guest's device outside storms", "2k/s")
    .option("--wait <mode>", "how workers wait: spin, park or adaptive", "adaptive")
    .option("--chaos <list>", `${CHAOS.join(",")}, or none`, CHAOS.join(","));
}

/** The scenario that the flags describe; throws UsageError that names the flag. */
export function stressScenario(flags: StressFlags): Scenario {
  const { engine, seed = 1 } = flags;
  const document = stressDocument({
    seed,
    guests: guestsOf(flags.guests),
    duration: flag("duration", flags.duration, parseDurationNs),
    rate: flag("rate", flags.rate, parseRatePerSecond),
    chaos: chaosOf(flags.chaos),
  });
  const run = { wait: flags.wait, limit: "1h" };
  const waits = [{ flag: `--wait ${flags.wait}`, path: ["run", "wait"] }];
  return scenarioFromData({ ...document, run }, { engine }, waits);
}

function guestsOf(text: string): number {
  const guests = Number(text);
  if (/^\d+$/.test(text) && guests >= 1 && guests <= GUESTS_MAX) return guests;
  throw new UsageError(`--guests ${text}: not a number from 1 to ${GUESTS_MAX}`, {
    hint: "--guests 16",
  });
}

function flag(name: string, text: string, parse: (text: string) => number): number {
  try {
    const value = parse(text);
    if (value > 0) return value;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const { hint } = error;
    throw new UsageError(`--${name} ${text}: ${error.message}`, hint === undefined ? {} : { hint });
  }
  throw new UsageError(`--${name} ${text}: must be above zero`);
}

function chaosOf(text: string): readonly Chaos[] {
  if (text === "none") return [];
  return text.split(",").map((name) => {
    const chaos = CHAOS.find((known) => known === name);
    if (chaos !== undefined) return chaos;
    throw new UsageError(`--chaos ${text}: there is no ${name}`, {
      hint: `some of ${CHAOS.join(",")}, or none`,
    });
  });
}

export const stressCommand: AddCommand = (program, io, done) => {
  const command = program
    .command("stress")
    .description("run many guests with random lives; their seed repeats them");
  addStressFlags(addCommonFlags(command)).action(async (flags: StressFlags) => {
    const { engine, output, out } = flags;
    const scenario = stressScenario(flags);
    try {
      const code = await execute(scenario, { engine, output, dir: out }, io);
      if (code !== EXIT_OK && code !== EXIT_INTERRUPTED) keep(scenario, flags, io);
      done(code);
    } catch (error) {
      keep(scenario, flags, io);
      throw error;
    }
  });
};

/** The failing load as a scenario file, which either engine repeats. */
function keep(scenario: Scenario, { engine, out = "." }: StressFlags, io: Io): void {
  const file = join(out, `${scenario.name}.yaml`);
  writeFileSync(file, scenarioYaml(scenario));
  io.err(`to repeat it: vfio-cosim run ${file} --engine ${engine}\n`);
}
