/** The command line: its commands, and from errors to exit codes. */
import { Command, CommanderError } from "commander";
import { InvariantError, UsageError } from "../base/errors.ts";
import { VERSION } from "../base/version.ts";
import { compareCommand } from "./compare.ts";
import { comparePoliciesCommand } from "./compare-policies.ts";
import { conformCommand } from "./conform.ts";
import { doctorCommand } from "./doctor.ts";
import { EXIT_INVARIANT, EXIT_OK, EXIT_USAGE, type Io } from "./io.ts";
import { latencyCommand } from "./latency.ts";
import { listCommand } from "./list.ts";
import { replayCommand } from "./replay.ts";
import { reportCommand } from "./report.ts";
import { runCommand } from "./run.ts";
import { stressCommand } from "./stress.ts";
import { sweepCommand } from "./sweep.ts";

/** Adds itself to the program; sets the exit code when it has run. */
export type AddCommand = (program: Command, io: Io, done: (code: number) => void) => void;

const COMMANDS: readonly AddCommand[] = [
  runCommand,
  latencyCommand,
  stressCommand,
  reportCommand,
  compareCommand,
  comparePoliciesCommand,
  sweepCommand,
  listCommand,
  doctorCommand,
  conformCommand,
  replayCommand,
];

const HELP = `
Examples:
  vfio-cosim run nvme-reboot
  vfio-cosim run nvme-reboot --engine virtual --seed 7 -o json
  vfio-cosim run my.yaml --set guests.0.vcpus=8 --set host.irtes=256
  vfio-cosim run nvme-reboot --out before && vfio-cosim report before -o html > before.html
  vfio-cosim latency --rate 5k/s --runs 10 --cpus 0,1
  vfio-cosim stress --guests 32 --seed 3
  vfio-cosim compare-policies --vmms minimal,crosvm --topologies vtd-small,amd
  vfio-cosim sweep nvme-reboot --param host.irtes=64,128 --figure allocationFailures

Exit codes: 0 ok, 1 an expectation failed, 2 wrong usage, 3 an invariant was violated (a bug),
130 interrupted.`;

/** Runs one command line (without node and script) and returns the exit code. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  let code = EXIT_OK;
  const program = new Command("vfio-cosim")
    .description("Co-simulates vfio-pci interrupts, the host's interrupt pool and its guests.")
    .version(VERSION)
    .addHelpText("after", HELP)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) });
  for (const add of COMMANDS) {
    add(program, io, (result) => {
      code = result;
    });
  }
  // Subcommands take these over only when they are made, so say it to each.
  for (const command of program.commands) command.copyInheritedSettings(program);
  try {
    if (args.length === 0) {
      io.err(program.helpInformation());
      return EXIT_USAGE;
    }
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    return exitCodeOf(error, args, io);
  }
  return code;
}

function exitCodeOf(error: unknown, args: readonly string[], io: Io): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
  if (error instanceof UsageError) {
    io.err(`error: ${error.format()}\n`);
    return EXIT_USAGE;
  }
  const command = `vfio-cosim ${args.join(" ")}`;
  if (error instanceof InvariantError) {
    io.err(`invariant violated: ${error.message}\n  this is a bug; it happened in: ${command}\n`);
  } else {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    io.err(`internal error: ${what}\n  this is a bug; it happened in: ${command}\n`);
  }
  return EXIT_INVARIANT;
}
