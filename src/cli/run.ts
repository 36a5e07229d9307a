/** `vfio-cosim run SCENARIO`: runs a scenario of the library or a file. */
import { loadScenario } from "../scenario/loader.ts";
import { execute } from "./execute.ts";
import { addCommonFlags, type CommonFlags, collect } from "./options.ts";
import type { AddCommand } from "./program.ts";

interface RunFlags extends CommonFlags {
  readonly set: readonly string[];
}

export const runCommand: AddCommand = (program, io, done) => {
  const command = program
    .command("run")
    .description("run a scenario: a name of `vfio-cosim list`, or a .yaml file")
    .argument("<scenario>");
  addCommonFlags(command)
    .option("--set <path=value>", "change the scenario: guests.0.vcpus=8 (repeatable)", collect, [])
    .action(async (name: string, flags: RunFlags) => {
      const { engine, output, out, seed, set } = flags;
      const scenario = loadScenario(name, { engine, set, ...(seed !== undefined && { seed }) });
      done(await execute(scenario, { engine, output, dir: out }, io));
    });
};
